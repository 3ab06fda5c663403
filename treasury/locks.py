"""Every lock of this floor. Order of the house: mint switch, period, owner rows by id, balances by id."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date

from django.db.models import QuerySet

from habitat.statements import rows_of
from treasury.errors import NoPeriod, PeriodClosed
from treasury.models import (
    BankAccount,
    BankLine,
    BankMatch,
    Bill,
    Dispute,
    MintSwitch,
    Payment,
    Payout,
    Period,
    ReconciliationException,
    Refund,
    StripeEvent,
    StripeMovement,
)
from treasury.policies.periods import PeriodState

# FOR SHARE: posts do not wait for each other, only for a close; Django has no spelling for it. When the row turns
# out to have left `open` while we waited, PostgreSQL skips it and takes the next one.
_OPEN_PERIOD = """
SELECT p.id, p.name, p.start, p."end", p.state
  FROM treasury_period p
 WHERE p.state = 'open'
   AND p."end" > %(on)s::date
   AND EXISTS (SELECT FROM treasury_period own WHERE own.start <= %(on)s::date AND %(on)s::date < own."end")
 ORDER BY p.start
 LIMIT 1
   FOR SHARE OF p
"""
_PERIOD_OF = """
SELECT p.id, p.name, p.start, p."end", p.state
  FROM treasury_period p
 WHERE p.start <= %(on)s::date AND %(on)s::date < p."end"
   FOR SHARE OF p
"""

# Mints do not wait for each other, only for a flag being moved.
_MINT_SWITCH = "SELECT s.id, s.automatic, s.manual, s.changed_at FROM treasury_mintswitch s FOR SHARE OF s"
_MINT_SWITCH_ALONE = """
SELECT s.id, s.automatic, s.manual, s.changed_at FROM treasury_mintswitch s FOR NO KEY UPDATE OF s
"""
_CHECK_IN_FLIGHT = "hashtext('treasury.backing.flight')"
_ONE_CHECK = "SELECT pg_advisory_xact_lock(hashtext('treasury.backing.check'))::text"


def mint_switch() -> MintSwitch:
    """The mint switch FOR SHARE until the transaction ends: first lock of every mint for which cash came in."""
    [row] = rows_of(_MINT_SWITCH, ())
    return MintSwitch(*row)


def mint_switch_exclusive() -> MintSwitch:
    """The mint switch alone: to move a flag, and first lock of every mint for which no cash came in.

    Two of the latter would each find room for one. Never after `mint_switch` in the same transaction.
    """
    [row] = rows_of(_MINT_SWITCH_ALONE, ())
    return MintSwitch(*row)


def backing_check() -> None:
    """Checks are written one after the other, so that an older one never moves the flag after a newer. Comes before
    the mint switch."""
    rows_of(_ONE_CHECK, ())


@contextmanager
def one_check_in_flight(*, waits: bool) -> Iterator[bool]:
    """Held by this connection over several transactions while it asks bank and Stripe; False when another has it."""
    ask = "SELECT true, pg_advisory_lock({})::text" if waits else "SELECT pg_try_advisory_lock({})"
    [row] = rows_of(ask.format(_CHECK_IN_FLIGHT), ())
    try:
        yield row[0]
    finally:
        if row[0]:
            rows_of(f"SELECT pg_advisory_unlock({_CHECK_IN_FLIGHT})", ())


def open_period(*, on: date) -> Period:
    """The open period that takes a fact of the day `on`, locked FOR SHARE until the transaction ends.

    That is the period of `on` if it is open, else the earliest open one after it (domain §6). First lock of every
    action that posts. Raises NoPeriod when `on` lies in no period or nothing from then on is open.
    """
    for row in rows_of(_OPEN_PERIOD, {"on": on}):
        return Period(*row)
    raise NoPeriod(on=on.isoformat(), field="effective_on")


def period_of(*, on: date, states: frozenset[PeriodState]) -> Period:
    """The period that holds `on`, locked FOR SHARE. Raises NoPeriod, or PeriodClosed when not in `states`."""
    for row in rows_of(_PERIOD_OF, {"on": on}):
        period = Period(*row)
        if period.state not in states:
            raise PeriodClosed(on=on.isoformat(), period=period.name, state=period.state, field="effective_on")
        return period
    raise NoPeriod(on=on.isoformat(), field="effective_on")


def all_periods() -> QuerySet[Period]:
    """Every period FOR UPDATE, in order: for the verbs that compare a period with its neighbours."""
    return Period.objects.select_for_update(of=("self",)).order_by("start")


def reconciliation(kind: str) -> None:
    """One run of a kind is kept at a time, until the transaction ends. An owner row's place in the order."""
    rows_of("SELECT pg_advisory_xact_lock(hashtextextended('treasury.reconciliation.' || %s::text, 0))", [kind])


def open_exceptions(run_kind: str) -> QuerySet[ReconciliationException]:
    """The open exceptions of one kind of run, by id."""
    rows = ReconciliationException.objects.select_for_update(of=("self",), no_key=True)
    return rows.filter(run_kind=run_kind, state="open").order_by("id")


def reconciliation_exception(exception_id: int) -> ReconciliationException:
    return ReconciliationException.objects.select_for_update(of=("self",), no_key=True).get(pk=exception_id)


def bank_account(account_pk: int) -> BankAccount:
    """One bank account for writing: readings of it come one after the other. Raises DoesNotExist."""
    return BankAccount.objects.select_for_update(of=("self",), no_key=True).get(pk=account_pk)


def bank_lines(line_pks: Iterable[int]) -> list[BankLine]:
    """Bank lines for writing, by id, with what they say now. After the period, before matches, payments and bills."""
    return list(
        BankLine.objects.select_for_update(of=("self",), no_key=True)
        .select_related("current", "account")
        .filter(pk__in=list(line_pks))
        .order_by("pk")
    )


def bank_match(match_pk: int) -> BankMatch:
    """One match for writing; its lines first. Raises DoesNotExist."""
    return BankMatch.objects.select_for_update(of=("self",), no_key=True).get(pk=match_pk)


def bills(bill_pks: Iterable[int]) -> list[Bill]:
    """Bills for writing, by id."""
    return list(Bill.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=list(bill_pks)).order_by("pk"))


def payouts(payout_pks: Iterable[int]) -> list[Payout]:
    """Pay-outs for writing, by id."""
    return list(
        Payout.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=list(payout_pks)).order_by("pk")
    )


def payment(payment_pk: int) -> Payment:
    """One payment for writing, after the period. Whatever happens to it, its refunds or its disputes waits here.

    Raises Payment.DoesNotExist.
    """
    return Payment.objects.select_for_update(of=("self",), no_key=True).get(pk=payment_pk)


def refund(refund_id: str) -> Refund | None:
    """A refund by Stripe's id, for writing; its payment first. None when there is none yet."""
    return Refund.objects.select_for_update(of=("self",), no_key=True).filter(refund_id=refund_id).first()


def dispute(dispute_id: str) -> Dispute | None:
    """A dispute by Stripe's id, for writing; its payment first. None when there is none yet."""
    return Dispute.objects.select_for_update(of=("self",), no_key=True).filter(dispute_id=dispute_id).first()


def payout(payout_id: str) -> Payout | None:
    """A pay-out by Stripe's id, for writing. None when there is none yet."""
    return Payout.objects.select_for_update(of=("self",), no_key=True).filter(payout_id=payout_id).first()


def stripe_movement(bt_id: str) -> StripeMovement | None:
    """A balance transaction by its id, for writing. None when there is none yet."""
    return StripeMovement.objects.select_for_update(of=("self",), no_key=True).filter(bt_id=bt_id).first()


def stripe_event(event_pk: int) -> StripeEvent:
    """One stored webhook for writing, without what it told. Raises StripeEvent.DoesNotExist."""
    return StripeEvent.objects.select_for_update(of=("self",), no_key=True).defer("payload").get(pk=event_pk)
