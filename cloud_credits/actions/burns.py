"""Credits destroyed by operations, with a reason."""

from django.db import transaction

from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import liquid_after
from cloud_credits.events import CloudBurned
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import Money, plain, require_cloud


@transaction.atomic
def burn(
    *,
    member: Member,
    amount: Money,
    reason: str,
    idempotency_key: str,
    acting: Actor,
    purpose: Purpose = Purpose.MANUAL,
) -> Outcome[CloudTransaction]:
    """Destroys `amount` CLOUD of liquid credits: 2220 against the purpose's account (techne: against 1130).

    Raises NotAllowed, ReasonRequired, NoCloudIdentity, InsufficientBalance, IdempotencyConflict.
    """
    quantity = require_cloud(amount)
    require(acting, "cloud_credits.burn_credits")
    why = require_reason(reason)
    claim = idempotency.claim(
        namespace=acting.label,
        operation="burn",
        key=idempotency_key,
        content={"member": member.pk, "amount": plain(quantity), "reason": why, "purpose": purpose.value},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.BURN,
                amount=quantity,
                purpose=purpose,
                from_member=member.pk,
                description=why,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    emit(
        CloudBurned(
            transaction_id=applied.transaction_id,
            member_id=member.pk,
            quantity=plain(quantity),
            reason=why,
            balance_after=liquid_after(applied.from_after),
            journal_entry_id=applied.journal_entry_id,
            timestamp=applied.booked_at.isoformat(),
        ),
        acting=acting,
    )
    return Outcome(applied.row(acting), replayed=False)
