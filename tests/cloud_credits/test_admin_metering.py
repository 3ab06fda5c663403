"""Operations' way to usage that came too late, and to a redemption by hand: asked, agreed to, charged once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from cloud_credits.errors import EventTooLate
from cloud_credits.models import CloudTransaction, MeteringRefusal, RateCard, ResourceUsage
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.models import Member
from habitat.members.policies.roles import Role
from tests.cloud_credits.ledger import holds
from tests.cloud_credits.metered import body, make_key, meter
from tests.factories import make_member
from tests.members.people import acting_as, trusted

pytestmark = pytest.mark.django_db

# Priced by v1, in force since 2026-04-01, and more than 35 days back.
LONG_AGO = "2026-04-02T00:00:00+00:00"


def client_of(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def ask(client: Client, refusal: MeteringRefusal, reason: str = "the meter was offline", verb_key: str = "once"):
    address = reverse("admin:cloud_credits_meteringrefusal_verb", args=[refusal.pk, "ask-late"])
    return client.post(address, {"reason": reason, "verb_key": verb_key})


def refused(member: Member) -> MeteringRefusal:
    with pytest.raises(EventTooLate):
        meter(member, make_key(), timestamp=LONG_AGO, eventId="late-1")
    return MeteringRefusal.objects.get(event_id="late-1")


def test_late_usage__is_asked_for_on_its_refusal_and_charged_when_another_agrees():
    first, second = trusted(Role.OPERATIONS), trusted(Role.OPERATIONS, name="Pia")
    member = make_member(credits="10")
    row = refused(member)

    answer = ask(client_of(first), row)

    assert answer.status_code == 302
    asked = Approval.objects.get(kind="late_usage")
    assert (asked.reason, asked.requested_by) == ("the meter was offline", f"member:{first.pk}")
    assert holds(member) == (Decimal(10), 0)
    approvals.grant(approval=asked, reason="the log agrees", acting=acting_as(second))
    usage = ResourceUsage.objects.get(event_id="late-1")
    assert (usage.cost, usage.is_late, usage.approval_id) == (Decimal("2.5"), True, asked.pk)
    assert (usage.service_key_id, usage.metered_at.isoformat()) == (row.service_key_id, LONG_AGO)
    assert holds(member) == (Decimal("7.5"), 0)


def test_late_usage__without_a_reason_asks_nobody():
    row = refused(make_member(credits="10"))
    assert ask(client_of(trusted(Role.OPERATIONS)), row, reason=" ").status_code == 422
    assert not Approval.objects.exists()


def test_late_usage__is_offered_for_what_came_too_late_only():
    row = refused(make_member(credits="10"))
    client = client_of(trusted(Role.OPERATIONS))
    page = reverse("admin:cloud_credits_meteringrefusal_change", args=[row.pk])
    assert "Ask to let it in" in client.get(page).content.decode()
    MeteringRefusal.objects.create(event_id="other", code="wrong_unit", event=body(make_member()))
    other = MeteringRefusal.objects.get(event_id="other")
    page = reverse("admin:cloud_credits_meteringrefusal_change", args=[other.pk])
    assert "Ask to let it in" not in client.get(page).content.decode()


def test_redemption_by_hand__spends_the_member_s_credits():
    operator, member = trusted(Role.OPERATIONS), make_member(credits="10")
    address = reverse("admin:cloud_credits_cloudbalance_verb", args=[member.cloud_balance.pk, "redeem"])

    answer = client_of(operator).post(address, {"amount": "4", "reason": "a rented press", "verb_key": "once"})

    assert answer.status_code == 302
    row = CloudTransaction.objects.get(type="redemption")
    assert (row.amount, row.description, row.acting) == (Decimal(4), "a rented press", f"member:{operator.pk}")
    assert holds(member) == (Decimal(6), 0)


def test_rate_card__tells_its_history():
    page = reverse("admin:cloud_credits_ratecard_change", args=[RateCard.objects.get(version=1).pk])
    shown = client_of(trusted(Role.STEWARD)).get(page)
    assert shown.status_code == 200
    assert [row.what for row in shown.context["history_rows"]][-1:] == ["created"]


def test_late__is_what_the_tests_call_late():
    assert datetime.now(tz=UTC) - datetime.fromisoformat(LONG_AGO) > timedelta(days=35)
