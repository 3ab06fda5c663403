"""Every row lock of the credit ledger, in the house's one order: mint switch, period, owner rows, balances by id."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import connection
from django.db.models.functions import Length

from cloud_credits.errors import CardUnknown, NoCloudIdentity, PositionNotActive, UnknownMember
from cloud_credits.models import (
    Clawback,
    CloudTransaction,
    Invoice,
    MeteringSubmission,
    Purchase,
    RateCard,
    Receivable,
    RecurringPurchase,
    RefundRequest,
    SelfMeterCharge,
    StakingPosition,
    TopUp,
    UsageImport,
)
from cloud_credits.policies.invoices import InvoiceState
from cloud_credits.policies.metering_batch import SubmissionState
from cloud_credits.policies.movements import Holding
from habitat import clock
from habitat.members.models import Member
from habitat.members.policies.statuses import SystemAccount
from habitat.statements import array_of, rows_of
from treasury.locks import mint_switch_exclusive, open_period


@dataclass(frozen=True, slots=True)
class LockedBalance:
    """A balance row held FOR NO KEY UPDATE, with what the checks need to know of its member."""

    id: int
    member_id: int
    holding: Holding
    booked_at: datetime | None
    status: str
    system_code: str | None


# Ordered by balance id, so that two verbs over the same members never wait for each other in a circle.
_BALANCES = """
SELECT b.id, b.member_id, b.liquid, b.staked, b.version, b.booked_at, m.display_name, m.status, m.system_code
  FROM cloud_credits_cloudbalance b
  JOIN members_member m ON m.id = b.member_id
 WHERE b.member_id = ANY(%s::bigint[])
 ORDER BY b.id
   FOR NO KEY UPDATE OF b
"""


def balances(member_ids: Collection[int]) -> dict[int, LockedBalance]:
    """The members' balances, locked in id order. Raises NoCloudIdentity or UnknownMember for one that is missing."""
    found = {row[1]: _locked(row) for row in rows_of(_BALANCES, [array_of(sorted(set(member_ids)))])}
    for member_id in member_ids:
        if member_id not in found:
            _raise_missing(member_id)
    return found


_STAGED_BALANCES = """
SELECT b.member_id, b.liquid, b.version
  FROM cloud_credits_cloudbalance b
 WHERE b.member_id IN (SELECT s.member_id FROM cloud_credits_meteringstage s
                        WHERE s.id BETWEEN %s::bigint AND %s::bigint)
 ORDER BY b.id
   FOR NO KEY UPDATE OF b
"""
_USAGE_OF = {
    False: "SELECT pg_advisory_xact_lock_shared(hashtextextended('cloud_credits.usage', %s))",
    True: "SELECT pg_advisory_xact_lock(hashtextextended('cloud_credits.usage', %s))",
}


def usage_of(key_id: int, *, alone: bool) -> None:
    """One service's usage, before every other lock: shared by batches, which have their event ids before the balances;
    alone for one that was overtaken and takes the balances first, so that no other waits for them with an id."""
    rows_of(_USAGE_OF[alone], [key_id])


# How long who holds balances and is not alone waits for an event id that somebody else is writing, who may be waiting
# for these very balances. Each who waits looks for a circle when it has waited for `deadlock_timeout`, a second, and is
# stopped where it finds one, were it a transfer that only passed by: so a circle should last a small part of that.
ID_PATIENCE = "50ms"
_BRIEFLY = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)"
_AS_BEFORE = "SELECT set_config('lock_timeout', %s, true)"


@contextmanager
def briefly() -> Iterator[None]:
    """Inside, no lock is waited for longer than ID_PATIENCE; PostgreSQL says LockNotAvailable instead."""
    [(before, _)] = rows_of(_BRIEFLY, [ID_PATIENCE])
    yield
    # After an error there is nothing to set back: the rollback does.
    rows_of(_AS_BEFORE, [before])


# What is liquid on a balance, and the number of its newest row.
StagedBalance = tuple[Decimal, int]


def staged_balances(first: int, last: int) -> dict[int, StagedBalance]:
    """The balances of everybody with usage on the stage from number `first` to `last`, by member, locked in id
    order."""
    rows = rows_of(_STAGED_BALANCES, [first, last])
    return {member_id: (liquid, version) for member_id, liquid, version in rows}


def _locked(
    row: tuple[int, int, Decimal, Decimal, int, datetime | None, str, str, str | None],
) -> LockedBalance:
    balance_id, member_id, liquid, staked, version, booked_at, name, status, system_code = row
    holding = Holding(liquid=liquid, staked=staked, sequence=version, holder=name)
    return LockedBalance(balance_id, member_id, holding, booked_at, status, system_code)


def _raise_missing(member_id: int) -> None:
    name = Member.objects.filter(pk=member_id).values_list("display_name", flat=True).first()
    if name is None:
        raise UnknownMember(given=member_id)
    raise NoCloudIdentity(holder=name)


def cloud_transaction(transaction_id: int) -> CloudTransaction:
    """One ledger row, locked before any balance."""
    return CloudTransaction.objects.select_for_update(of=("self",), no_key=True).get(pk=transaction_id)


def pending_in_order(transaction_id: int) -> CloudTransaction:
    """A ledger row about to be completed: the mint switch alone and the period are locked first, for its completion
    makes credits without new cash and posts."""
    mint_switch_exclusive()
    open_period(on=datetime.now(tz=UTC).date())
    return cloud_transaction(transaction_id)


def active_position(position_id: int) -> StakingPosition:
    """One stake, locked before any balance. Raises PositionNotActive."""
    position = StakingPosition.objects.select_for_update(of=("self",), no_key=True).get(pk=position_id)
    if position.unstake_transaction_id is not None:
        raise PositionNotActive
    return position


def receivables_owed(member_id: int) -> list[Receivable]:
    """What a member still owes, oldest first, locked before any balance."""
    return list(Receivable.objects.owed_by(member_id).select_for_update(of=("self",), no_key=True))


def member(member_id: int) -> Member:
    """One member's row: what happens once a member waits here."""
    return Member.objects.select_for_update(of=("self",), no_key=True).get(pk=member_id)


def members(member_ids: Collection[int]) -> list[Member]:
    """Several members' rows, in the order of their numbers, before any balance."""
    return list(Member.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=member_ids).order_by("pk"))


@dataclass(frozen=True, slots=True)
class WaitingUsage:
    """A queued submission under its lock, without its body: how many events are in it, and how many bytes."""

    id: int
    service_key_id: int
    events: int
    size: int


def queued_submissions(most: int) -> list[WaitingUsage]:
    """Usage that waits to be charged, longest first; what another worker holds is passed over.

    Bodies stay where they are: each may have 8 MiB, and their sizes are known without reading them.
    """
    due = MeteringSubmission.objects.filter(state=SubmissionState.QUEUED.value, due_at__lte=clock.now())
    rows = due.order_by("due_at", "id").select_for_update(no_key=True, skip_locked=True)
    return [WaitingUsage(*row) for row in rows.values_list("pk", "service_key_id", "events", Length("body"))[:most]]


def queued_submission(submission_id: int) -> MeteringSubmission | None:
    """One of them; nothing where another worker holds it or has charged it."""
    rows = MeteringSubmission.objects.filter(pk=submission_id, state=SubmissionState.QUEUED.value)
    rows = rows.select_related("service_key")
    return rows.select_for_update(of=("self",), no_key=True, skip_locked=True).first()


def usage_import(import_id: int) -> UsageImport:
    """How far a file was read: one run at a time takes it further. Nobody waits here who holds a balance."""
    return UsageImport.objects.select_for_update(of=("self",), no_key=True).get(pk=import_id)


def self_charge(charge_id: int) -> SelfMeterCharge:
    """One charge for the house's own requests: two answers to one attempt are written one after the other."""
    return SelfMeterCharge.objects.select_for_update(of=("self",), no_key=True).get(pk=charge_id)


def invoice(invoice_id: int) -> Invoice:
    """One invoice, locked after the period and before any balance."""
    return Invoice.objects.select_for_update(of=("self",), no_key=True).get(pk=invoice_id)


def invoice_and_balances(invoice_id: int) -> Invoice:
    """An invoice about to be paid with credits about to be minted: its row, then its member's balance and techne's.

    Both at once and in their order: techne's comes before the member's, which a mint alone would lock first.
    """
    held = invoice(invoice_id)
    balances({held.member_id, Member.objects.system(SystemAccount.TECHNE).pk})
    return held


def invoices_due_before(day: date) -> list[Invoice]:
    """Sent invoices whose due day lies before `day`, by id; those whose payment is already here are left out."""
    due = Invoice.objects.filter(state=InvoiceState.SENT.value, due_on__lt=day, payment_received_at__isnull=True)
    return list(due.order_by("pk").select_for_update(of=("self",), no_key=True))


def invoice_numbers() -> None:
    """One number at a time: a transaction-level advisory lock, since the next number has no row to lock yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cloud_credits.invoice_numbers'))")


def chain_head() -> None:
    """One sealer at a time: a transaction-level advisory lock, since the next block has no row to lock yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cloud_credits.chain'))")


def purchase(purchase_id: int) -> Purchase:
    """One purchase, after its payment and before any balance."""
    return Purchase.objects.select_for_update(of=("self",), no_key=True).get(pk=purchase_id)


def recurring(recurring_id: int) -> RecurringPurchase:
    """One recurring purchase: its changes come one after the other."""
    return RecurringPurchase.objects.select_for_update(of=("self",), no_key=True).get(pk=recurring_id)


def top_up(member_id: int) -> TopUp | None:
    """A member's automatic top-up, after the member; None where they never had one."""
    return TopUp.objects.select_for_update(of=("self",), no_key=True).filter(pk=member_id).first()


def refund_request(request_id: int) -> RefundRequest:
    """One refund that operations decided on, after its payment."""
    return RefundRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_id)


def receivable(receivable_id: int) -> Receivable:
    """One debt, before any balance."""
    return Receivable.objects.select_for_update(of=("self",), no_key=True).get(pk=receivable_id)


# Inserted first, for a row that is not there yet cannot be locked.
_CLAWBACK = """
INSERT INTO cloud_credits_clawback (payment_id, member_id) VALUES (%s, %s) ON CONFLICT (payment_id) DO NOTHING
"""


def clawback(*, payment_id: int, member_id: int) -> Clawback:
    """The one clawback of a payment, made on the way when there is none, after the payment and before any balance."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAWBACK, [payment_id, member_id])
    return Clawback.objects.select_for_update(of=("self",), no_key=True).get(payment_id=payment_id)


def terms_head() -> None:
    """One publisher at a time: the next version has no row to lock yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cloud_credits.terms'))")


def governance() -> None:
    """One decision about rate cards at a time: what is in flight, which number is next, which vote is settled first.

    Taken before any card: a transaction-level advisory lock, since a card that is not proposed yet has no row to lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cloud_credits.governance'))")


def rate_card(card_id: int) -> RateCard:
    """One rate card, its verbs one after the other. Raises CardUnknown."""
    card = RateCard.objects.select_for_update(of=("self",), no_key=True).filter(pk=card_id).first()
    if card is None:
        raise CardUnknown
    return card


def rate_card_shared(card_id: int) -> RateCard:
    """One rate card, held by everybody who votes or speaks at once: a settlement waits for them. Raises CardUnknown."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM cloud_credits_ratecard WHERE id = %s FOR SHARE", [card_id])
    card = RateCard.objects.filter(pk=card_id).first()
    if card is None:
        raise CardUnknown
    return card
