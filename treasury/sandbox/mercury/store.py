"""What the sandbox bank keeps, in SQLite: accounts, transactions, faults to come, and calls it was given."""

import json
import sqlite3
import threading
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, position INTEGER, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS line (
    id TEXT PRIMARY KEY, external_id TEXT UNIQUE, account_id TEXT NOT NULL, created_at TEXT NOT NULL,
    status TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS line_created ON line (created_at, id);
CREATE TABLE IF NOT EXISTS fault (number INTEGER PRIMARY KEY AUTOINCREMENT, times INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS call (number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, body TEXT NOT NULL);
"""
# What the documentation says every transaction has; the rest of a control request is taken over as it comes.
EMPTY_LINE: dict[str, Any] = {
    "bankDescription": None,
    "counterpartyId": "",
    "counterpartyName": "",
    "counterpartyNickname": None,
    "note": None,
    "externalMemo": None,
    "failedAt": None,
    "reasonForFailure": None,
    "feeId": None,
    "details": None,
    "attachments": [],
    "relatedTransactions": [],
    "glAllocations": [],
    "categoryData": None,
    "mercuryCategory": None,
    "requestId": None,
    "trackingNumber": None,
    "compliantWithReceiptPolicy": True,
    "hasGeneratedReceipt": False,
}


def now() -> str:
    return spelled(datetime.now(UTC))


def spelled(at: datetime) -> str:
    """As the bank writes times: ISO 8601 in UTC, with microseconds so that they sort as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """`YYYY-MM-DD` or ISO 8601. Raises ValueError."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def new_id(external_id: str | None) -> str:
    """A UUID; the same one for the same external id, so that a run can be compared with another."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, external_id) if external_id else uuid.uuid4())


class Unknown(LookupError):
    """There is no such account or transaction."""


class Store:
    """One SQLite file, one writer at a time."""

    def __init__(self, path: str) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(SCHEMA)

    # --- accounts

    def accounts(self) -> list[dict[str, Any]]:
        return [_read(body) for (body,) in self._rows("SELECT body FROM account ORDER BY position")]

    def account(self, account_id: str) -> dict[str, Any]:
        """Raises Unknown."""
        found = self._rows("SELECT body FROM account WHERE id = ?", account_id)
        if not found:
            raise Unknown(account_id)
        return _read(found[0][0])

    def put_account(self, given: dict[str, Any]) -> dict[str, Any]:
        """Creates the account, or sets what is given of it: balances directly, too."""
        with self._lock:
            account_id = given.get("id") or new_id(given.get("name"))
            try:
                body = self.account(account_id)
            except Unknown:
                body = _new_account(account_id, self._count("account"))
            body |= {key: value for key, value in given.items() if key != "id"}
            for balance in ("availableBalance", "currentBalance"):
                body[balance] = Decimal(str(body[balance]))
            self._db.execute(
                "INSERT INTO account (id, position, body) VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (account_id, self._count("account"), _written(body)),
            )
            return body

    def first_account(self) -> str:
        """The first one's id; a checking account is opened when there is none yet."""
        with self._lock:
            accounts = self.accounts()
            return str(accounts[0]["id"] if accounts else self.put_account({"name": "Operating Checking"})["id"])

    # --- transactions

    def lines(self, account_ids: list[str]) -> list[dict[str, Any]]:
        """Of these accounts (of all when none is named), oldest first."""
        rows = self._rows("SELECT account_id, body FROM line ORDER BY created_at, id")
        return [_read(body) for account_id, body in rows if not account_ids or account_id in account_ids]

    def line(self, line_id: str) -> dict[str, Any]:
        """Raises Unknown."""
        found = self._rows("SELECT body FROM line WHERE id = ?", line_id)
        if not found:
            raise Unknown(line_id)
        return _read(found[0][0])

    def add_line(self, given: dict[str, Any]) -> dict[str, Any]:
        """A deposit or a debit; posted unless it says `pending`. The same `externalId` again changes nothing."""
        with self._lock:
            external_id = given.get("externalId")
            line_id = given.get("id") or new_id(external_id)
            known = self._rows("SELECT body FROM line WHERE id = ?", line_id)
            if known:
                return _read(known[0][0])
            body = _new_line(line_id, given, given.get("accountId") or self.first_account())
            self._db.execute(
                "INSERT INTO line (id, external_id, account_id, created_at, status, body) VALUES (?, ?, ?, ?, ?, ?)",
                (line_id, external_id, body["accountId"], body["createdAt"], body["status"], _written(body)),
            )
            self._move(body["accountId"], {}, body)
            return body

    def change_line(self, line_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """A pending line is posted, a posted one says something else. Raises Unknown."""
        with self._lock:
            before = self.line(line_id)
            body = before | given
            body["amount"] = Decimal(str(body["amount"]))
            if body["status"] == "sent" and not body["postedAt"]:
                body["postedAt"] = now()
            self._db.execute(
                "UPDATE line SET status = ?, body = ? WHERE id = ?", (body["status"], _written(body), line_id)
            )
            self._move(body["accountId"], before, body)
            return body

    def remove_line(self, line_id: str) -> None:
        """It is reported no more, as if it had never been. Raises Unknown."""
        with self._lock:
            before = self.line(line_id)
            self._db.execute("DELETE FROM line WHERE id = ?", (line_id,))
            self._move(before["accountId"], before, {})

    def _move(self, account_id: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """A posted line moves both balances; a pending debit is held back from the available one."""
        account = self.account(account_id)
        account["currentBalance"] += _posted(after) - _posted(before)
        account["availableBalance"] += _held(after) - _held(before)
        self._db.execute("UPDATE account SET body = ? WHERE id = ?", (_written(account), account_id))

    # --- faults and calls

    def plan(self, fault: dict[str, Any]) -> None:
        times = int(fault.pop("times", 1))
        self._db.execute("INSERT INTO fault (times, body) VALUES (?, ?)", (times, _written(fault)))

    def next_fault(self, path: str) -> dict[str, Any] | None:
        """The oldest fault planned for this path, used up by one."""
        with self._lock:
            for number, times, body in self._rows("SELECT number, times, body FROM fault ORDER BY number"):
                fault = _read(body)
                if fault.get("path", "") not in path:
                    continue
                if times > 1:
                    self._db.execute("UPDATE fault SET times = times - 1 WHERE number = ?", (number,))
                else:
                    self._db.execute("DELETE FROM fault WHERE number = ?", (number,))
                return fault
            return None

    def clear_faults(self) -> None:
        with self._lock:
            self._db.execute("DELETE FROM fault")

    def note_call(self, call: dict[str, Any]) -> None:
        with self._lock:
            self._db.execute("INSERT INTO call (at, body) VALUES (?, ?)", (now(), json.dumps(call)))

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self._rows("SELECT body FROM call ORDER BY number")]

    def reset(self) -> None:
        with self._lock:
            for table in ("account", "line", "fault", "call"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _count(self, table: str) -> int:
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - a name of our own


def _new_account(account_id: str, position: int) -> dict[str, Any]:
    return {
        "id": account_id,
        "accountNumber": f"{9_000_000_000 + position}",
        "routingNumber": "091311229",
        "name": "Checking",
        "nickname": None,
        "kind": "checking",
        "type": "mercury",
        "status": "active",
        "legalBusinessName": "Habitat Cooperative",
        "availableBalance": Decimal(0),
        "currentBalance": Decimal(0),
        "canReceiveTransactions": True,
        "dashboardLink": f"https://app.mercury.com/accounts/{account_id}",
        "createdAt": "2026-01-01T00:00:00.000000Z",
    }


def _new_line(line_id: str, given: dict[str, Any], account_id: str) -> dict[str, Any]:
    created = spelled(moment(given["createdAt"])) if given.get("createdAt") else now()
    status = given.get("status", "sent")
    facts = {key: value for key, value in given.items() if key not in {"externalId", "accountId"}}
    made = {
        "id": line_id,
        "accountId": account_id,
        "kind": "externalTransfer",
        "estimatedDeliveryDate": created,
        "dashboardLink": f"https://app.mercury.com/transactions/{line_id}",
        "postedAt": created if status == "sent" else None,
        "status": status,
    }
    return EMPTY_LINE | made | facts | {"amount": Decimal(str(given["amount"])), "createdAt": created}


def _posted(line: dict[str, Any]) -> Decimal:
    return line["amount"] if line.get("status") == "sent" else Decimal(0)


def _held(line: dict[str, Any]) -> Decimal:
    pending_debit = line.get("status") == "pending" and line["amount"] < 0
    return line["amount"] if pending_debit or line.get("status") == "sent" else Decimal(0)


_MONEY = ("amount", "availableBalance", "currentBalance")


def _written(body: dict[str, Any]) -> str:
    return json.dumps({key: str(value) if isinstance(value, Decimal) else value for key, value in body.items()})


def _read(text: str) -> dict[str, Any]:
    body = json.loads(text)
    return {key: Decimal(value) if key in _MONEY else value for key, value in body.items()}
