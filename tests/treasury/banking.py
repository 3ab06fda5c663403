"""Short ways to play the bank in tests: lines at the sandbox, and readings of it through the real gateway."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.utils import timezone

from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.sandboxes import MERCURY_TOKEN, Sandbox
from treasury.actions import bills
from treasury.actions.bank import record_accounts, record_lines
from treasury.errors import BankAnswerMalformed
from treasury.gateways.mercury import MercuryGateway
from treasury.models import BankLine, Bill, Payout
from treasury.policies.bank import BillKind, LineStatus
from treasury.policies.bank_rows import AccountRow, LineRow, Lines, RowAside
from treasury.workflows import bank
from treasury.workflows.bank import Synced

RIGHTS = frozenset(
    f"treasury.{verb}" for verb in ("read_bank", "assign_bankaccount", "match_bank", "record_bill", "void_bill")
)
OLGA = Actor(kind=ActorKind.MEMBER, id=1, name="Olga", permissions=RIGHTS)
NOBODY = Actor(kind=ActorKind.MEMBER, id=2, name="Nils")
WHEN = "2026-06-15T10:00:00Z"
_numbers = count(1)


def deposit(sandbox: Sandbox, amount: str, text: str = "WIRE IN", **facts) -> str:
    """A line at the bank; its id."""
    given = {"counterpartyName": "Ada", "bankDescription": text, "createdAt": WHEN} | facts
    return sandbox.control("transactions", amount=amount, **given)["id"]


def read(sandbox: Sandbox, now: datetime | None = None) -> Synced:
    gateway = MercuryGateway(base=sandbox.url, token=MERCURY_TOKEN, sleep=lambda _: None)
    return bank.sync(now or timezone.now(), gateway=gateway)


def the_line(line_id: str) -> BankLine:
    return BankLine.objects.select_related("current").get(line_id=line_id)


def make_payout(amount: str, payout_id: str = "", arrival_on: date | None = date(2026, 6, 15)) -> Payout:
    return Payout.objects.create(
        payout_id=payout_id or f"po_{next(_numbers)}",
        amount=Decimal(amount),
        arrival_on=arrival_on,
        created_at=datetime(2026, 6, 12, tzinfo=UTC),
    )


def make_bill(amount: str = "120", **facts) -> Bill:
    given = {
        "kind": BillKind.INFRASTRUCTURE,
        "account": "5510",
        "supplier": "Hetzner",
        "number": f"R-{next(_numbers):05d}",
        "amount": Decimal(amount),
        "billed_on": date(2026, 6, 1),
        "due_on": date(2026, 6, 30),
        "idempotency_key": f"bill-{next(_numbers)}",
        "acting": SYSTEM,
    } | facts
    return bills.record(**given)


def make_bank() -> None:
    """One of everything the bank's pages show, as a reading would leave it: a bill that a line may pay, a row aside."""
    now = timezone.now()
    account = AccountRow("a1", "Operating", "checking", Decimal(20_000), Decimal(20_000), now - timedelta(days=9))
    line = LineRow("l1", Decimal(-120), LineStatus.SENT, "", now, now, "Hetzner", "R-00001", "", {"id": "l1"})
    aside = RowAside("l2", BankAnswerMalformed(field_name="amount", problem="missing"), {"id": "l2"})
    (row,) = record_accounts(rows=[account], read_at=now, acting=SYSTEM)
    answer = Lines(since=account.opened_at, rows=(line,), aside=(aside,))
    record_lines(account=row, answer=answer, read_at=now, acting=SYSTEM)
    make_bill("120", billed_on=now.date(), due_on=now.date())
    bank.follow_up(now)


def later(days: int) -> datetime:
    return timezone.now() + timedelta(days=days)
