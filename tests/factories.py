"""People and credits for tests, made only through the verbs the product itself uses."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone

from cloud_credits.actions.corrections import correct
from cloud_credits.actions.identities import initialize
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from treasury.models import BankAccount, BankReading

OPENED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


def address(number: int) -> str:
    """A well-formed address nobody else has."""
    return f"0x{(number << 24) + 0xABCDEF:040x}"


def make_member(
    name: str = "", *, identity: bool = True, credits: str | Decimal = "0", is_investor: bool = False, email: str = ""
) -> Member:
    """An active person, with a cloud identity and `credits` CLOUD unless told otherwise."""
    number = next(_numbers)
    back_credits()
    member = members.register(
        kind="person",
        display_name=name or f"Member {number}",
        email=email or None,
        password="correct horse battery" if email else None,
        is_investor=is_investor,
        acting=SYSTEM,
    )
    member = members.admit(member=member, reason="admitted by the board", acting=SYSTEM)
    if identity:
        initialize(member=member, subname=f"m{member.pk}", address=address(member.pk), acting=SYSTEM)
        member.refresh_from_db()
    if Decimal(credits):
        fund(member, credits)
    return member


def hold_dollars(amount: str = "50000000000") -> BankReading:
    """A bank that holds `amount` USD for credits, read just now."""
    account, _ = BankAccount.objects.get_or_create(
        account_id="backing",
        defaults={
            "name": "Checking",
            "kind": "checking",
            "ledger_code": "1110",
            "is_backing": True,
            "opened_at": OPENED,
        },
    )
    return BankReading.objects.create(account=account, available=amount, current=amount, read_at=timezone.now())


def back_credits() -> None:
    """The bank holds plenty, unless it was read in the last hour: credits without cash behind them are refused."""
    if not BankReading.objects.filter(read_at__gt=timezone.now() - timedelta(hours=1)).exists():
        hold_dollars()


def fund(member: Member, credits: str | Decimal) -> None:
    """Credits from nowhere, corrected up by the house: 5930 / 2220."""
    back_credits()
    correct(
        to_member=member,
        amount=cloud(credits),
        reason="opening balance",
        idempotency_key=f"fund-{next(_numbers)}",
        acting=SYSTEM,
    )


def actor(member: Member, *permissions: str) -> Actor:
    """The member as somebody who acts, with just these permissions."""
    return Actor(kind=ActorKind.MEMBER, id=member.pk, name=member.display_name, permissions=frozenset(permissions))


def system_member(account: SystemAccount) -> Member:
    return Member.objects.system(account)


def key() -> str:
    """A fresh idempotency key."""
    return f"key-{next(_numbers)}"
