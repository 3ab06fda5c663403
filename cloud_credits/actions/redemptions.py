"""Credits spent on infrastructure: the liability falls, revenue is earned."""

from decimal import Decimal

from django.db import transaction

from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.events import CloudRedeemed
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require_own
from habitat.members.policies.statuses import MAY_REDEEM
from habitat.money import Money, cloud_to_usd, plain, require_cloud


@transaction.atomic
def redeem(
    *, member: Member, amount: Money, description: str = "", idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Spends `amount` CLOUD of the member's liquid credits: 2220 → 4420 (domain §6; techne: 2220 → 1130).

    Raises NotAllowed, MemberNotActive (suspended), NoCloudIdentity, InsufficientBalance, IdempotencyConflict.
    """
    quantity = require_cloud(amount)
    require_own(acting, member.pk, "cloud_credits.redeem_credits")
    claim = idempotency.claim(
        namespace=acting.label,
        operation="redeem",
        key=idempotency_key,
        content={"member": member.pk, "amount": plain(quantity), "description": description},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    [applied] = movements.apply(
        [redemption(member_id=member.pk, quantity=quantity, description=description)],
        ids=[claim.transaction_id],
        acting=acting,
    )
    emit(redeemed(applied), acting=acting)
    return Outcome(applied.row(acting), replayed=False)


def redemption(*, member_id: int, quantity: Decimal, description: str, reference: str = "") -> Movement:
    """The movement behind every redemption, metered or not."""
    return Movement(
        type=TransactionType.REDEMPTION,
        amount=quantity,
        purpose=Purpose.REDEMPTION,
        from_member=member_id,
        description=description,
        reference=reference,
        from_statuses=MAY_REDEEM,
    )


def redeemed(applied: Applied) -> CloudRedeemed:
    """The fact that credits were spent, without a metered event behind it."""
    movement = applied.movement
    return CloudRedeemed(
        transaction_id=applied.transaction_id,
        member_id=movement.from_member or 0,
        quantity=plain(movement.amount),
        credit_value=plain(cloud_to_usd(movement.amount)),
        balance_after=liquid_after(applied.from_after),
        journal_entry_id=applied.journal_entry_id,
        timestamp=applied.booked_at.isoformat(),
        ranges=[_range_of(applied)],
    )


def _range_of(applied: Applied) -> dict[str, str | int]:
    movement, after = applied.movement, applied.from_after
    if movement.from_member is None or after is None:
        message = "a redemption has a member on its side"
        raise ValueError(message)
    return redeemed_range(
        member_id=movement.from_member,
        first_sequence=after.sequence,
        count=1,
        quantity=movement.amount,
        balance_after=after.liquid,
    )


def redeemed_range(
    *, member_id: int, first_sequence: int, count: int, quantity: Decimal, balance_after: Decimal
) -> dict[str, str | int]:
    """The ledger rows of one member behind a fact, as `cloud.redeemed` lists them. Amounts in CLOUD."""
    return {
        "member_id": member_id,
        "first_sequence": first_sequence,
        "last_sequence": first_sequence + count - 1,
        "count": count,
        "quantity": plain(quantity),
        "balance_after": plain(balance_after),
    }
