"""Credits from one member to another."""

from django.db import transaction

from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.events import CloudTransferred
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from cloud_credits.policies.transfers import LONGEST_MEMO, check_sides
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require_own
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import Money, plain, require_cloud


@transaction.atomic
def transfer(
    *, sender: Member, recipient: Member, amount: Money, memo: str = "", idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Moves `amount` CLOUD from sender to recipient at once. Source: brief 123 §4 workflow 3; domain §3.

    Raises NotAllowed, SelfTransfer, TechneTakesNoTransfers, TechneMakesNoTransfers, MemberNotActive,
    NoCloudIdentity, InsufficientBalance, IdempotencyConflict and the money errors.
    """
    quantity = require_cloud(amount)
    require_own(acting, sender.pk, "cloud_credits.transfer_for_members")
    check_sides(sender=sender, recipient=recipient)
    memo = memo.strip()[:LONGEST_MEMO]
    claim = idempotency.claim(
        namespace=acting.label,
        operation="transfer",
        key=idempotency_key,
        content={"from": sender.pk, "to": recipient.pk, "amount": plain(quantity), "memo": memo},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.TRANSFER,
                amount=quantity,
                purpose=Purpose.TRANSFER,
                from_member=sender.pk,
                to_member=recipient.pk,
                description=memo,
                from_statuses=MAY_TRADE,
                to_statuses=MAY_TRADE,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    emit(transferred(applied, memo=memo), acting=acting)
    return Outcome(applied.row(acting), replayed=False)


def transferred(applied: Applied, *, memo: str) -> CloudTransferred:
    """The fact that credits went from one member to another."""
    movement = applied.movement
    return CloudTransferred(
        transaction_id=applied.transaction_id,
        from_member_id=movement.from_member or 0,
        to_member_id=movement.to_member or 0,
        quantity=plain(movement.amount),
        from_balance_after=liquid_after(applied.from_after),
        to_balance_after=liquid_after(applied.to_after),
        memo=memo,
        purpose=movement.purpose.value,
        journal_entry_id=applied.journal_entry_id,
        timestamp=applied.booked_at.isoformat(),
    )
