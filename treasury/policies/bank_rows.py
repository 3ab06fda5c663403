"""What a bank's answer is read into: accounts, lines, and rows that could not be read."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from treasury.errors import BankAnswerMalformed
from treasury.policies.bank import LineStatus


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as the bank reports it; USD."""

    account_id: str
    name: str
    kind: str
    available: Decimal
    current: Decimal
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class LineRow:
    """A transaction as the bank reports it; USD, what comes in is positive. `payload` is the row, numbers as text."""

    line_id: str
    amount: Decimal
    status: LineStatus
    kind: str
    opened_at: datetime
    posted_at: datetime | None
    counterparty: str
    description: str
    reference: str
    payload: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class RowAside:
    """A row that could not be read, and the refusal that names its field."""

    row_id: str
    error: BankAnswerMalformed
    payload: Any = field(hash=False)

    @property
    def field_name(self) -> str:
        return str(self.error.details["field_name"])

    @property
    def digest(self) -> str:
        """The same row with the same fault is kept once."""
        content = json.dumps([self.row_id, self.field_name, self.payload], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lines:
    """Everything of one account from `since` on: what could be read, and what could not."""

    since: datetime
    rows: tuple[LineRow, ...]
    aside: tuple[RowAside, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    rows: tuple[AccountRow, ...]
    aside: tuple[RowAside, ...]


def as_text(given: Any) -> Any:
    """The row as it is kept: numbers as text, digit for digit, and only what PostgreSQL takes."""
    if isinstance(given, dict):
        return {storable(str(key)): as_text(value) for key, value in given.items()}
    if isinstance(given, list):
        return [as_text(value) for value in given]
    if isinstance(given, bool) or given is None:
        return given
    return storable(str(given))


def storable(text: str) -> str:
    """Without zero characters, and half characters (a memo cut inside an emoji) as `?`: PostgreSQL refuses both."""
    return text.replace("\x00", "").encode(errors="replace").decode()
