"""Reading the bank: accounts, then lines with an overlap, then what follows from them. Idempotent from end to end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from habitat.controls.models import Alert
from habitat.controls.policies.alerts import UNRESOLVED
from habitat.controls.reports.settings import value
from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM, Actor
from treasury.actions import bank, bank_deposits, bank_matches
from treasury.gateways import mercury
from treasury.models import BankAccount, BankLine
from treasury.policies.bank import LineStatus
from treasury.policies.bank_settings import OVERLAP_DAYS, UNMATCHED_DAYS
from treasury.reports import bank as reports


@dataclass(frozen=True, slots=True)
class Synced:
    """What one reading brought: lines new, changed and vanished; deposits booked; what was refused and waits."""

    accounts: int
    new: int
    changed: int
    vanished: int
    suggested: int
    deposits: int
    refused: tuple[str, ...]


def sync(now: datetime, *, acting: Actor = SYSTEM, gateway: mercury.BankGateway | None = None) -> Synced:
    """Read every account and its lines as of `now`, and let the rules look at what came.

    One account that cannot be read stops no other; its refusal is raised at the end. Raises NotAllowed,
    BankNotConfigured, BankUnavailable, BankRefused, BankAnswerMalformed.
    """
    asked = gateway or mercury.mercury_gateway()
    answer = asked.accounts()
    accounts = bank.record_accounts(rows=answer.rows, read_at=now, acting=acting)
    bank.set_aside(rows=answer.aside, account=None, read_at=now, acting=acting)
    recorded: list[bank.Recorded] = []
    refusal: HabitatError | None = None
    for account in accounts:
        try:
            lines = asked.lines(account_id=account.account_id, since=window(account))
        except HabitatError as error:
            refusal = error
            continue
        recorded.append(bank.record_lines(account=account, answer=lines, read_at=now, acting=acting))
    suggested, deposits, refused = follow_up(now, acting=acting)
    if refusal is not None:
        raise refusal
    return Synced(
        accounts=len(accounts),
        new=sum(one.new for one in recorded),
        changed=sum(one.changed for one in recorded),
        vanished=sum(one.vanished for one in recorded),
        suggested=suggested,
        deposits=deposits,
        refused=refused,
    )


def follow_up(now: datetime, *, acting: Actor = SYSTEM) -> tuple[int, int, tuple[str, ...]]:
    """Questions that settled themselves, suggestions, deposits, alerts. A deposit that is refused waits."""
    bank_matches.settle_questions(acting=acting)
    suggested = len(bank_matches.suggest(acting=acting))
    deposits, refused = 0, []
    for match in reports.certain():
        try:
            bank_matches.confirm_certain(match=match, acting=acting)
        except HabitatError as error:
            refused.append(f"match {match.pk}: {error.sentence}")
    for line in bank_deposits.bookable():
        try:
            bank_deposits.book(line=line, acting=acting)
        except HabitatError as error:
            refused.append(f"line {line.pk}: {error.sentence}")
        else:
            deposits += 1
    watch(now, acting=acting)
    return suggested, deposits, tuple(refused)


def watch(now: datetime, *, acting: Actor = SYSTEM) -> None:
    """Raise and settle `bank_unmatched` as of `now`."""
    days = int(value(UNMATCHED_DAYS))
    open_alerts = Alert.objects.filter(code=bank.UNMATCHED, state__in=UNRESOLVED)
    bank.watch(
        overdue=list(reports.waiting_lines(posted_before=now - timedelta(days=days))),
        open_causes=list(open_alerts.values_list("cause", flat=True)),
        acting=acting,
    )


def window(account: BankAccount) -> datetime:
    """From when on an account is read: all of it at first, then behind the last reading and every pending line."""
    if account.read_until is None:
        return account.opened_at
    pending = (
        BankLine.objects.filter(account=account, current__status=LineStatus.PENDING.value)
        .order_by("opened_at")
        .values_list("opened_at", flat=True)
        .first()
    )
    overlap = timedelta(days=int(value(OVERLAP_DAYS)))
    return min(account.read_until - overlap, pending or account.read_until)


def read_bank(due_at: datetime) -> None:
    """Hourly. A reading stores its own time, not the one it was due at."""
    if mercury.is_configured():
        sync(timezone.now())
