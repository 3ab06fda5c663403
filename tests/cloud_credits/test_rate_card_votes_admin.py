"""Outcomes, electors, ballots and reminders at the desk: read by who governs, changed by nobody, no ballot early."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cloud_credits.actions import rate_cards
from cloud_credits.models import RateCard, RateCardBallot, RateCardElector, RateCardOutcome, RateCardReminder
from habitat.members.models import Member
from habitat.members.policies.roles import Role
from tests.cloud_credits import governed
from tests.faces.desk import desk_of, page
from tests.faces.people import browser

pytestmark = pytest.mark.django_db

MODELS = (RateCardOutcome, RateCardElector, RateCardBallot, RateCardReminder)
SECRET = "Nobody is to know this yet"


def place(model: type, name: str, *args: object) -> str:
    return reverse(f"admin:cloud_credits_{model._meta.model_name}_{name}", args=args)


def cast(card: RateCard, member: Member, choice: str, reason: str = "") -> RateCardBallot:
    return rate_cards.cast_ballot(card_id=card.pk, choice=choice, reason=reason, acting=governed.steward(member))


def voted(clock, stewards: list[Member], **fields) -> RateCard:
    """Reminded, closed and settled."""
    card = governed.opened(clock, stewards[0], **fields)
    for member in stewards:
        cast(card, member, "yes", SECRET)
    clock.at(card.closes_at - timedelta(hours=1))
    rate_cards.remind_due()
    clock.at(card.closes_at)
    rate_cards.settle_due()
    return card


def test_pages__show_every_row_once_the_vote_has_its_outcome(clock, stewards):
    card, client = voted(clock, stewards), browser(stewards[1])
    for model, rows in zip(MODELS, (1, 3, 3, 3), strict=True):
        assert model.objects.count() == rows
        answer = client.get(place(model, "changelist"))
        assert (answer.status_code, answer.context["cl"].result_count) == (200, rows)
        for row in model.objects.all():
            assert reverse("admin:cloud_credits_ratecard_change", args=[card.pk]) in page(client, row)
        for form in ("csv", "xlsx"):
            assert client.get(place(model, "export", form)).status_code == 200
    assert "Half of the electorate votes" in page(client, RateCardOutcome.objects.get())
    assert SECRET in page(client, RateCardBallot.objects.first())
    assert SECRET in client.get(place(RateCardBallot, "export", "csv")).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_pages__change_nothing(model, clock, stewards):
    voted(clock, stewards)
    client, row = desk_of(Role.ADMIN), model.objects.first()
    before = list(model.objects.order_by("pk").values())
    assert client.post(place(model, "change", row.pk), {"choice": "no"}).status_code == 403
    assert client.get(place(model, "add")).status_code == 403
    assert client.post(place(model, "add"), {}).status_code == 403
    assert client.post(place(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(place(model, "changelist"), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    assert list(model.objects.order_by("pk").values()) == before


def seen_of_ballots(client: Client, ballot: RateCardBallot) -> list[str]:
    """Everything that the desk answers of the ballots by list, search, filter, order, export, page and history."""
    lists = ("", f"?q={SECRET}", "?q=Steward", "?q=2", "?choice__exact=no", "?o=3", f"?id={ballot.pk}", "?_facets=True")
    paths = [place(RateCardBallot, "changelist") + query for query in lists]
    paths += [place(RateCardBallot, "export", "csv"), place(RateCardBallot, "export", "csv") + "?choice__exact=no"]
    paths += [place(RateCardBallot, name, ballot.pk) for name in ("change", "history", "delete")]
    answers = [client.get(path, follow=True) for path in paths]
    for answer in answers:
        if answer.context and "cl" in answer.context:
            assert answer.context["cl"].result_count == 0
            assert list(answer.context["cl"].result_list) == []
    return [answer.content.decode() for answer in answers]


@pytest.mark.parametrize("role", [Role.STEWARD, Role.ADMIN])
def test_ballots__are_read_by_nobody_before_the_outcome(role, clock, stewards):
    card = governed.opened(clock, stewards[0])
    ballot = cast(card, stewards[1], "no", SECRET)
    for client in (desk_of(role), browser(stewards[1])):
        answers = seen_of_ballots(client, ballot)
        # What was searched for stands in the field again; nothing else tells it.
        assert [text.replace(f'value="{SECRET}"', "").count(SECRET) for text in answers] == [0] * len(answers)
        assert not any("castAt" in text or "<td>no</td>" in text for text in answers)
    # Closed, and not settled yet: not before it is written down what it came to.
    clock.at(card.closes_at)
    client = desk_of(role)
    seen_of_ballots(client, ballot)
    rate_cards.settle_due()
    assert SECRET in page(client, ballot)


WAYS_TO_BALLOTS = {
    RateCardElector: ("ballots__choice=no", "ballots__reason__contains=Nobody", "card__ballots__choice=no"),
    RateCard: ("ballots__choice=no", "electors__ballots__choice=no"),
    RateCardOutcome: ("card__ballots__choice=no",),
    RateCardReminder: ("card__ballots__choice=no",),
}


def test_ballots__no_other_list_can_be_asked_for_them(clock, stewards):
    """A filter in the address that leads over a relation would tell a vote by the rows that are left."""
    card, client = governed.opened(clock, stewards[0]), desk_of(Role.ADMIN)
    cast(card, stewards[1], "no", SECRET)
    for model, ways in WAYS_TO_BALLOTS.items():
        for way in ways:
            for address in (place(model, "changelist"), place(model, "export", "csv")):
                assert client.get(f"{address}?{way}").status_code == 400, (model, way, address)
    elector = RateCardElector.objects.get(member=stewards[1])
    assert SECRET not in page(client, elector)


def test_ballots__of_a_vote_that_was_broken_off_are_read_by_nobody(clock, stewards):
    card = governed.opened(clock, stewards[0], effective_date=date(2027, 4, 1), compute_rate="1.2")
    ballot = cast(card, stewards[1], "no", SECRET)
    clock.forward(hours=1)
    voted(clock, stewards, is_emergency=True, effective_date=date(2027, 2, 10))
    assert governed.stored(card).state == "draft"
    client = desk_of(Role.ADMIN)
    assert client.get(place(RateCardBallot, "changelist")).context["cl"].result_count == 3
    assert client.get(place(RateCardBallot, "change", ballot.pk)).status_code == 302


def test_pages__ask_the_database_as_often_for_more_rows(clock, stewards):
    voted(clock, stewards)
    assert asked(browser(stewards[0])) == QUERIES
    clock.at(governed.NOON.replace(month=4))
    voted(clock, [*stewards, *governed.make_stewards(4)], effective_date=date(2027, 6, 1), stm_rate="0.4")
    assert asked(browser(stewards[0])) == QUERIES


def asked(client: Client) -> dict[type, int]:
    """How many queries each list takes, once its sign-in is known."""
    client.get(place(RateCardOutcome, "changelist"))
    counts = {}
    for model in MODELS:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(place(model, "changelist")).status_code == 200
        counts[model] = len(captured)
    return counts


# The sign-in, its session and its permissions, the notices' count, then the rows and how many there are; the
# reminders' filter asks for the hours there are.
QUERIES = {RateCardOutcome: 12, RateCardElector: 12, RateCardBallot: 12, RateCardReminder: 13}
