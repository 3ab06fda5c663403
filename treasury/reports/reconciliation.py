"""What reconciliation compares, gathered as of a moment: balances of the books and of the world, rows without a match.

Money is counted as of `as_of`: the books by the day before it (domain §6: daily as of 00:00 UTC), the bank and Stripe
by the reading nearest to it, moved to it by the lines and balance transactions between.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from habitat.controls.reports.settings import value
from treasury.models import (
    BackingCheck,
    BankAccount,
    BankLine,
    BankMatch,
    BankMatchLine,
    BankMatchTarget,
    BankReading,
    BankRowAside,
    Dispute,
    Payment,
    Payout,
    ReconciliationRun,
    Refund,
    StripeEvent,
    StripeMovement,
    StripeReading,
)
from treasury.policies.backing import Band
from treasury.policies.bank import (
    BANK_CODES,
    EXPLAINED,
    HOLDING,
    POSTED,
    LineStatus,
    MatchKind,
    MatchState,
    TargetKind,
)
from treasury.policies.bank_settings import UNMATCHED_DAYS
from treasury.policies.payments import STRIPE_CLEARING, PayoutState, Provider, RefundState, StripeEventState
from treasury.policies.reconciliation import (
    COUNTERPARTS,
    ZERO,
    AccountSide,
    BackingInputs,
    BackingTerm,
    BankInputs,
    LineSide,
    MovementSide,
    RunKind,
    StripeInputs,
    Trouble,
    missing_of,
    never_seen,
)
from treasury.policies.reconciliation_settings import PAYOUT_DAYS, STRIPE_DRIFT
from treasury.policies.settings import READING_WARNS
from treasury.reports.accounts import balances

Reading = TypeVar("Reading", BankReading, StripeReading)

_HOLDING: Final = [state.value for state in HOLDING]
_EXPLAINED: Final = [kind.value for kind in EXPLAINED]


def backing_inputs(as_of: datetime) -> BackingInputs:
    """The terms of the newest check as of then, as a run keeps them; a ratio nobody computed is unknown."""
    check = BackingCheck.objects.filter(as_of__lte=as_of).order_by("-as_of", "-id").first()
    if check is None:
        owed = sum(balances(["2220", "2240"], on=_last_day(as_of)).values(), ZERO)
        return BackingInputs(
            as_of=as_of,
            band=Band.UNKNOWN.value if owed else Band.HEALTHY.value,
            required=owed,
            held=ZERO,
            ratio=None,
            terms=(),
            warn_hours=int(value(READING_WARNS)),
        )
    terms = tuple(
        BackingTerm(
            name=str(term["name"]),
            amount=Decimal(str(term["amount"])),
            source=str(term.get("source", "")),
            read_at=datetime.fromisoformat(term["read_at"]) if term.get("read_at") else None,
        )
        for term in check.terms
    )
    return BackingInputs(
        as_of=as_of,
        band=str(check.band),
        required=check.required,
        held=check.held,
        ratio=check.ratio,
        terms=terms,
        warn_hours=int(value(READING_WARNS)),
    )


# --- bank


def bank_inputs(as_of: datetime) -> BankInputs:
    """Every account of the chart that stands for a bank account, beside what the bank holds on it."""
    ledger = balances(list(BANK_CODES), on=_last_day(as_of))
    accounts = list(BankAccount.objects.filter(opened_at__lte=as_of).order_by("id"))
    return BankInputs(
        as_of=as_of,
        days=int(value(UNMATCHED_DAYS)),
        payout_days=int(value(PAYOUT_DAYS)),
        accounts=tuple(_side(code, ledger[code], accounts, as_of) for code in BANK_CODES),
        unbooked=tuple(_unbooked_lines(as_of)),
        changed=tuple(_changed(as_of)),
        duplicates=tuple(_duplicates(as_of)),
        aside=tuple(_aside(as_of)),
        payouts=tuple(_unseen_payouts(as_of)),
    )


def _side(code: str, ledger: Decimal, accounts: Iterable[BankAccount], as_of: datetime) -> AccountSide:
    mine = [account for account in accounts if account.ledger_code == code]
    readings = [(account, _nearest(BankReading.objects.filter(account=account), as_of)) for account in mine]
    if not readings or any(reading is None for _account, reading in readings):
        return AccountSide(code, ", ".join(account.name for account in mine), ledger, None, ZERO, None)
    held = sum((_moved(account, reading, as_of) for account, reading in readings if reading is not None), ZERO)
    pending = BankLine.objects.filter(account__in=mine, current__status=LineStatus.PENDING.value, opened_at__lte=as_of)
    return AccountSide(
        code=code,
        name=", ".join(account.name for account in mine),
        ledger=ledger,
        held=held,
        pending=pending.aggregate(sum=Sum("current__amount"))["sum"] or ZERO,
        read_at=min(reading.read_at for _account, reading in readings if reading is not None),
    )


def _moved(account: BankAccount, reading: BankReading, as_of: datetime) -> Decimal:
    """The posted balance at `as_of`: the reading's, less what was posted since then or plus what came until then."""
    lines = _posted().filter(account=account)
    if reading.read_at >= as_of:
        between = lines.filter(current__posted_at__gt=as_of, current__posted_at__lte=reading.read_at)
        return reading.current - (between.aggregate(sum=Sum("current__amount"))["sum"] or ZERO)
    between = lines.filter(current__posted_at__gt=reading.read_at, current__posted_at__lte=as_of)
    return reading.current + (between.aggregate(sum=Sum("current__amount"))["sum"] or ZERO)


def _posted() -> "QuerySet[BankLine]":
    return BankLine.objects.filter(current__status=POSTED.value)


def _unbooked_lines(as_of: datetime) -> Iterable[LineSide]:
    day = _last_day(as_of)
    held = BankMatchLine.objects.filter(line=OuterRef("pk"), match__state__in=_HOLDING)
    rows = (
        _posted()
        .filter(current__posted_at__lte=as_of)
        .exclude(Exists(held.filter(match__journal_entry__effective_on__lte=day)))
        .select_related("current", "account")
        .order_by("id")
    )
    why = dict(
        BankMatchLine.objects.filter(match__state__in=_HOLDING, match__kind__in=_EXPLAINED).values_list(
            "line_id", "match__reason"
        )
    )
    for line in rows.iterator():
        version = line.current
        if version is None or version.posted_at is None:
            continue
        yield LineSide(
            line=line.pk,
            code=line.account.ledger_code,
            amount=version.amount,
            posted_at=version.posted_at,
            text=version.text[:200],
            why=(why[line.pk] or "explained") if line.pk in why else "",
        )


def _changed(as_of: datetime) -> Iterable[Trouble]:
    rows = BankMatch.objects.filter(state=MatchState.QUESTIONED.value, created_at__lte=as_of).order_by("id")
    for match in rows:
        yield Trouble(str(match.pk), f"Match {match.pk}: {match.question}", match.decided_at or match.created_at)


def _duplicates(as_of: datetime) -> Iterable[Trouble]:
    rows = BankMatch.objects.filter(
        state=MatchState.SUGGESTED.value, kind=MatchKind.DUPLICATE.value, created_at__lte=as_of
    )
    for match in rows.order_by("id"):
        yield Trouble(str(match.pk), f"Suggestion {match.pk}: {match.why}", match.created_at)


def _aside(as_of: datetime) -> Iterable[Trouble]:
    """Rows that never became a line: a row that was read later is settled."""
    read = BankLine.objects.filter(account=OuterRef("account"), line_id=OuterRef("row_id"))
    rows = BankRowAside.objects.filter(seen_at__lte=as_of).exclude(Exists(read))
    for row in rows.order_by("id"):
        yield Trouble(str(row.pk), f"The bank's row {row.row_id or '?'} could not be read: {row.field}.", row.seen_at)


def _unseen_payouts(as_of: datetime) -> Iterable[Trouble]:
    for payout in payouts_in_transit(as_of).filter(state=PayoutState.PAID.value):
        arrived = payout.arrival_on
        since = datetime.combine(arrived, time(), UTC) if arrived is not None else payout.created_at
        yield Trouble(payout.payout_id, "", since, payout.amount)


def payouts_in_transit(as_of: datetime) -> "QuerySet[Payout]":
    """Pay-outs that left Stripe's balance by then and stand on no bank line of that time."""
    seen = BankMatchTarget.objects.filter(
        kind=TargetKind.PAYOUT.value,
        match__state__in=_HOLDING,
        match__journal_entry__effective_on__lte=_last_day(as_of),
    ).values_list("target_id", flat=True)
    rows = Payout.objects.filter(created_at__lte=as_of).exclude(state=PayoutState.FAILED.value)
    return rows.exclude(pk__in=[int(pk) for pk in seen]).order_by("id")


# --- Stripe


def stripe_inputs(as_of: datetime, *, unread: Iterable[MovementSide] = ()) -> StripeInputs:
    """1115 beside Stripe's own terms. `unread` are balance transactions Stripe has and the house never saw."""
    reading = _nearest(StripeReading.objects.all(), as_of)
    between = _movements_between(reading, as_of) if reading is not None else ZERO
    in_transit = payouts_in_transit(as_of).aggregate(sum=Sum("amount"))["sum"] or ZERO
    warn_hours = int(value(READING_WARNS))
    return StripeInputs(
        as_of=as_of,
        ledger=balances([STRIPE_CLEARING], on=_last_day(as_of))[STRIPE_CLEARING],
        available=reading.available + between if reading is not None else None,
        pending=reading.pending if reading is not None else None,
        read_at=reading.read_at if reading is not None else None,
        in_transit=in_transit,
        refunds=_refunds_on_their_way(as_of),
        limit=Decimal(str(value(STRIPE_DRIFT))),
        unbooked=(*_unbooked_movements(as_of), *unread),
        unknown=tuple(_payments_unknown(as_of - timedelta(hours=warn_hours))),
        failed_events=tuple(_failed_events(as_of)),
        warn_hours=warn_hours,
    )


def _movements_between(reading: StripeReading, as_of: datetime) -> Decimal:
    """What Stripe's balance moved from the reading to `as_of` (negative: back from a later reading)."""
    rows = StripeMovement.objects.all()
    if reading.read_at >= as_of:
        after = rows.filter(occurred_at__gt=as_of, occurred_at__lte=reading.read_at)
        return -(after.aggregate(sum=Sum("net"))["sum"] or ZERO)
    until = rows.filter(occurred_at__gt=reading.read_at, occurred_at__lte=as_of)
    return until.aggregate(sum=Sum("net"))["sum"] or ZERO


def _refunds_on_their_way(as_of: datetime) -> Decimal:
    """Stripe took the money from its balance; the books take it from 1115 when the refund has succeeded."""
    taken = StripeMovement.objects.filter(source_id=OuterRef("refund_id"), occurred_at__lte=as_of)
    rows = Refund.objects.filter(state=RefundState.PENDING.value, journal_entry__isnull=True).filter(Exists(taken))
    return rows.aggregate(sum=Sum("amount"))["sum"] or ZERO


def _with_counterparts() -> "QuerySet[StripeMovement]":
    return StripeMovement.objects.annotate(
        payment=Exists(Payment.objects.filter(charge_id=OuterRef("source_id")).exclude(charge_id="")),
        refund=Exists(Refund.objects.filter(refund_id=OuterRef("source_id"))),
        dispute=Exists(Dispute.objects.filter(dispute_id=OuterRef("source_id"), opened_entry__isnull=False)),
        paid_out=Exists(Payout.objects.filter(payout_id=OuterRef("source_id"))),
    )


def _unbooked_movements(as_of: datetime) -> Iterable[MovementSide]:
    whole = Q(journal_entry__isnull=False, type__in=[t for t, what in COUNTERPARTS.items() if what == "dispute"])
    whole |= Q(journal_entry__isnull=False) & ~Q(type__in=list(COUNTERPARTS))
    whole |= Q(type__in=_types("payment"), payment=True) & (Q(fee=0) | Q(journal_entry__isnull=False))
    whole |= Q(type__in=_types("refund"), refund=True)
    whole |= Q(type__in=_types("dispute"), dispute=True)
    whole |= Q(type__in=_types("payout"), paid_out=True)
    for row in _with_counterparts().filter(occurred_at__lte=as_of).exclude(whole).order_by("id").iterator():
        flags = {"payment": row.payment, "refund": row.refund, "dispute": row.dispute, "payout": row.paid_out}
        found = frozenset(name for name, is_there in flags.items() if is_there)
        missing = missing_of(type=row.type, fee=row.fee, found=found, has_entry=row.journal_entry_id is not None)
        if missing:
            yield MovementSide(row.bt_id, row.type, row.net, row.occurred_at, missing)


def _types(counterpart: str) -> list[str]:
    return [name for name, what in COUNTERPARTS.items() if what == counterpart]


def _payments_unknown(before: datetime) -> Iterable[Trouble]:
    """Card payments of the books that no balance transaction stands for, a day and more after they came."""
    movement = StripeMovement.objects.filter(source_id=OuterRef("charge_id"))
    rows = Payment.objects.filter(provider=Provider.STRIPE.value, occurred_at__lt=before).exclude(Exists(movement))
    for payment in rows.order_by("id"):
        text = f"Payment {payment.reference} has no balance transaction at Stripe."
        yield Trouble(payment.reference, text, payment.occurred_at, payment.amount)


def _failed_events(as_of: datetime) -> Iterable[Trouble]:
    rows = StripeEvent.objects.filter(state=StripeEventState.FAILED.value, received_at__lte=as_of).order_by("id")
    for event in rows:
        yield Trouble(event.event_id, f"Webhook {event.type} {event.event_id}: {event.error}"[:900], event.received_at)


def unread_movements(rows: Iterable[MovementSide]) -> list[MovementSide]:
    """Those of Stripe's balance transactions that the house has no row of."""
    given = list(rows)
    known = set(
        StripeMovement.objects.filter(bt_id__in=[row.movement for row in given]).values_list("bt_id", flat=True)
    )
    return [row for row in given if row.movement not in known]


def unread_before(as_of: datetime) -> list[MovementSide]:
    """What the newest Stripe run up to then found Stripe to have and the house not; a later window lists it no more."""
    runs = ReconciliationRun.objects.filter(kind=RunKind.STRIPE.value, as_of__lte=as_of)
    newest = runs.order_by("-as_of", "-id").first()
    return never_seen(newest.inputs) if newest is not None else []


def last_run_as_of(kind: RunKind, *, default: datetime) -> datetime:
    """The newest moment a run of that kind was as of."""
    newest = ReconciliationRun.objects.filter(kind=kind.value).order_by("-as_of").first()
    return newest.as_of if newest is not None else default


def _nearest(rows: "QuerySet[Reading]", as_of: datetime) -> "Reading | None":
    """The first reading at or after `as_of`, else the last one before."""
    later = rows.filter(read_at__gte=as_of).order_by("read_at").first()
    return later or rows.filter(read_at__lt=as_of).order_by("-read_at").first()


def _last_day(as_of: datetime) -> date:
    """The last UTC day that had begun before `as_of`."""
    return (as_of - timedelta(microseconds=1)).date()
