"""Creating credits: by hand, with a reason and a second person."""

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import idempotency, movements
from cloud_credits.actions.idempotency import Outcome
from cloud_credits.actions.movements import Applied, liquid_after
from cloud_credits.errors import TechneTakesNoTransfers
from cloud_credits.events import CloudMinted
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import Purpose, TransactionState, TransactionType
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MAY_TRADE, SystemAccount
from habitat.money import Money, cloud_to_usd, plain, require_cloud

MANUAL_MINT = "manual_mint"


@transaction.atomic
def request_manual_mint(
    *, member: Member, amount: Money, reason: str, idempotency_key: str, acting: Actor
) -> Outcome[CloudTransaction]:
    """Asks for a mint: a pending transaction and an approval that another person must grant (domain §3).

    Raises NotAllowed, ReasonRequired, TechneTakesNoTransfers, IdempotencyConflict.
    """
    quantity = require_cloud(amount)
    require(acting, "cloud_credits.mint_credits")
    why = require_reason(reason)
    if member.system_code == SystemAccount.TECHNE:
        raise TechneTakesNoTransfers(field="member")
    claim = idempotency.claim(
        namespace=acting.label,
        operation="manual_mint",
        key=idempotency_key,
        content={"member": member.pk, "amount": plain(quantity), "reason": why},
    )
    if not claim.is_new:
        return idempotency.first_result(claim)
    row = CloudTransaction.objects.create(
        id=claim.transaction_id,
        type=TransactionType.MINT.value,
        state=TransactionState.PENDING.value,
        to_member=member,
        amount=quantity,
        purpose=Purpose.MANUAL.value,
        description=why,
        acting=acting.label,
    )
    approvals.request(
        kind=MANUAL_MINT,
        subject=f"Mint {plain(quantity)} CLOUD to {member.display_name}",
        payload={"transaction": str(row.pk)},
        reason=why,
        acting=acting,
    )
    return Outcome(row, replayed=False)


@transaction.atomic(savepoint=False)
def carry_out_manual_mint(*, approval: Approval, acting: Actor) -> Applied:
    """What a granted approval does: the pending mint is processed and completed. Posts 5930 / 2220."""
    row = locks.pending_in_order(int(approval.payload["transaction"]))
    row.process()
    row.save(update_fields=["state"])
    row.complete()
    [applied] = movements.apply(
        [row.as_movement().admitting(to_statuses=MAY_TRADE)], ids=[row.pk], acting=acting, completes_pending=True
    )
    emit(minted(applied, payment_method="manual"), acting=acting)
    return applied


@transaction.atomic(savepoint=False)
def abandon_manual_mint(*, approval: Approval, acting: Actor) -> CloudTransaction:
    """What a refused or withdrawn approval does: the pending mint fails and stays failed."""
    row = locks.cloud_transaction(int(approval.payload["transaction"]))
    row.fail()
    row.save(update_fields=["state"])
    return row


def minted(applied: Applied, *, payment_method: str) -> CloudMinted:
    """The fact that credits were created."""
    movement = applied.movement
    return CloudMinted(
        transaction_id=applied.transaction_id,
        member_id=movement.to_member or 0,
        quantity=plain(movement.amount),
        amount_paid=plain(cloud_to_usd(movement.amount)) if movement.purpose is Purpose.PAYMENT else "0",
        payment_method=payment_method,
        reference=movement.reference,
        balance_after=liquid_after(applied.to_after),
        journal_entry_id=applied.journal_entry_id,
        timestamp=applied.booked_at.isoformat(),
    )
