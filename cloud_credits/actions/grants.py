"""Credits given from one of the cooperative's own accounts: techne, pool, watershed."""

from django.db import transaction

from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.transfers import transferred
from cloud_credits.errors import NotASystemAccount, SelfTransfer
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import Movement, Purpose, TransactionType
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import Money, plain, require_cloud


@transaction.atomic
def grant(
    *, giver: Member, recipient: Member, amount: Money, reason: str, idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Moves `amount` CLOUD from a system account; techne's side posts 5930 / 1130 (domain §6).

    Raises NotAllowed, ReasonRequired, NotASystemAccount, SelfTransfer, MemberNotActive, InsufficientBalance.
    """
    quantity = require_cloud(amount)
    require(acting, "cloud_credits.grant_credits")
    why = require_reason(reason)
    if giver.pk == recipient.pk:
        raise SelfTransfer(field="recipient")
    if giver.system_code is None:
        raise NotASystemAccount(holder=giver.display_name, field="giver")
    claim = idempotency.claim(
        namespace=acting.label,
        operation="grant",
        key=idempotency_key,
        content={"from": giver.pk, "to": recipient.pk, "amount": plain(quantity), "reason": why},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    [applied] = movements.apply(
        [
            Movement(
                type=TransactionType.TRANSFER,
                amount=quantity,
                purpose=Purpose.GRANT,
                from_member=giver.pk,
                to_member=recipient.pk,
                description=why,
                from_statuses=MAY_TRADE,
                to_statuses=MAY_TRADE,
            )
        ],
        ids=[claim.transaction_id],
        acting=acting,
    )
    emit(transferred(applied, memo=why), acting=acting)
    return Outcome(applied.row(acting), replayed=False)
