"""What the bank's rows say together: what waits for a match, and the facts it could be matched to."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, QuerySet

from treasury.models import (
    BankLine,
    BankMatch,
    BankMatchLine,
    BankMatchTarget,
    BankReading,
    Bill,
    Payout,
    Refund,
)
from treasury.policies.bank import HOLDING, POSTED, BillKind, BillState, MatchState, TargetKind
from treasury.policies.matching import CERTAIN, BillFact, LineFact, PayoutFact, RefundFact
from treasury.policies.payments import PayoutState, RefundState


def held_lines() -> QuerySet[BankMatchLine]:
    """The parts of matches that hold their line, for `Exists` over a line's `pk`."""
    return BankMatchLine.objects.filter(line=OuterRef("pk"), match__state__in=HOLDING)


def waiting_lines(*, posted_before: datetime | None = None) -> QuerySet[BankLine]:
    """Posted lines that no match holds, oldest first."""
    rows = (
        BankLine.objects.filter(current__status=POSTED.value)
        .filter(~Exists(held_lines()))
        .select_related("current", "account")
        .order_by("current__posted_at", "pk")
    )
    return rows if posted_before is None else rows.filter(current__posted_at__lt=posted_before)


def line_fact(line: BankLine) -> LineFact:
    """The line as the rules read it. Its current version must be posted."""
    current = line.current
    assert current is not None  # noqa: S101 - what waiting_lines promises
    assert current.posted_at is not None  # noqa: S101 - a CHECK of posted lines
    return LineFact(
        id=line.pk,
        account_id=line.account_id,
        ledger_code=line.account.ledger_code,
        amount=current.amount,
        posted_on=current.posted_at.astimezone(UTC).date(),
        kind=current.kind,
        counterparty=current.counterparty,
        text=current.text,
    )


def lines_of_days(facts: Iterable[LineFact]) -> list[LineFact]:
    """Every posted line of the days and accounts of `facts`, matched ones too: a duplicate may follow a booked line."""
    wanted = list(facts)
    rows = BankLine.objects.filter(
        current__status=POSTED.value,
        account_id__in={fact.account_id for fact in wanted},
        current__posted_at__date__in={fact.posted_on for fact in wanted},
    ).select_related("current", "account")
    return [line_fact(line) for line in rows.order_by("pk")]


def open_payouts() -> list[PayoutFact]:
    """Pay-outs that left and that no line was matched to."""
    rows = Payout.objects.filter(matched_at__isnull=True).exclude(state=PayoutState.FAILED.value).order_by("pk")
    return [PayoutFact(row.pk, row.payout_id, row.amount, row.arrival_on) for row in rows]


def open_bills() -> list[BillFact]:
    rows = Bill.objects.filter(state=BillState.OPEN.value).order_by("pk")
    return [
        BillFact(row.pk, row.kind == BillKind.TAX, row.supplier, row.number, row.amount, row.billed_on, row.due_on)
        for row in rows
    ]


def open_refunds() -> list[RefundFact]:
    """Refunds of payments that came by bank, on their way."""
    rows = Refund.objects.filter(state=RefundState.PENDING.value, payment__provider="bank").order_by("pk")
    return [RefundFact(row.pk, row.refund_id, row.amount) for row in rows]


def fact_amount(kind: TargetKind, pk: int) -> Decimal | None:
    """What a fact comes to, signed as the bank signs; None where there is none. USD."""
    if kind is TargetKind.PAYOUT:
        return Payout.objects.filter(pk=pk).values_list("amount", flat=True).first()
    if kind is TargetKind.LINE:
        return BankLine.objects.filter(pk=pk).values_list("current__amount", flat=True).first()
    if kind is TargetKind.BILL:
        owed = Bill.objects.filter(pk=pk).values_list("amount", flat=True).first()
    else:
        owed = Refund.objects.filter(pk=pk, payment__provider="bank").values_list("amount", flat=True).first()
    return None if owed is None else -owed


def holder_of(kind: TargetKind, target_id: str) -> int | None:
    """The match that holds a fact, None when none does."""
    row = BankMatchTarget.objects.filter(
        kind=kind.value, target_id=target_id, match__state__in=HOLDING, match__journal_entry__isnull=False
    ).first()
    return row.match_id if row is not None else None


def holder_of_line(line_id: int) -> int | None:
    """The match that holds a line, None when none does."""
    row = BankMatchLine.objects.filter(line_id=line_id, match__state__in=HOLDING).first()
    return row.match_id if row is not None else None


def questioned() -> QuerySet[BankMatch]:
    """Confirmed matches that the bank has put in doubt since."""
    return BankMatch.objects.filter(state=MatchState.QUESTIONED.value)


def certain() -> QuerySet[BankMatch]:
    """Suggestions that need nobody, oldest first."""
    return BankMatch.objects.filter(state=MatchState.SUGGESTED.value, rule=CERTAIN).order_by("pk")


def latest_readings() -> dict[int, BankReading]:
    """The newest reading of each account, by the account's key."""
    rows = BankReading.objects.order_by("account_id", "-read_at").distinct("account_id").select_related("account")
    return {row.account_id: row for row in rows}
