"""What a match posts, and how it is taken back."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from habitat.members.policies.actors import Actor
from treasury.actions import journal
from treasury.models import BankLine, BankMatch, JournalEntry
from treasury.policies.bank import MatchKind, counter_account
from treasury.policies.chart import Side
from treasury.policies.journal import LONGEST_DESCRIPTION, REVERSAL, Line, Source
from treasury.policies.matching import Target


def lines_of(kind: MatchKind, lines: Sequence[BankLine], targets: Sequence[Target]) -> list[Line]:
    """What the bank moved against what it stands for, one line an account; empty where all of it cancels out."""
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        assert line.current is not None  # noqa: S101 - only lines with a posted version come here
        moved[line.account.ledger_code] += line.current.amount
    for target in targets:
        code = counter_account(kind, target.kind, target.id)
        assert code is not None  # noqa: S101 - kinds without one are posted elsewhere
        moved[code] -= target.amount
    return [
        Line.debit(code, amount) if amount > 0 else Line.credit(code, -amount)
        for code, amount in sorted(moved.items())
        if amount
    ]


def post(*, match: BankMatch, lines: Sequence[Line], occurred_at: datetime, acting: Actor) -> JournalEntry:
    """The entry of a confirmed match. Raises what posting raises."""
    return journal.post(
        lines=lines,
        occurred_at=occurred_at,
        source=Source("bank_match", str(match.pk)),
        description=f"Bank: {match.get_kind_display()}. {match.why}"[:LONGEST_DESCRIPTION],
        idempotency_key=f"bank_match:{match.pk}",
        acting=acting,
    )


def take_back(*, entry: JournalEntry, at: datetime, reason: str, key: str, acting: Actor) -> JournalEntry:
    """The mirror of `entry`, by the verb that undoes the fact and has judged who may. Raises what posting raises."""
    lines = entry.lines.select_related("account").order_by("id")
    return journal.post(
        lines=[Line(line.account.code, Side(line.side), line.amount, line.memo).mirrored() for line in lines],
        occurred_at=at,
        source=Source(REVERSAL, str(entry.pk)),
        description=f"Reversal of entry {entry.pk}: {reason}"[:LONGEST_DESCRIPTION],
        idempotency_key=key,
        reverses=entry,
        acting=acting,
    )
