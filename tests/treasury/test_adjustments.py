"""Adjusting entries take two people, and reach a period that is already closing."""

from datetime import date
from decimal import Decimal

import pytest

from habitat.controls.actions import approvals
from habitat.controls.errors import SecondPersonNeeded
from habitat.controls.models import Approval
from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import Actor, ActorKind
from tests.treasury.postings import lines_of, step_period
from treasury import errors
from treasury.actions import adjustments
from treasury.models import JournalEntry
from treasury.reports.accounts import account_balance

pytestmark = pytest.mark.django_db

RIGHTS = frozenset({"treasury.adjust_books", "treasury.approve_adjustment"})
ONE = Actor(kind=ActorKind.MEMBER, id=1, name="Ana", permissions=RIGHTS)
TWO = Actor(kind=ActorKind.MEMBER, id=2, name="Bo", permissions=RIGHTS)
LINES = lines_of(("5510", "12.5", None), ("2110", None, "12.5"))


def propose(**changes) -> Approval:
    given = {
        "lines": LINES,
        "effective_on": date(2026, 3, 31),
        "description": "March compute bill",
        "reason": "The bill came late",
        "acting": ONE,
    }
    return adjustments.propose(**(given | changes))


def test_adjustment__is_posted_when_a_second_person_grants_it():
    approval = propose()
    assert JournalEntry.objects.count() == 0

    approvals.grant(approval=approval, reason="Seen the bill", acting=TWO)

    entry = JournalEntry.objects.get()
    assert (entry.source_kind, entry.source_ref, entry.effective_on) == (
        "adjustment",
        str(approval.pk),
        date(2026, 3, 31),
    )
    assert (account_balance("5510"), account_balance("2110")) == (Decimal("12.5"), Decimal("12.5"))


def test_adjustment__reaches_a_closing_period():
    approval = propose()
    step_period("2026-Q1", "closing")

    approvals.grant(approval=approval, reason="Seen", acting=TWO)

    assert JournalEntry.objects.get().period.name == "2026-Q1"


def test_adjustment__granted_after_the_close_is_refused_and_stays_open():
    approval = propose()
    step_period("2026-Q1", "closing", "closed")

    with pytest.raises(errors.PeriodClosed):
        approvals.grant(approval=approval, reason="Seen", acting=TWO)

    assert Approval.objects.get().state == "requested"
    assert JournalEntry.objects.count() == 0


def test_adjustment__is_not_granted_by_its_author():
    approval = propose()

    with pytest.raises(SecondPersonNeeded):
        approvals.grant(approval=approval, reason="Me too", acting=ONE)

    assert JournalEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"reason": " "}, ReasonRequired),
        ({"acting": Actor(kind=ActorKind.MEMBER, id=3, name="Cy")}, NotAllowed),
        ({"lines": LINES[:1]}, errors.TooFewLines),
        ({"lines": lines_of(("5510", "12.5", None), ("2110", None, "12"))}, errors.EntryUnbalanced),
        ({"lines": lines_of(("5000", "1", None), ("2110", None, "1"))}, errors.AccountTakesNoLines),
        ({"effective_on": date(2020, 1, 1)}, errors.NoPeriod),
        ({"description": "x" * 501}, errors.TextTooLong),
    ],
)
def test_adjustment__is_refused_before_anybody_is_asked(changes, refusal):
    with pytest.raises(refusal):
        propose(**changes)

    assert (Approval.objects.count(), JournalEntry.objects.count()) == (0, 0)
