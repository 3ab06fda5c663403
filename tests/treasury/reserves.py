"""Short ways to say what bank and Stripe held when they were asked, and what moved since; times are minutes ago."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.utils import timezone

from habitat.members.policies.actors import SYSTEM
from tests.treasury.postings import posted
from treasury.actions.backing import record_check
from treasury.models import (
    BackingCheck,
    BankAccount,
    BankLine,
    BankLineVersion,
    BankMatch,
    BankMatchLine,
    BankMatchTarget,
    BankReading,
    JournalEntry,
    MintSwitch,
    Payout,
    StripeReading,
)
from treasury.reports.backing import computed

_numbers = count(1)


def ago(minutes: int) -> datetime:
    return timezone.now() - timedelta(minutes=minutes)


def bank_account(code: str = "1110", *, is_backing: bool = True) -> BankAccount:
    opened = datetime(2026, 1, 1, tzinfo=UTC)
    found, _ = BankAccount.objects.get_or_create(
        account_id=f"bank-{code}",
        defaults={"name": code, "kind": "checking", "ledger_code": code, "is_backing": is_backing, "opened_at": opened},
    )
    return found


def bank_read(available: str, minutes: int = 60, code: str = "1110") -> BankReading:
    amount = Decimal(available)
    return BankReading.objects.create(
        account=bank_account(code), available=amount, current=amount, read_at=ago(minutes)
    )


def stripe_read(available: str, pending: str = "0", minutes: int = 60) -> StripeReading:
    return StripeReading.objects.create(available=Decimal(available), pending=Decimal(pending), read_at=ago(minutes))


def owe(amount: str, minutes: int = 600) -> JournalEntry:
    """Credits that are out, long made."""
    return posted(("5930", amount, None), ("2220", None, amount), occurred_at=ago(minutes))


def paid_by_card(amount: str, minutes: int) -> JournalEntry:
    return posted(("1115", amount, None), ("2240", None, amount), occurred_at=ago(minutes))


def payout(amount: str, minutes: int) -> Payout:
    return Payout.objects.create(payout_id=f"po_{next(_numbers)}", amount=Decimal(amount), created_at=ago(minutes))


def arrives(sent: Payout, minutes: int) -> BankMatch:
    """The pay-out's line at the bank, and the rule's suggestion."""
    number, at = next(_numbers), ago(minutes)
    line = BankLine.objects.create(account=bank_account(), line_id=f"line-{number}", opened_at=at)
    version = BankLineVersion.objects.create(
        line=line, number=1, amount=sent.amount, status="sent", posted_at=at, payload={}, seen_at=at
    )
    BankLine.objects.filter(pk=line.pk).update(current=version)
    match = BankMatch.objects.create(
        kind="payout", rule="test", score=90, why="same amount", digest=f"digest-{number}", created_by="system:0"
    )
    BankMatchLine.objects.create(match=match, line=line, version=version, amount=sent.amount)
    BankMatchTarget.objects.create(match=match, kind="payout", target_id=str(sent.pk), amount=sent.amount)
    return match


def booked(sent: Payout, minutes: int) -> JournalEntry:
    """A person confirmed it now; the line is of `minutes` ago."""
    Payout.objects.filter(pk=sent.pk).update(matched_at=timezone.now())
    amount = str(sent.amount)
    return posted(("1110", amount, None), ("1115", None, amount), occurred_at=ago(minutes))


def terms(as_of: datetime | None = None) -> dict[str, Decimal]:
    """What is held, term by term; terms of nothing left out."""
    return {term.name.value: term.amount for term in computed(as_of=as_of).backing.terms if term.amount}


def held(as_of: datetime | None = None) -> Decimal:
    return computed(as_of=as_of).backing.held


def check() -> BackingCheck:
    return record_check(trigger="test", acting=SYSTEM)


def flags() -> tuple[bool, bool]:
    """Automatic and manual."""
    return MintSwitch.objects.values_list("automatic", "manual").get()
