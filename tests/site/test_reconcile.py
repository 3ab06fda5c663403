"""`reconcile` and its daily job: every reconciler of the house, one moment, exit 1 while something differs."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from habitat.site.workflows import reconciliation
from habitat.workflows.policies.jobs import definition
from tests.treasury.postings import posted
from treasury.models import ReconciliationException, ReconciliationRun

pytestmark = pytest.mark.django_db


def reconcile(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("reconcile", *options, "--no-color", stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def drift() -> None:
    """1115 moves and Stripe knows nothing of it."""
    posted(("1115", "10", None), ("2240", None, "10"), occurred_at=timezone.now())


def test_reconcile__agrees_on_an_empty_house():
    code, said = reconcile("bank")

    assert code == 0
    assert said.startswith("agrees       0  bank     run ")


def test_reconcile__says_what_differs_and_exits_1():
    drift()

    code, said = reconcile("stripe")

    assert code == 1
    assert "DIFFERS      1  stripe" in said
    assert "1115 stands at 10.00 USD, and Stripe's balance was never read by then." in said
    assert ReconciliationException.objects.get().cause == "reading:stripe"


def test_reconcile_all__runs_each_once():
    reconcile("all")

    assert sorted(ReconciliationRun.objects.values_list("kind", flat=True)) == sorted(reconciliation.reconcilers())


@pytest.mark.parametrize("name", ["chain", "streams"])
def test_reconcile__what_is_not_kept_yet_is_refused_in_words(name):
    with pytest.raises(CommandError, match=f"{name} is not kept yet: there is nothing to compare"):
        reconcile(name)

    assert not ReconciliationRun.objects.exists()


def test_reconcile_on__a_past_day_is_compared_as_of_its_end():
    yesterday = timezone.now().astimezone(UTC).date() - timedelta(days=1)
    drift()

    code, _ = reconcile("stripe", "--on", yesterday.isoformat())

    assert code == 0
    run = ReconciliationRun.objects.get()
    assert run.as_of == datetime.combine(yesterday + timedelta(days=1), datetime.min.time(), UTC)


def test_reconcile_on__a_coming_day_is_refused():
    tomorrow = timezone.now().astimezone(UTC).date() + timedelta(days=1)

    with pytest.raises(CommandError, match="is not over yet"):
        reconcile("bank", "--on", tomorrow.isoformat())

    assert not ReconciliationRun.objects.exists()


def test_daily_job__compares_as_of_midnight():
    assert definition("reconcile").run == "habitat.site.workflows.reconciliation.run"
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)

    reconciliation.run(midnight)

    assert set(ReconciliationRun.objects.values_list("as_of", flat=True)) == {midnight}
