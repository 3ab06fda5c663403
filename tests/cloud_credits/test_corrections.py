"""Reversals: what is given back, what is taken back, what becomes owed, and what cannot be undone."""

from decimal import Decimal
from functools import partial

import pytest

from cloud_credits.actions import movements
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct, reverse
from cloud_credits.actions.grants import grant
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer, transferred
from cloud_credits.errors import NotReversible
from cloud_credits.models import CloudTransaction, Receivable
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.errors import IdempotencyConflict, NotAllowed, ReasonRequired
from habitat.events.actions.outbox import emit
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import (
    account,
    broken_proofs,
    commit_checks,
    entry_lines,
    holdings,
    lines_of,
    refused,
    row_counts,
    stored,
    told,
)
from tests.factories import actor, back_credits, fund, key, make_member, system_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def proven():
    yield
    commit_checks()
    assert broken_proofs() == []


def undo(original: CloudTransaction, **more):
    given = {"original": original, "reason": "a mistake", "idempotency_key": key(), "acting": SYSTEM}
    return reverse(**(given | more))


def parts_of(original: CloudTransaction) -> list[CloudTransaction]:
    return list(CloudTransaction.objects.filter(reverses=original).order_by("reversal_part"))


def spend(member, amount: str) -> None:
    redeem(member=member, amount=cloud(amount), idempotency_key=key(), acting=SYSTEM)


def gift(giver, holder, amount: str) -> CloudTransaction:
    return transfer(
        sender=giver, recipient=holder, amount=cloud(amount), idempotency_key=key(), acting=SYSTEM
    ).transaction


def test_reverse__a_transfer_goes_back():
    ada, ben = make_member(credits="10"), make_member()
    original = gift(ada, ben, "4")
    outcome = undo(original)
    assert holdings(ada, ben) == [("10", "0"), ("0", "0")]
    assert (outcome.transaction.pk, stored(original).state) == (original.pk, "reversed")
    [part] = parts_of(original)
    assert (part.type, part.from_member_id, part.to_member_id, part.amount) == ("correction", ben.pk, ada.pk, 4)
    assert (part.reversal_part, part.reference, part.journal_entry_id) == (1, f"transaction:{original.pk}", None)
    payload = told("cloud.corrected")
    assert (payload["reverses"], payload["transaction_ids"], payload["receivable"]) == (original.pk, [part.pk], "0")
    assert not Receivable.objects.exists()


VERBS = {
    "redemption": (partial(redeem), {("4420", "D", "40"), ("2220", "C", "40")}),
    "burn": (partial(burn, reason="why"), {("5930", "D", "40"), ("2220", "C", "40")}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_reverse__what_was_destroyed_comes_back(verb):
    ask, lines = VERBS[verb]
    ada = make_member(credits="10")
    original = ask(member=ada, amount=cloud("4"), idempotency_key=key(), acting=SYSTEM).transaction
    undo(original)
    assert holdings(ada) == [("10", "0")]
    [part] = parts_of(original)
    assert lines_of(part) == lines
    assert account("4420") == 0


def test_reverse__a_correction_up_is_taken_and_a_correction_down_given_back():
    ada = make_member()
    up = correct(to_member=ada, amount=cloud("9"), reason="x", idempotency_key=key(), acting=SYSTEM).transaction
    down = correct(from_member=ada, amount=cloud("4"), reason="x", idempotency_key=key(), acting=SYSTEM).transaction
    undo(down)
    assert holdings(ada) == [("9", "0")]
    undo(up)
    assert holdings(ada) == [("0", "0")]
    assert account("5930") == 0


@pytest.mark.parametrize(
    ("spent", "left", "owed"), [("1", "2", "0"), ("4", "0", "1"), ("6", "0", "3"), ("7", "0", "4")]
)
def test_reverse__of_a_gift_that_was_spent__leaves_a_receivable(spent, left, owed):
    """Ben has 3 of his own and 4 given; what he cannot give back he owes, and Ada has all of hers again."""
    ada, ben = make_member(credits="10"), make_member(credits="3")
    original = gift(ada, ben, "4")
    spend(ben, spent)
    undo(original)
    assert holdings(ada, ben) == [("10", "0"), (left, "0")]
    assert account("1310") == 10 * Decimal(owed)
    if owed == "0":
        assert not Receivable.objects.exists()
        return
    debt = Receivable.objects.get()
    assert (debt.member_id, debt.amount, debt.settled, debt.origin_id) == (ben.pk, Decimal(owed), 0, original.pk)
    part = parts_of(original)[-1]
    assert (part.reversal_part, part.from_member_id, part.to_member_id) == (2, None, ada.pk)
    assert lines_of(part) == {("1310", "D", f"{10 * int(owed)}"), ("2220", "C", f"{10 * int(owed)}")}
    assert debt.journal_entry_id == part.journal_entry_id
    assert told("cloud.corrected")["receivable"] == owed


def test_reverse__of_credits_from_nowhere_that_were_spent__is_owed_without_giving_to_anybody():
    ada = make_member()
    original = correct(to_member=ada, amount=cloud("9"), reason="x", idempotency_key=key(), acting=SYSTEM).transaction
    spend(ada, "9")
    undo(original)
    assert holdings(ada) == [("0", "0")]
    assert parts_of(original) == []
    assert stored(original).state == "reversed"
    debt = Receivable.objects.get()
    assert entry_lines(debt.journal_entry_id) == {("1310", "D", "90"), ("5930", "C", "90")}
    assert told("cloud.corrected")["transaction_ids"] == []


def test_reverse__staked_credits_are_never_taken_back():
    ada, ben = make_member(credits="10"), make_member(is_investor=True)
    original = gift(ada, ben, "4")
    stake(member=ben, amount=cloud("3"), days=30, idempotency_key=key(), acting=SYSTEM)
    undo(original)
    assert holdings(ada, ben) == [("10", "0"), ("0", "3")]
    assert Receivable.objects.get().amount == 3


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
def test_reverse__reaches_members_who_left(verb):
    ada, ben = make_member(credits="10"), make_member()
    original = gift(ada, ben, "4")
    getattr(members, verb)(member=ben, reason="test", acting=SYSTEM)
    getattr(members, verb)(member=ada, reason="test", acting=SYSTEM)
    undo(original)
    assert holdings(ada, ben) == [("10", "0"), ("0", "0")]


# --- techne, which owes nobody


def test_reverse__a_grant_of_techne_that_was_spent__is_owed_to_it_but_not_created_for_it():
    techne, ben = system_member(SystemAccount.TECHNE), make_member()
    fund(techne, "10")
    original = grant(
        giver=techne, recipient=ben, amount=cloud("4"), reason="x", idempotency_key=key(), acting=SYSTEM
    ).transaction
    spend(ben, "3")
    undo(original)
    assert holdings(techne, ben) == [("7", "0"), ("0", "0")]
    [part] = parts_of(original)
    assert lines_of(part) == {("1130", "D", "10"), ("5930", "C", "10")}
    assert entry_lines(Receivable.objects.get().journal_entry_id) == {("1310", "D", "30"), ("5930", "C", "30")}
    assert (account("1130"), account("1310")) == (Decimal(70), Decimal(30))


def _invoice(payer, techne, amount: str) -> CloudTransaction:
    movement = Movement(
        TransactionType.TRANSFER, Decimal(amount), Purpose.INVOICE, from_member=payer.pk, to_member=techne.pk
    )
    [applied] = movements.apply([movement], acting=SYSTEM)
    emit(transferred(applied, memo="invoice"), acting=SYSTEM)
    return CloudTransaction.objects.get(pk=applied.transaction_id)


def test_reverse__an_invoice_paid__gives_the_credits_back():
    techne, ada = system_member(SystemAccount.TECHNE), make_member(credits="10")
    original = _invoice(ada, techne, "4")
    undo(original)
    assert holdings(techne, ada) == [("0", "0"), ("10", "0")]
    assert lines_of(parts_of(original)[0]) == {("4110", "D", "40"), ("1130", "C", "40")}


def test_reverse__an_invoice_whose_credits_techne_redeemed__issues_them_anew():
    techne, ada = system_member(SystemAccount.TECHNE), make_member(credits="10")
    original = _invoice(ada, techne, "4")
    spend(techne, "3")
    undo(original)
    assert holdings(techne, ada) == [("0", "0"), ("10", "0")]
    held, anew = parts_of(original)
    assert lines_of(held) == {("4110", "D", "10"), ("1130", "C", "10")}
    assert lines_of(anew) == {("4110", "D", "30"), ("2220", "C", "30")}
    assert not Receivable.objects.exists()


def test_reverse__credits_techne_no_longer_holds__cannot_be_taken_from_it():
    back_credits()
    techne = system_member(SystemAccount.TECHNE)
    up = correct(to_member=techne, amount=cloud("4"), reason="x", idempotency_key=key(), acting=SYSTEM).transaction
    spend(techne, "1")
    refused(NotReversible, lambda: undo(up))
    assert stored(up).state == "completed"


# --- what cannot be undone, and retries


def test_reverse__refusals_leave_nothing():
    ada, ben = make_member(credits="10", is_investor=True), make_member()
    original = gift(ada, ben, "4")
    refused(NotAllowed, lambda: undo(original, acting=actor(ada)))
    refused(ReasonRequired, lambda: undo(original, reason=" "))
    lock = stake(member=ada, amount=cloud("3"), days=30, idempotency_key=key(), acting=SYSTEM).transaction
    assert "undone only by each other" in refused(NotReversible, lambda: undo(lock)).sentence
    undo(original)
    error = refused(NotReversible, lambda: undo(original))
    assert (error.code, error.status) == ("not_reversible", 409)
    assert "already reversed" in error.sentence
    assert "itself a reversal" in refused(NotReversible, lambda: undo(parts_of(original)[0])).sentence


def test_reverse__the_same_key_is_a_replay__and_other_content_a_conflict():
    ada, ben = make_member(credits="10"), make_member()
    original = gift(ada, ben, "4")
    undo(original, idempotency_key="k")
    before = row_counts()
    again = undo(original, idempotency_key="k")
    assert (again.replayed, again.transaction.pk, row_counts()) == (True, original.pk, before)
    refused(IdempotencyConflict, lambda: undo(original, idempotency_key="k", reason="other"))
