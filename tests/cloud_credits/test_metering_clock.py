"""Metering goes by the house's one clock, the database's: a server whose own is wrong charges all the same."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from cloud_credits.actions import metering_queue, spending
from cloud_credits.models import ResourceUsage, SpendCap
from cloud_credits.policies.metering_batch import BatchForm
from cloud_credits.policies.spending import month_of
from cloud_credits.reports.usage import UsageRow
from habitat.errors import HabitatError
from habitat.money import cloud
from tests.cloud_credits.metered import answers, body, event, make_key, meter, send, statuses
from tests.factories import actor, make_member
from treasury.models import JournalEntry

pytestmark = pytest.mark.django_db

WRONG = [timedelta(minutes=2), timedelta(days=40), timedelta(minutes=-61), timedelta(days=-100)]


def one(member, key, sent):
    meter(member, key, **sent)


def batch(member, key, sent):
    assert statuses(send(key, sent)) == ["accepted"]


def queued(member, key, sent):
    metering_queue.submit(body=json.dumps([sent]).encode(), form=BatchForm.JSON, key_id=key.pk)
    assert metering_queue.charge_next() == 1


@pytest.mark.parametrize("shift", WRONG)
@pytest.mark.parametrize("way", [one, batch, queued])
def test_usage__is_received_by_the_databases_clock(way, shift):
    member, key = make_member(credits="100"), make_key()
    sent, before = body(member), datetime.now(tz=UTC)
    with time_machine.travel(before + shift, tick=True):
        way(member, key, sent)
    usage = ResourceUsage.objects.get()
    assert before <= usage.received_at <= datetime.now(tz=UTC)
    assert UsageRow(usage).days_late == 0
    assert JournalEntry.objects.get(pk=usage.journal_entry_id).effective_on == usage.received_at.date()


@pytest.mark.parametrize("shift", WRONG)
def test_refusal__of_an_early_event_is_said_by_the_databases_clock(shift):
    member, key = make_member(credits="100"), make_key()
    before = datetime.now(tz=UTC)
    ahead = {"timestamp": (before + timedelta(minutes=6)).isoformat()}
    with time_machine.travel(before + shift, tick=True):
        with pytest.raises(HabitatError) as caught:
            meter(member, key, **ahead)
        [told] = answers(send(key, body(member, **ahead)))
    assert caught.value.code == told["code"] == "event_in_future"
    assert not ResourceUsage.objects.exists()


def test_late__is_late_by_the_databases_clock():
    """A server a week ahead lets nothing wait for two persons that needs none; a week behind, nothing pass."""
    member, key = make_member(credits="100"), make_key()
    now = datetime.now(tz=UTC)
    with time_machine.travel(now + timedelta(days=7), tick=True):
        meter(member, key, timestamp=(now - timedelta(days=34)).isoformat())
    with time_machine.travel(now - timedelta(days=7), tick=True), pytest.raises(HabitatError) as caught:
        meter(member, key, timestamp=(now - timedelta(days=36)).isoformat())
    assert caught.value.code == "event_too_late"


@pytest.mark.parametrize("shift", [timedelta(days=40), timedelta(days=-40)])
def test_cap__counts_in_the_databases_month(shift):
    member, key = make_member(credits="100"), make_key()
    now = datetime.now(tz=UTC)
    one, other = event(member, quantity="1"), body(member, quantity="2")
    with time_machine.travel(now + shift, tick=True):
        spending.set_limits(member=member, monthly_cap=cloud("3"), low_balance=None, acting=actor(member))
        meter(member, key, **one.payload())
        assert statuses(send(key, other)) == ["accepted"]
        assert [told["code"] for told in answers(send(key, body(member, timestamp=other["timestamp"])))] == [
            "spend_cap_reached"
        ]
    cap = SpendCap.objects.get(pk=member.pk)
    assert (cap.month, cap.spent, cap.told_for) == (month_of(now), 3, month_of(now))
