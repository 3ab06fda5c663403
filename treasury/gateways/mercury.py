"""The bank over Mercury's documented API: accounts and transactions, read with a read-only token, digit for digit.

Amounts are JSON numbers and become Decimal as they stand in the text. A row that lacks a field is set aside whole, with
the field's name; the rows beside it are read all the same.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

import httpx
from django.conf import settings

from habitat.errors import HabitatError
from habitat.money import LARGEST_USD, USD_BOOK_PLACES, parse_decimal
from treasury.errors import BankAnswerMalformed, BankNotConfigured, BankRefused, BankUnavailable
from treasury.policies.bank import LineStatus
from treasury.policies.bank_rows import AccountRow, Accounts, LineRow, Lines, RowAside, as_text, storable

PAGE: Final = 500
MOST_PAGES: Final = 10_000
LONGEST_ID: Final = 64
ATTEMPTS: Final = 4
# Before the second try; doubled each time. Retry-After wins where the bank says one, up to the longest pause.
FIRST_PAUSE: Final = timedelta(milliseconds=500)
LONGEST_PAUSE: Final = timedelta(seconds=20)
TIMEOUT: Final = httpx.Timeout(10, connect=5)
# Statuses that may be another answer in a moment.
_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


def _sleep(pause: timedelta) -> None:
    time.sleep(pause.total_seconds())


class BankGateway(Protocol):
    """What the house asks a bank."""

    def accounts(self) -> Accounts: ...

    def lines(self, *, account_id: str, since: datetime) -> Lines: ...


class MercuryGateway:
    """Mercury over HTTPS. Raises BankUnavailable (ask again later), BankRefused, BankAnswerMalformed."""

    def __init__(self, *, base: str, token: str, sleep: Callable[[timedelta], None] = _sleep) -> None:
        self._base = base.rstrip("/")
        self._token = token
        self._sleep = sleep

    def __repr__(self) -> str:
        # The token is a secret: it stands in no log and in no traceback.
        return f"MercuryGateway({self._base})"

    def accounts(self) -> Accounts:
        """Every account of the organisation, with what it holds now."""
        rows, aside = [], []
        with self._client() as client:
            body = self._get(client, "/api/v1/accounts", {})
        for given in _list_of(body, "accounts"):
            try:
                rows.append(_account(given))
            except BankAnswerMalformed as error:
                aside.append(_aside(given, error))
        return Accounts(rows=tuple(rows), aside=tuple(aside))

    def lines(self, *, account_id: str, since: datetime) -> Lines:
        """Every transaction the bank recorded from `since` on, oldest first, over all pages.

        `since` is always said: left out, Mercury reaches back 30 days and no more.
        """
        rows, aside = [], []
        with self._client() as client:
            for given in self._pages(client, account_id, since):
                try:
                    rows.append(_line(given, account_id))
                except BankAnswerMalformed as error:
                    aside.append(_aside(given, error))
        return Lines(since=since, rows=tuple(rows), aside=tuple(aside))

    def _pages(self, client: httpx.Client, account_id: str, since: datetime) -> Iterator[Any]:
        query = {
            "accountId": account_id,
            "start": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "limit": str(PAGE),
            "order": "asc",
        }
        for _ in range(MOST_PAGES):
            body = self._get(client, "/api/v1/transactions", query)
            yield from _list_of(body, "transactions")
            cursor = _cursor(body)
            if not cursor:
                return
            if query.get("start_after") == cursor:
                raise BankAnswerMalformed(field_name="page.nextPage", problem="the same page again")
            query["start_after"] = cursor
        raise BankAnswerMalformed(field_name="page.nextPage", problem="without an end")

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        return httpx.Client(base_url=self._base, headers=headers, timeout=TIMEOUT, follow_redirects=False)

    def _get(self, client: httpx.Client, path: str, query: Mapping[str, str]) -> Any:
        """One answer as JSON, asked again a few times where that may help. Numbers are Decimal."""
        pause, what = FIRST_PAUSE, ""
        for attempt in range(1, ATTEMPTS + 1):
            wait = pause
            try:
                answer = client.get(path, params=dict(query))
            except httpx.TransportError as error:
                what = type(error).__name__
            else:
                if answer.status_code == httpx.codes.OK:
                    return _json(answer)
                if answer.status_code not in _TRY_AGAIN:
                    raise BankRefused(answer=answer.status_code, what=_message(answer))
                what = f"status {answer.status_code}"
                wait = _retry_after(answer) or pause
            if wait > LONGEST_PAUSE:
                # The next reading asks again; a worker that sleeps so long is killed at its work.
                break
            if attempt < ATTEMPTS:
                self._sleep(wait)
                pause *= 2
        raise BankUnavailable(what=what)


def mercury_gateway() -> BankGateway:
    """The bank the settings name. Raises BankNotConfigured."""
    base, token = _setting("MERCURY_API_BASE"), _setting("MERCURY_API_TOKEN")
    return MercuryGateway(base=base, token=token)


def is_configured() -> bool:
    """Whether there is a bank to ask."""
    return bool(settings.MERCURY_API_BASE and settings.MERCURY_API_TOKEN)


def _setting(name: str) -> str:
    value = str(getattr(settings, name, ""))
    if not value:
        raise BankNotConfigured(setting=name)
    return value


# --- reading an answer


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BankAnswerMalformed(field_name="the answer", problem="no JSON") from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _message(answer: httpx.Response) -> str:
    """What the bank says of a refusal, cut short."""
    try:
        said = json.loads(answer.content).get("errors", {})
        text = said.get("message", "") if isinstance(said, dict) else str(said)
    except (ValueError, AttributeError):
        text = answer.reason_phrase
    return text[:200]


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """What Retry-After asks for, written as seconds or as a date; None when absent or unreadable."""
    given = answer.headers.get("Retry-After", "").strip()
    if given.isdecimal():
        return timedelta(seconds=int(given[:6]))
    try:
        return max(parsedate_to_datetime(given) - datetime.now(UTC), timedelta())
    except (ValueError, TypeError):
        return None


def _list_of(body: Any, name: str) -> list[Any]:
    rows = body.get(name) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise BankAnswerMalformed(field_name=name, problem="no list" if rows is not None else "missing")
    return rows


def _cursor(body: Any) -> str:
    """The next page's; empty on the last one. A page without cursors would end the reading too early: refused."""
    page = body.get("page")
    if not isinstance(page, dict):
        raise BankAnswerMalformed(field_name="page", problem="missing")
    return str(page.get("nextPage") or "")


def _aside(given: Any, error: BankAnswerMalformed) -> RowAside:
    row_id = given.get("id") if isinstance(given, dict) else None
    kept = storable(row_id)[:LONGEST_ID] if isinstance(row_id, str) else ""
    return RowAside(row_id=kept, error=error, payload=as_text(given))


def _account(given: Any) -> AccountRow:
    row = _Row(given)
    return AccountRow(
        account_id=row.text("id", longest=LONGEST_ID),
        name=row.text("name", longest=200),
        kind=row.text("kind", longest=32),
        available=row.money("availableBalance"),
        current=row.money("currentBalance"),
        opened_at=row.time("createdAt"),
    )


def _line(given: Any, account_id: str) -> LineRow:
    row = _Row(given)
    of_account = row.optional("accountId")
    if of_account and of_account != account_id:
        raise BankAnswerMalformed(field_name="accountId", problem="of another account")
    status = row.status()
    posted = row.time("postedAt") if status is LineStatus.SENT else row.optional_time("postedAt")
    memo, note = row.optional("externalMemo"), row.optional("note")
    return LineRow(
        line_id=row.text("id", longest=LONGEST_ID),
        amount=row.money("amount"),
        status=status,
        kind=row.optional("kind")[:64],
        opened_at=row.time("createdAt"),
        posted_at=posted,
        counterparty=row.optional("counterpartyName")[:200],
        description=row.optional("bankDescription")[:500],
        reference=" ".join(part for part in (memo, note) if part)[:500],
        payload=as_text(given),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One row's fields; each refusal names the field."""

    given: Any

    def _value(self, name: str) -> Any:
        if not isinstance(self.given, dict):
            raise BankAnswerMalformed(field_name="row", problem="no object")
        if self.given.get(name) is None:
            raise BankAnswerMalformed(field_name=name, problem="missing")
        return self.given[name]

    def text(self, name: str, *, longest: int) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value.strip() or len(value) > longest or storable(value) != value:
            raise BankAnswerMalformed(field_name=name, problem="no text that could be one")
        return value

    def optional(self, name: str) -> str:
        """Free text; whatever is not text counts as none."""
        value = self.given.get(name) if isinstance(self.given, dict) else None
        return " ".join(storable(value.replace("\x00", " ")).split()) if isinstance(value, str) else ""

    def money(self, name: str) -> Decimal:
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise BankAnswerMalformed(field_name=name, problem="no number")
        try:
            return parse_decimal(value, places=USD_BOOK_PLACES, largest=LARGEST_USD)
        except HabitatError as error:
            raise BankAnswerMalformed(field_name=name, problem="no amount the books can hold") from error

    def time(self, name: str) -> datetime:
        value = self._value(name)
        try:
            at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise BankAnswerMalformed(field_name=name, problem="no time") from error

    def optional_time(self, name: str) -> datetime | None:
        return self.time(name) if self.given.get(name) is not None else None

    def status(self) -> LineStatus:
        value = self.text("status", longest=16)
        try:
            status = LineStatus(value)
        except ValueError as error:
            raise BankAnswerMalformed(field_name="status", problem="a word unknown here") from error
        if status is LineStatus.VANISHED:
            raise BankAnswerMalformed(field_name="status", problem="a word unknown here")
        return status
