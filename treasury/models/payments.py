"""Money that came in for credits, and what became of it: payments, refunds, disputes."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.members.models import Member
from treasury.models.journal import ClockTime, JournalEntry
from treasury.policies.payments import DisputeState, PaymentState, Provider, RefundOrigin, RefundState

if TYPE_CHECKING:
    from datetime import datetime

    from habitat.members.models import User

# USD, exact to eight decimals: domain §1.
DOLLARS: Final = {"max_digits": 20, "decimal_places": 8}


class PaymentQuerySet(models.QuerySet["Payment"]):
    def visible_to(self, user: "User | AnonymousUser") -> "PaymentQuerySet":
        """A member's own; all of them for who may view payments."""
        if user.has_perm("treasury.view_payment"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))

    def waiting(self, *, after: "tuple[datetime, int] | None" = None) -> "PaymentQuerySet":
        """Of a known member, and not minted yet, or not all of it: oldest first, behind the one of `after`, its time
        and id.
        """
        waits = Q(state=PaymentState.RECEIVED.value) | Q(late__gt=0)
        rows = self.filter(waits, member__isnull=False).order_by("received_at", "id")
        if after is None:
            return rows
        moment, number = after
        return rows.filter(received_at__gte=moment).exclude(received_at=moment, id__lte=number)


class Payment(FSMModelMixin, models.Model):
    """One payment, once per PaymentIntent or bank line. Its dollars stand in 2240 until they are minted or go back.

    `refunded` and `disputed` are totals of the charge as Stripe tells them (`disputed`: lost ones only);
    `clawed_back` is how much of them was taken back in credits or became a receivable. `late` came back after the
    mint, by a refund made before it that failed: it waits in 2240 for its credits, and `minted` grows by it. All in
    USD.
    """

    provider = models.CharField(max_length=8, choices=[(p.value, p.value) for p in Provider])
    reference = models.CharField(max_length=120)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="payments")
    amount = models.DecimalField(**DOLLARS)
    method = models.CharField(max_length=40, db_default="", default="")
    charge_id = models.CharField(max_length=80, db_default="", default="", blank=True)
    customer_id = models.CharField(max_length=80, db_default="", default="", blank=True)
    purchase_ref = models.CharField(max_length=80, db_default="", default="", blank=True)
    invoice_ref = models.CharField(max_length=80, db_default="", default="", blank=True)
    # Why it can never become credits (`wrong_currency`, `other_customer` …); empty when nothing stands against it.
    problem = models.CharField(max_length=40, db_default="", default="", blank=True)
    state = FSMField(
        default=PaymentState.RECEIVED.value,
        choices=[(s.value, s.value) for s in PaymentState],
        protected=True,
    )
    minted = models.DecimalField(**DOLLARS, db_default=0, default=0)
    refunded = models.DecimalField(**DOLLARS, db_default=0, default=0)
    disputed = models.DecimalField(**DOLLARS, db_default=0, default=0)
    clawed_back = models.DecimalField(**DOLLARS, db_default=0, default=0)
    late = models.DecimalField(**DOLLARS, db_default=0, default=0)
    journal_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="payment")
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="payment_once", fields=["provider", "reference"]),
            models.CheckConstraint(name="payment_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="payment_provider_known", condition=Q(provider__in=[p.value for p in Provider])
            ),
            models.CheckConstraint(name="payment_state_known", condition=Q(state__in=[s.value for s in PaymentState])),
            models.CheckConstraint(
                name="payment_totals_within",
                condition=Q(
                    minted__gte=0,
                    minted__lte=F("amount"),
                    refunded__gte=0,
                    disputed__gte=0,
                    clawed_back__gte=0,
                    clawed_back__lte=F("minted"),
                ),
                violation_error_message="No more than was paid can be minted, and no more than was minted taken back.",
            ),
            models.CheckConstraint(
                name="payment_late_within",
                condition=Q(late=0)
                | Q(late__gt=0, state=PaymentState.MINTED.value, minted__lte=F("amount") - F("late")),
                violation_error_message="Only what came back after the mint, and no more than was paid, waits again.",
            ),
            models.CheckConstraint(
                name="payment_minted_in_state",
                condition=Q(state=PaymentState.MINTED.value, minted__gt=0)
                | (~Q(state=PaymentState.MINTED.value) & Q(minted=0)),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                name="payment_waiting",
                fields=["received_at", "id"],
                condition=Q(state=PaymentState.RECEIVED.value),
            ),
            models.Index(name="payment_late", fields=["received_at", "id"], condition=Q(late__gt=0)),
            models.Index(name="payment_charge", fields=["charge_id"], condition=~Q(charge_id="")),
        ]
        permissions: ClassVar = [
            ("identify_payment", "Can say whose a payment is"),
            ("refund_payment", "Can send a payment back"),
        ]

    def __str__(self) -> str:
        return f"Payment {self.reference}"

    @transition(field=state, source=PaymentState.RECEIVED.value, target=PaymentState.MINTED.value)
    def mint(self) -> None:
        """Its credits exist."""

    @transition(field=state, source=PaymentState.RECEIVED.value, target=PaymentState.APPLIED.value)
    def apply_to_debt(self) -> None:
        """It paid what its sender owed."""

    @transition(field=state, source=PaymentState.RECEIVED.value, target=PaymentState.REFUNDING.value)
    def begin_refund(self) -> None:
        """It cannot become credits: the money goes back."""

    @transition(
        field=state,
        source=[PaymentState.RECEIVED.value, PaymentState.REFUNDING.value],
        target=PaymentState.REFUNDED.value,
    )
    def finish_refund(self) -> None:
        """All of it went back before any credit was minted."""

    @transition(
        field=state,
        source=[PaymentState.REFUNDING.value, PaymentState.REFUNDED.value],
        target=PaymentState.RECEIVED.value,
    )
    def refund_failed(self) -> None:
        """The money came back to the cooperative; it waits again."""

    @property
    def left(self) -> Decimal:
        """USD of it that neither went back nor was lost: what can be minted, or refunded; with what is `late`."""
        return max(self.amount - self.refunded - self.disputed, Decimal(0))

    @property
    def waits(self) -> Decimal:
        """USD of it that stand in 2240 and may become credits, or go back."""
        return self.late if self.state == PaymentState.MINTED.value else self.left


class Refund(FSMModelMixin, models.Model):
    """Money on its way back to whoever paid. In USD."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    refund_id = models.CharField(max_length=120, unique=True)
    amount = models.DecimalField(**DOLLARS)
    # How much of it must be taken back in credits: it was made at Stripe after they were minted.
    reclaim = models.DecimalField(**DOLLARS, db_default=0, default=0)
    # How much of it the payment's own dollars in 2240 covered, that were no credits. Unless credits were burned for
    # it (`habitat`), the rest of a refund that succeeded is the cooperative's loss.
    held = models.DecimalField(**DOLLARS, db_default=0, default=0)
    origin = models.CharField(max_length=8, choices=[(o.value, o.value) for o in RefundOrigin])
    state = FSMField(
        default=RefundState.PENDING.value,
        choices=[(s.value, s.value) for s in RefundState],
        protected=True,
    )
    # Whether its outcome stands in the books (Dr 2240 / Cr 1115); a later failure is booked by an entry of its own.
    journal_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, null=True, related_name="refund")
    created_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="refund_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="refund_reclaim_within",
                condition=Q(reclaim__gte=0, held__gte=0, reclaim__lte=F("amount") - F("held")),
            ),
            models.CheckConstraint(name="refund_state_known", condition=Q(state__in=[s.value for s in RefundState])),
            models.CheckConstraint(name="refund_origin_known", condition=Q(origin__in=[o.value for o in RefundOrigin])),
        ]

    def __str__(self) -> str:
        return f"Refund {self.refund_id}"

    @transition(field=state, source=RefundState.PENDING.value, target=RefundState.SUCCEEDED.value)
    def succeed(self) -> None:
        """The payer has the money."""

    @transition(
        field=state,
        source=[RefundState.PENDING.value, RefundState.SUCCEEDED.value],
        target=RefundState.FAILED.value,
    )
    def fail(self) -> None:
        """The money did not arrive, or came back."""

    @property
    def is_ours(self) -> bool:
        """Asked for in this house: the credits were burned, or never minted, before it was sent."""
        return self.origin != RefundOrigin.STRIPE.value


class Dispute(FSMModelMixin, models.Model):
    """A charge the payer contests at their bank. `fee` is what Stripe takes for it. In USD."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    dispute_id = models.CharField(max_length=120, unique=True)
    amount = models.DecimalField(**DOLLARS)
    fee = models.DecimalField(**DOLLARS, db_default=0, default=0)
    # How much of a lost one must be taken back in credits, and how much stood in 2240 and was no credits; the rest is
    # the cooperative's loss.
    reclaim = models.DecimalField(**DOLLARS, db_default=0, default=0)
    held = models.DecimalField(**DOLLARS, db_default=0, default=0)
    reason = models.CharField(max_length=80, db_default="", default="", blank=True)
    state = FSMField(
        default=DisputeState.OPEN.value,
        choices=[(s.value, s.value) for s in DisputeState],
        protected=True,
    )
    opened_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, null=True, related_name="+")
    closed_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="dispute_amount_positive", condition=Q(amount__gt=0, fee__gte=0)),
            models.CheckConstraint(
                name="dispute_reclaim_within",
                condition=Q(reclaim__gte=0, held__gte=0, reclaim__lte=F("amount") - F("held")),
            ),
            models.CheckConstraint(name="dispute_state_known", condition=Q(state__in=[s.value for s in DisputeState])),
        ]

    def __str__(self) -> str:
        return f"Dispute {self.dispute_id}"

    @transition(field=state, source=DisputeState.OPEN.value, target=DisputeState.WON.value)
    def win(self) -> None:
        """The money came back."""

    @transition(field=state, source=DisputeState.OPEN.value, target=DisputeState.LOST.value)
    def lose(self) -> None:
        """The money is gone."""
