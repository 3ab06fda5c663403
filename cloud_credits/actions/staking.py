"""Locking credits for a time, and releasing them at maturity."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import idempotency, movements, receivables
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.errors import NotAnInvestor, StakeAboveCap, StillLocked
from cloud_credits.events import CloudStaked, CloudUnstaked
from cloud_credits.models import CloudTransaction, StakingPosition
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.settings import STAKING_CAP
from cloud_credits.policies.staking import share_percent, stakeable, unlocks_at
from habitat.controls.reports.settings import value as setting
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor, ActorKind
from habitat.members.policies.permissions import require_own
from habitat.members.policies.statuses import MAY_TRADE, MAY_UNSTAKE
from habitat.money import Money, plain, require_cloud

DESCRIPTION_LENGTH: Final = 2000


@transaction.atomic
def stake(
    *, member: Member, amount: Money, days: int, idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Locks `amount` CLOUD for `days` (30 to 365) at the curve's share, fixed for ever (domain §5).

    Raises NotAllowed, NotAnInvestor, LockOutOfRange, StakeAboveCap, MemberNotActive, InsufficientBalance,
    IdempotencyConflict.
    """
    quantity = require_cloud(amount)
    share = share_percent(days)
    require_own(acting, member.pk, "cloud_credits.stake_for_members")
    claim = idempotency.claim(
        namespace=acting.label,
        operation="stake",
        key=idempotency_key,
        content={"member": member.pk, "amount": plain(quantity), "days": days},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    if not locks.member(member.pk).is_investor:
        raise NotAnInvestor
    _check_cap(member, quantity)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.STAKE,
                amount=quantity,
                purpose=Purpose.STAKING,
                from_member=member.pk,
                to_member=member.pk,
                description=f"Staked for {days} days at {share} %",
                from_statuses=MAY_TRADE,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    position = StakingPosition.objects.create(
        member=member,
        amount=quantity,
        days=days,
        share_percent=share,
        staked_at=applied.booked_at,
        unlock_at=unlocks_at(applied.booked_at, days),
        stake_transaction_id=applied.transaction_id,
    )
    emit(_staked(applied, position), acting=acting)
    return Outcome(applied.row(acting), replayed=False)


@transaction.atomic
def unstake(
    *, position: StakingPosition, reason: str = "", idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Releases a stake at or after its `unlock_at`; what the member owes (1310) is settled from it first.

    A person who releases another's stake says why. Raises NotAllowed, ReasonRequired, StillLocked,
    PositionNotActive, MemberNotActive, IdempotencyConflict.
    """
    require_own(acting, position.member_id, "cloud_credits.stake_for_members")
    is_own = acting.kind is ActorKind.SYSTEM or acting.is_member(position.member_id)
    why = "" if is_own else f": {require_reason(reason)}"
    claim = idempotency.claim(
        namespace=acting.label, operation="unstake", key=idempotency_key, content={"position": position.pk}
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    owed = receivables.lock_owed(position.member_id)
    held = locks.active_position(position.pk)
    if datetime.now(tz=UTC) < held.unlock_at:
        raise StillLocked(unlock_at=f"{held.unlock_at:%Y-%m-%d %H:%M} UTC")
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.UNSTAKE,
                amount=held.amount,
                purpose=Purpose.STAKING,
                from_member=held.member_id,
                to_member=held.member_id,
                description=f"Released the stake of {held.staked_at:%Y-%m-%d}{why}"[:DESCRIPTION_LENGTH],
                from_statuses=MAY_UNSTAKE,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    held.release()
    held.unstake_transaction_id = applied.transaction_id
    held.released_at = applied.booked_at
    held.save(update_fields=["state", "unstake_transaction", "released_at"])
    emit(_unstaked(applied, held), acting=acting)
    receivables.settle(owed=owed, at_most=held.amount, acting=acting)
    return Outcome(applied.row(acting), replayed=False)


def _check_cap(member: Member, quantity: Decimal) -> None:
    """At most the setting's percentage of what a member holds may be staked."""
    cap = Decimal(setting(STAKING_CAP))
    held = locks.balances([member.pk])[member.pk].holding
    allowed = stakeable(liquid=held.liquid, staked=held.staked, cap_percent=cap)
    if quantity > allowed and cap < 100:
        raise StakeAboveCap(cap=plain(cap), allowed=plain(allowed), needed=plain(quantity), field="amount")


def _staked(applied: Applied, position: StakingPosition) -> CloudStaked:
    after = applied.from_after
    return CloudStaked(
        transaction_id=applied.transaction_id,
        position_id=position.pk,
        member_id=position.member_id,
        quantity=plain(position.amount),
        lock_duration_days=position.days,
        revenue_share_percent=plain(position.share_percent),
        unlock_at=position.unlock_at.isoformat(),
        balance_after=liquid_after(after),
        staked_after=plain(after.staked) if after else "0",
        timestamp=applied.booked_at.isoformat(),
    )


def _unstaked(applied: Applied, position: StakingPosition) -> CloudUnstaked:
    after = applied.from_after
    return CloudUnstaked(
        transaction_id=applied.transaction_id,
        position_id=position.pk,
        member_id=position.member_id,
        quantity=plain(position.amount),
        balance_after=liquid_after(after),
        staked_after=plain(after.staked) if after else "0",
        timestamp=applied.booked_at.isoformat(),
    )
