"""What the books already know of Stripe's objects, and what is still undecided there."""

from datetime import datetime

from django.db.models import Max

from habitat.workflows.models import Job
from habitat.workflows.policies.states import JobState
from treasury.models import Dispute, Payment, Payout, Refund, StripeMovement
from treasury.policies import stripe_movements as policy
from treasury.policies.jobs import SWEEP_JOB
from treasury.policies.payments import DisputeState, PayoutState, RefundOrigin, RefundState
from treasury.policies.stripe import StripeTransaction


def last_whole_sweep(*, default: datetime) -> datetime:
    """Until when everything is known to have been found: the due time of the last nightly sweep that ended well.

    The newest movement in the books would not do: a webhook brings one after another has been missed.
    """
    whole = Job.objects.filter(name=SWEEP_JOB, state=JobState.DONE.value)
    return whole.aggregate(last=Max("due_at"))["last"] or default


def has_movement(bt_id: str) -> bool:
    return StripeMovement.objects.filter(bt_id=bt_id).exists()


def is_known(told: StripeTransaction) -> bool:
    """Whether what this movement did stands in the books already."""
    source = told.source_id
    if policy.is_late_failure(told):
        return Refund.objects.filter(refund_id=told.id).exists()
    if told.type in policy.CHARGES:
        return Payment.objects.filter(charge_id=source).exists() and has_movement(told.id)
    if told.type in policy.REFUNDS:
        failed = told.amount > 0
        rows = Refund.objects.filter(refund_id=source)
        return (rows.filter(state=RefundState.FAILED.value) if failed else rows).exists()
    if told.type in policy.PAYOUTS | policy.TOPUPS:
        rows = Payout.objects.filter(payout_id=source or told.id)
        undone = told.type in {"payout_failure", "payout_cancel", "topup_reversal"}
        return (rows.filter(state=PayoutState.FAILED.value) if undone else rows).exists()
    if policy.treatment(told) is policy.Treatment.DISPUTE:
        column = "opened_entry__isnull" if told.amount < 0 else "closed_entry__isnull"
        return Dispute.objects.filter(dispute_id=source, **{column: False}).exists()
    return True


def open_disputes() -> list[str]:
    """Disputes whose outcome is not known, oldest first."""
    return list(
        Dispute.objects.filter(state=DisputeState.OPEN.value).order_by("id").values_list("dispute_id", flat=True)
    )


def pending_refunds() -> list[str]:
    """Refunds at Stripe whose outcome is not known, oldest first."""
    rows = Refund.objects.filter(state=RefundState.PENDING.value).exclude(origin=RefundOrigin.BANK.value)
    return list(rows.order_by("id").values_list("refund_id", flat=True))


def unfinished_payouts() -> list[str]:
    """Pay-outs that Stripe has not finished, oldest first; top-ups are no pay-outs of Stripe's."""
    unfinished = [PayoutState.PENDING.value, PayoutState.IN_TRANSIT.value]
    rows = Payout.objects.filter(state__in=unfinished, payout_id__startswith="po_")
    return list(rows.order_by("id").values_list("payout_id", flat=True))


def disputes_of(charge_ids: list[str]) -> list[str]:
    """Disputes in the books about these charges, oldest first."""
    rows = Dispute.objects.filter(payment__charge_id__in=charge_ids)
    return list(rows.order_by("id").values_list("dispute_id", flat=True))
