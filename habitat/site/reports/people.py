"""One member whole: what every floor knows of them, each part only to who may read it there too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Q
from django.utils import timezone

from cloud_credits.models import Receivable, StakingPosition
from cloud_credits.reports import activity, balances, usage
from cloud_credits.reports.activity import Activity, ActivityFilter
from cloud_credits.reports.balances import BalanceFigures
from cloud_credits.reports.usage import UsageSummary
from habitat.controls.models import Approval, ServiceKey
from habitat.members.models import Member
from habitat.members.reports import history
from habitat.members.reports.history import HistoryRow
from habitat.money import cloud_to_usd

RECENT: Final = 15
USAGE_DAYS: Final = 30
HISTORY: Final = 30


@dataclass(frozen=True, slots=True)
class Debt:
    """What of a receivable is not settled, in CLOUD; and in USD as it stands in 1310."""

    receivable: Receivable
    open: Decimal

    @property
    def usd(self) -> Decimal:
        return cloud_to_usd(self.open)


@dataclass(frozen=True, slots=True)
class Person:
    """A part is None where the reader may not see it."""

    member: Member
    roles: list[str]
    balance: BalanceFigures | None
    debts: list[Debt] | None
    stakes: list[StakingPosition] | None
    transactions: list[Activity] | None
    usage: UsageSummary | None
    keys: list[ServiceKey] | None
    approvals: list[Approval] | None
    history: list[HistoryRow]


def person(member: Member, *, may: Callable[[str], bool]) -> Person:
    """`member` with every part that `may(permission)` opens; who may see the member may see its history."""
    label = f"member:{member.pk}"
    return Person(
        member=member,
        roles=list(member.user.groups.order_by("name").values_list("name", flat=True)) if member.user else [],
        balance=balances.balance_of(member.pk) if may("cloud_credits.view_cloudbalance") else None,
        debts=_debts(member.pk) if may("cloud_credits.view_receivable") else None,
        stakes=_stakes(member.pk) if may("cloud_credits.view_stakingposition") else None,
        transactions=_transactions(member.pk) if may("cloud_credits.view_cloudtransaction") else None,
        usage=_usage(member.pk) if may("cloud_credits.view_resourceusage") else None,
        keys=_keys(label) if may("controls.view_servicekey") else None,
        approvals=_approvals(label) if may("controls.view_approval") else None,
        history=history.of_member(member)[:HISTORY],
    )


def _debts(member_id: int) -> list[Debt]:
    return [Debt(row, row.amount - row.settled) for row in Receivable.objects.owed_by(member_id)]


def _stakes(member_id: int) -> list[StakingPosition]:
    return list(StakingPosition.objects.filter(member_id=member_id).order_by("-id")[:RECENT])


def _transactions(member_id: int) -> list[Activity]:
    return activity.page(member_id, ActivityFilter(), size=RECENT).rows


def _usage(member_id: int) -> UsageSummary:
    end = timezone.now()
    return usage.summary(start=end - timedelta(days=USAGE_DAYS), end=end, member_id=member_id)


def _keys(label: str) -> list[ServiceKey]:
    """Keys belong to services; these are the ones this person made or took back."""
    return list(ServiceKey.objects.filter(Q(created_by=label) | Q(revoked_by=label))[:RECENT])


def _approvals(label: str) -> list[Approval]:
    """What this person asked for, and what they decided."""
    return list(Approval.objects.filter(Q(requested_by=label) | Q(decided_by=label))[:RECENT])
