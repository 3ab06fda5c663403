"""Short ways to say a posting in tests: through the same action everybody uses."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from habitat.members.policies.actors import SYSTEM
from treasury.actions import journal
from treasury.models import JournalEntry, Period, PeriodChange
from treasury.policies.journal import Line, Source

_numbers = count(1)
NOON = datetime(2026, 4, 15, 12, tzinfo=UTC)


def lines_of(*rows: tuple[str, str | None, str | None]) -> list[Line]:
    """Rows as accountants write them: account, debit, credit."""
    return [
        Line.debit(account, Decimal(debit)) if debit else Line.credit(account, Decimal(credit or 0))
        for account, debit, credit in rows
    ]


def posted(*rows: tuple[str, str | None, str | None], **changes: Any) -> JournalEntry:
    """One posted entry; whatever is not said is a plain test fact of 15 April 2026."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "lines": lines_of(*rows),
        "occurred_at": NOON,
        "source": Source("test", str(number)),
        "description": "A test entry",
        "idempotency_key": f"test:{number}",
        "acting": SYSTEM,
    }
    return journal.post(**(given | changes))


def sale(amount: str = "10", **changes: Any) -> JournalEntry:
    """Usage redeemed: Dr 2220 / Cr 4420."""
    return posted(("2220", amount, None), ("4420", None, amount), **changes)


def step_period(name: str, *states: str) -> None:
    """Moves a period along its states, each step with its record, and none of what the verbs do beside."""
    for state in states:
        period = Period.objects.get(name=name)
        PeriodChange.objects.create(
            period=period, verb="step", from_state=period.state, to_state=state, reason="a test", actor="system:0"
        )
        Period.objects.filter(pk=period.pk).update(state=state)
