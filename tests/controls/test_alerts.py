"""Alerts: one open for each cause, counted up, settled by a person or by their rule."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from habitat.controls.actions import alerts
from habitat.controls.errors import AlertSettled, AlertUnknown
from habitat.controls.models import Alert
from habitat.controls.policies.alerts import CATALOGUE
from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db

CODES = [
    "treasury_backing_shortfall",
    "backing_low",
    "reading_stale",
    "stripe_clearing_drift",
    "webhook_failed",
    "stripe_mirror_incomplete",
    "stripe_movement_unknown",
    "bank_unmatched",
    "refund_uncovered",
    "refund_failed",
    "topup_stopped",
    "sync_diverged",
    "stream_deviation",
    "stream_missing",
    "price_stale",
    "staking_ratio",
    "redemption_rate",
    "outbox_stuck",
    "webhook_disabled",
    "webhook_backlog",
    "saga_stuck",
    "books_broken",
]


@pytest.fixture
def heard() -> Iterator[list[str]]:
    said: list[str] = []

    def listener(*, alert: Alert, acting: object) -> None:
        said.append(alert.cause)

    alerts.on_raised(listener)
    yield said
    alerts._ON_RAISED.remove(listener)


def raised(cause: str = "delivery:1", code: str = "outbox_stuck") -> Alert:
    return alerts.raise_alert(code=code, cause=cause, message="stuck", details={"n": 1}, acting=SYSTEM)


def test_catalogue__is_the_domains() -> None:
    assert [definition.code for definition in CATALOGUE] == CODES
    assert all(d.title and d.help and d.closing_rule for d in CATALOGUE)


def test_alert__repeats_count_up(heard: list[str]) -> None:
    first = raised()
    again = alerts.raise_alert(code="outbox_stuck", cause="delivery:1", message="worse", details={"n": 2})
    assert again.pk == first.pk
    assert (again.times, again.message, again.details, again.state) == (2, "worse", {"n": 2}, "open")
    assert again.raised_at == first.raised_at
    assert again.last_raised_at >= first.last_raised_at
    assert heard == ["delivery:1"]


def test_alert__other_cause_is_another_alert(heard: list[str]) -> None:
    assert raised("delivery:1").pk != raised("delivery:2").pk
    assert heard == ["delivery:1", "delivery:2"]


def test_alert__after_resolution_a_new_one_opens() -> None:
    first = raised()
    alerts.resolve_cause("outbox_stuck", "delivery:1")
    second = raised()
    assert second.pk != first.pk
    assert (second.times, second.state) == (1, "open")


def test_alert__acknowledged_still_counts_up() -> None:
    first = raised()
    operator = people.acting_as(people.trusted(Role.OPERATIONS))
    alerts.acknowledge(alert=first, reason="on it", acting=operator)
    assert raised().pk == first.pk
    row = Alert.objects.get(pk=first.pk)
    assert (row.state, row.times, row.acknowledged_by, row.note) == ("acknowledged", 2, "Olga", "on it")


def test_alert__unknown_code_writes_nothing() -> None:
    with pytest.raises(AlertUnknown):
        raised(code="nobody_knows")
    assert not Alert.objects.exists()


def test_resolve_cause__says_the_rule_and_is_quiet_when_nothing_is_open() -> None:
    assert alerts.resolve_cause("outbox_stuck", "delivery:1") is None
    raised()
    settled = alerts.resolve_cause("outbox_stuck", "delivery:1")
    assert settled is not None
    assert settled.resolution == "No delivery is dead or older than the limit."
    assert settled.resolved_by == "Habitat"


@pytest.mark.parametrize("verb", ["acknowledge", "resolve"])
def test_verbs__refusals_change_nothing(verb: str) -> None:
    alert = raised()
    act = getattr(alerts, verb)
    with pytest.raises(NotAllowed):
        act(alert=alert, reason="x", acting=people.acting_as(people.trusted(Role.STEWARD)))
    with pytest.raises(ReasonRequired):
        act(alert=alert, reason="", acting=SYSTEM)
    assert Alert.objects.get(pk=alert.pk).state == "open"
    alerts.resolve(alert=alert, reason="fixed", acting=SYSTEM)
    with pytest.raises(AlertSettled):
        act(alert=alert, reason="x", acting=SYSTEM)


@pytest.mark.parametrize("way", ["open", "acknowledged"])
def test_alert__does_not_reopen(way: str) -> None:
    alert = raised()
    alerts.resolve(alert=alert, reason="fixed", acting=SYSTEM)
    with pytest.raises(IntegrityError, match=f"cannot go from resolved to {way}"), transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(state=way)


def test_alert__second_open_row_is_refused() -> None:
    raised()
    with pytest.raises(IntegrityError, match="alert_one_open_a_cause"), transaction.atomic():
        Alert.objects.create(
            code="outbox_stuck", cause="delivery:1", severity="critical", message="m", raised_by="x",
            raised_at="2026-01-01T00:00:00Z", last_raised_at="2026-01-01T00:00:00Z",
        )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_alert__sixteen_threads_open_one() -> None:
    def notice(_: int) -> int:
        try:
            return raised("the same").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(notice, range(16)))
    assert len(ids) == 1
    assert Alert.objects.get().times == 16
