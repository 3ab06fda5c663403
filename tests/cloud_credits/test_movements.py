"""Every verb by the tables of the rules: balances, sequences, journal lines and the fact that is told."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction
from django.db.models import Max

from cloud_credits.actions import movements
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct
from cloud_credits.actions.grants import grant
from cloud_credits.actions.redemptions import redeem, redeemed
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    InsufficientBalance,
    MemberNotActive,
    NoCloudIdentity,
    NotASystemAccount,
    SelfTransfer,
    TechneMakesNoTransfers,
    UnknownMember,
)
from cloud_credits.models import CloudBalance, CloudTransaction
from cloud_credits.policies.movements import Movement, Purpose, TransactionType, posting
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.actions.outbox import emit
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import account, broken_proofs, commit_checks, holdings, lines_of, refused, stored, told
from tests.factories import actor, fund, key, make_member, system_member

pytestmark = pytest.mark.django_db

TECHNE, POOL = 1_000, 2
KINDS = TransactionType


@pytest.fixture(autouse=True)
def proven():
    """Whatever a test did, the books still stand."""
    yield
    commit_checks()
    assert broken_proofs() == []


def techne(credits: str = "0") -> Member:
    account_holder = system_member(SystemAccount.TECHNE)
    if Decimal(credits):
        fund(account_holder, credits)
    return account_holder


# --- the posting table of domain §6, as a pure function


@dataclass(frozen=True)
class Posting:
    type: TransactionType
    purpose: Purpose
    sides: tuple[int | None, int | None]
    lines: set[tuple[str, str, str]]


POSTINGS = {
    "mint for a payment": Posting(KINDS.MINT, Purpose.PAYMENT, (None, 1), {("2240", "D", "125"), ("2220", "C", "125")}),
    "manual mint": Posting(KINDS.MINT, Purpose.MANUAL, (None, 1), {("5930", "D", "125"), ("2220", "C", "125")}),
    "staking share": Posting(
        KINDS.MINT, Purpose.STAKING_SHARE, (None, 1), {("2230", "D", "125"), ("2220", "C", "125")}
    ),
    "patronage": Posting(KINDS.MINT, Purpose.PATRONAGE, (None, 1), {("2320", "D", "125"), ("2220", "C", "125")}),
    "transfer": Posting(KINDS.TRANSFER, Purpose.TRANSFER, (1, POOL), set()),
    "redemption": Posting(
        KINDS.REDEMPTION, Purpose.REDEMPTION, (1, None), {("2220", "D", "125"), ("4420", "C", "125")}
    ),
    "redemption by techne": Posting(
        KINDS.REDEMPTION, Purpose.REDEMPTION, (TECHNE, None), {("2220", "D", "125"), ("1130", "C", "125")}
    ),
    "burn": Posting(KINDS.BURN, Purpose.MANUAL, (1, None), {("2220", "D", "125"), ("5930", "C", "125")}),
    "burn by techne": Posting(KINDS.BURN, Purpose.MANUAL, (TECHNE, None), {("2220", "D", "125"), ("1130", "C", "125")}),
    "burn for a refund": Posting(KINDS.BURN, Purpose.PAYMENT, (1, None), {("2220", "D", "125"), ("2240", "C", "125")}),
    "receivable settled": Posting(
        KINDS.BURN, Purpose.RECEIVABLE, (1, None), {("2220", "D", "125"), ("1310", "C", "125")}
    ),
    "invoice paid": Posting(KINDS.TRANSFER, Purpose.INVOICE, (1, TECHNE), {("1130", "D", "125"), ("4110", "C", "125")}),
    "invoice refunded": Posting(
        KINDS.CORRECTION, Purpose.INVOICE, (TECHNE, 1), {("4110", "D", "125"), ("1130", "C", "125")}
    ),
    "grant by techne": Posting(
        KINDS.TRANSFER, Purpose.GRANT, (TECHNE, 1), {("5930", "D", "125"), ("1130", "C", "125")}
    ),
    "grant by pool": Posting(KINDS.TRANSFER, Purpose.GRANT, (POOL, 1), set()),
    "grant to techne": Posting(
        KINDS.TRANSFER, Purpose.GRANT, (POOL, TECHNE), {("1130", "D", "125"), ("5930", "C", "125")}
    ),
    "stake": Posting(KINDS.STAKE, Purpose.STAKING, (1, 1), set()),
    "unstake": Posting(KINDS.UNSTAKE, Purpose.STAKING, (1, 1), set()),
    "correction up": Posting(KINDS.CORRECTION, Purpose.MANUAL, (None, 1), {("5930", "D", "125"), ("2220", "C", "125")}),
    "correction down": Posting(
        KINDS.CORRECTION, Purpose.MANUAL, (1, None), {("2220", "D", "125"), ("5930", "C", "125")}
    ),
    "correction of techne up": Posting(
        KINDS.CORRECTION, Purpose.MANUAL, (None, TECHNE), {("1130", "D", "125"), ("2220", "C", "125")}
    ),
    "correction from one to another": Posting(KINDS.CORRECTION, Purpose.MANUAL, (1, POOL), set()),
}


@pytest.mark.parametrize("case", POSTINGS)
def test_posting__follows_the_table(case: str):
    row = POSTINGS[case]
    source, target = row.sides
    movement = Movement(row.type, Decimal("12.5"), row.purpose, from_member=source, to_member=target)
    lines = posting([movement], techne=TECHNE)
    assert {(line.account, line.side.value, f"{line.amount.normalize():f}") for line in lines} == row.lines


# --- the verbs that move liquid credits


def test_redeem__takes_credits_and_earns_revenue():
    ada = make_member(credits="50")
    row = redeem(
        member=ada, amount=cloud("12.34567891"), description="compute", idempotency_key=key(), acting=actor(ada)
    ).transaction
    assert holdings(ada) == [("37.65432109", "0")]
    assert (row.type, row.from_sequence, row.to_sequence) == ("redemption", 2, None)
    assert lines_of(row) == {("2220", "D", "123.4567891"), ("4420", "C", "123.4567891")}
    payload = told("cloud.redeemed")
    assert (payload["transaction_id"], payload["member_id"]) == (row.pk, ada.pk)
    assert (payload["quantity"], payload["credit_value"]) == ("12.34567891", "123.4567891")
    assert (payload["balance_after"], payload["journal_entry_id"]) == ("37.65432109", row.journal_entry_id)
    assert payload["timestamp"] == stored(row).booked_at.isoformat()


def test_redeem__by_techne_is_no_revenue():
    holder = techne("20")
    row = redeem(member=holder, amount=cloud("5"), idempotency_key=key(), acting=SYSTEM).transaction
    assert lines_of(row) == {("2220", "D", "50"), ("1130", "C", "50")}
    assert (account("1130"), account("4420")) == (Decimal(150), 0)


@pytest.mark.parametrize("verb", ["deactivate", "withdraw", "expel"])
def test_redeem__is_still_open_to_who_left(verb):
    ada = make_member(credits="5")
    getattr(members, verb)(member=ada, reason="test", acting=SYSTEM)
    redeem(member=ada, amount=cloud("5"), idempotency_key=key(), acting=actor(ada))
    assert holdings(ada) == [("0", "0")]


def test_redeem__refusals_leave_nothing():
    ada, ben, bare = make_member(credits="5"), make_member(), make_member(identity=False)
    ask = partial(redeem, amount=cloud("5"), idempotency_key=key(), acting=actor(ada))
    assert refused(NotAllowed, partial(ask, member=ben)).status == 403
    error = refused(InsufficientBalance, partial(ask, member=ada, amount=cloud("5.00000001")))
    assert (error.code, error.status) == ("insufficient_balance", 402)
    assert error.details["available"] == "5"
    refused(NoCloudIdentity, partial(ask, member=bare, acting=SYSTEM))
    members.suspend(member=ada, reason="test", acting=SYSTEM)
    refused(MemberNotActive, partial(ask, member=ada))


def test_burn__destroys_credits_with_a_reason():
    ada = make_member(credits="50")
    row = burn(member=ada, amount=cloud("20"), reason="lost key", idempotency_key=key(), acting=SYSTEM).transaction
    assert holdings(ada) == [("30", "0")]
    assert lines_of(row) == {("2220", "D", "200"), ("5930", "C", "200")}
    payload = told("cloud.burned")
    assert (payload["quantity"], payload["reason"], payload["balance_after"]) == ("20", "lost key", "30")


def test_burn__of_techne_is_against_what_it_holds():
    row = burn(
        member=techne("20"), amount=cloud("20"), reason="too much", idempotency_key=key(), acting=SYSTEM
    ).transaction
    assert lines_of(row) == {("2220", "D", "200"), ("1130", "C", "200")}
    assert (account("1130"), account("2220")) == (0, 0)


def test_burn__refusals_leave_nothing():
    ada = make_member(credits="5")
    ask = partial(burn, member=ada, amount=cloud("1"), reason="why", idempotency_key=key(), acting=SYSTEM)
    refused(NotAllowed, partial(ask, acting=actor(ada)))
    refused(ReasonRequired, partial(ask, reason="  "))
    refused(InsufficientBalance, partial(ask, amount=cloud("6")))


def test_grant__by_techne_is_an_expense():
    holder, ada = techne("20"), make_member()
    row = grant(
        giver=holder, recipient=ada, amount=cloud("8"), reason="welcome", idempotency_key=key(), acting=SYSTEM
    ).transaction
    assert holdings(holder, ada) == [("12", "0"), ("8", "0")]
    assert (row.type, row.purpose) == ("transfer", "grant")
    assert lines_of(row) == {("5930", "D", "80"), ("1130", "C", "80")}
    payload = told("cloud.transferred")
    assert (payload["purpose"], payload["memo"], payload["to_balance_after"]) == ("grant", "welcome", "8")


def test_grant__by_pool_moves_credits_only():
    pool, ada = system_member(SystemAccount.POOL), make_member()
    fund(pool, "20")
    row = grant(
        giver=pool, recipient=ada, amount=cloud("8"), reason="a grant", idempotency_key=key(), acting=SYSTEM
    ).transaction
    assert holdings(pool, ada) == [("12", "0"), ("8", "0")]
    assert row.journal_entry_id is None


def test_grant__refusals_leave_nothing():
    holder, ada, ben = techne("20"), make_member(credits="5"), make_member()
    ask = partial(
        grant, giver=holder, recipient=ben, amount=cloud("1"), reason="w", idempotency_key=key(), acting=SYSTEM
    )
    refused(NotAllowed, partial(ask, acting=actor(ada)))
    refused(ReasonRequired, partial(ask, reason=""))
    refused(NotASystemAccount, partial(ask, giver=ada))
    refused(SelfTransfer, partial(ask, recipient=holder))
    refused(InsufficientBalance, partial(ask, amount=cloud("21")))
    members.suspend(member=ben, reason="test", acting=SYSTEM)
    refused(MemberNotActive, ask)


def test_transfer__from_techne_is_a_grant_or_nothing():
    refused(
        TechneMakesNoTransfers,
        partial(
            transfer, sender=techne("5"), recipient=make_member(), amount=cloud("1"), idempotency_key=key(),
            acting=SYSTEM,
        ),
    )  # fmt: skip


# --- plain corrections


def test_correct__up_down_and_across():
    ada, ben = make_member(), make_member()
    ask = partial(correct, reason="put right", acting=SYSTEM)
    up = ask(to_member=ada, amount=cloud("9"), idempotency_key=key()).transaction
    assert lines_of(up) == {("5930", "D", "90"), ("2220", "C", "90")}
    down = ask(from_member=ada, amount=cloud("2"), idempotency_key=key()).transaction
    assert lines_of(down) == {("2220", "D", "20"), ("5930", "C", "20")}
    across = ask(from_member=ada, to_member=ben, amount=cloud("3"), idempotency_key=key()).transaction
    assert across.journal_entry_id is None
    assert holdings(ada, ben) == [("4", "0"), ("3", "0")]
    assert [across.from_sequence, across.to_sequence] == [3, 1]
    payload = told("cloud.corrected")
    assert (payload["transaction_ids"], payload["from_member_id"], payload["to_member_id"]) == (
        [across.pk],
        ada.pk,
        ben.pk,
    )
    assert (payload["reverses"], payload["receivable"], payload["reason"]) == (None, "0", "put right")


def test_correct__refusals_leave_nothing():
    ada = make_member(credits="5")
    ask = partial(correct, amount=cloud("1"), reason="why", idempotency_key=key(), acting=SYSTEM)
    refused(UnknownMember, ask)
    refused(SelfTransfer, partial(ask, from_member=ada, to_member=ada))
    refused(NotAllowed, partial(ask, to_member=ada, acting=actor(ada)))
    refused(ReasonRequired, partial(ask, to_member=ada, reason=""))
    refused(InsufficientBalance, partial(ask, from_member=ada, amount=cloud("5.00000001")))


# --- the one writer


def _redemption(member: Member, amount: str, **more) -> Movement:
    return Movement(KINDS.REDEMPTION, Decimal(amount), Purpose.REDEMPTION, from_member=member.pk, **more)


def test_apply__a_batch_posts_one_entry_a_key_and_numbers_every_row():
    ada, ben = make_member(credits="10"), make_member(credits="10")
    batch = [_redemption(ada, "1", entry_key="day"), _redemption(ben, "2", entry_key="day"), _redemption(ada, "3")]
    events = Event.objects.count()
    applied = movements.apply([*batch, _redemption(ada, "0.5", entry_key="day")], acting=SYSTEM)
    assert holdings(ada, ben) == [("5.5", "0"), ("8", "0")]
    first, second, alone, last = (CloudTransaction.objects.get(pk=step.transaction_id) for step in applied)
    assert first.journal_entry_id == second.journal_entry_id == last.journal_entry_id != alone.journal_entry_id
    assert lines_of(first) == {("2220", "D", "35"), ("4420", "C", "35")}
    assert lines_of(alone) == {("2220", "D", "30"), ("4420", "C", "30")}
    assert [row.from_sequence for row in (first, alone, last)] == [2, 3, 4]
    assert first.booked_at < second.booked_at < alone.booked_at < last.booked_at
    assert Event.objects.count() == events
    _tell(applied)


def test_apply__one_that_cannot_be_covered_undoes_the_whole_batch():
    ada, ben = make_member(credits="10"), make_member(credits="1")
    batch = [_redemption(ada, "1"), _redemption(ben, "2"), _redemption(ada, "3")]
    refused(InsufficientBalance, transaction.atomic(partial(movements.apply, batch, acting=SYSTEM)))


def test_apply__nothing_is_nothing():
    assert movements.apply([], acting=SYSTEM) == []


def test_apply__time_never_stands_still_within_a_balance():
    ada = make_member(credits="10")
    for _ in range(5):
        redeem(member=ada, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM)
    times = list(
        CloudTransaction.objects.touching(ada.pk).order_by("from_sequence").values_list("booked_at", flat=True)
    )
    assert len(set(times)) == 6
    assert CloudBalance.objects.get(member=ada).booked_at == max(times)
    assert CloudBalance.objects.filter(member=ada).aggregate(last=Max("version"))["last"] == 6


def _tell(applied) -> None:
    """The writer leaves the telling to its callers; the proofs want every row told."""
    emit(*(redeemed(step) for step in applied), acting=SYSTEM)
