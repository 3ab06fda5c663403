"""What Stripe told: stored webhooks, balance transactions, pay-outs, and its balance when asked."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from treasury.models.journal import ClockTime, JournalEntry
from treasury.models.payments import DOLLARS
from treasury.policies.payments import PayoutState, StripeEventState


class StripeEvent(FSMModelMixin, models.Model):
    """A webhook whose signature held, stored as it came before anything is done with it."""

    event_id = models.CharField(max_length=120, unique=True)
    type = models.CharField(max_length=120)
    payload = models.JSONField()
    state = FSMField(
        default=StripeEventState.RECEIVED.value,
        choices=[(s.value, s.value) for s in StripeEventState],
        protected=True,
    )
    attempts = models.PositiveSmallIntegerField(db_default=0, default=0)
    due_at = models.DateTimeField(db_default=ClockTime())
    error = models.CharField(max_length=500, db_default="", default="", blank=True)
    received_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="stripeevent_state_known", condition=Q(state__in=[s.value for s in StripeEventState])
            )
        ]
        indexes: ClassVar = [
            models.Index(
                name="stripeevent_due", fields=["due_at", "id"], condition=Q(state=StripeEventState.RECEIVED.value)
            )
        ]
        permissions: ClassVar = [("process_stripeevent", "Can have a stored webhook processed again")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @transition(field=state, source=StripeEventState.RECEIVED.value, target=StripeEventState.PROCESSED.value)
    def finish(self) -> None:
        """What it told is in the books."""

    @transition(field=state, source=StripeEventState.RECEIVED.value, target=StripeEventState.IGNORED.value)
    def ignore(self) -> None:
        """It concerns nothing the house keeps."""

    @transition(field=state, source=StripeEventState.RECEIVED.value, target=StripeEventState.FAILED.value)
    def fail(self) -> None:
        """It failed too often: a person must look."""

    @transition(field=state, source=StripeEventState.FAILED.value, target=StripeEventState.RECEIVED.value)
    def process_again(self) -> None:
        """A person wants another try."""


class Payout(FSMModelMixin, models.Model):
    """Money between Stripe and the bank; a negative amount is one that Stripe takes from the bank. In USD."""

    payout_id = models.CharField(max_length=120, unique=True)
    amount = models.DecimalField(**DOLLARS)
    arrival_on = models.DateField(null=True)
    state = FSMField(
        default=PayoutState.PENDING.value,
        choices=[(s.value, s.value) for s in PayoutState],
        protected=True,
    )
    created_at = models.DateTimeField()
    # When a bank line was matched to it: until then its money is in transit (a term of the backing).
    matched_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="payout_amount_not_zero", condition=~Q(amount=0)),
            models.CheckConstraint(name="payout_state_known", condition=Q(state__in=[s.value for s in PayoutState])),
        ]

    def __str__(self) -> str:
        return f"Payout {self.payout_id}"

    @transition(field=state, source=PayoutState.PENDING.value, target=PayoutState.IN_TRANSIT.value)
    def send(self) -> None:
        """It left Stripe."""

    @transition(
        field=state, source=[PayoutState.PENDING.value, PayoutState.IN_TRANSIT.value], target=PayoutState.PAID.value
    )
    def arrive(self) -> None:
        """Stripe expects it at the bank."""

    @transition(
        field=state,
        source=[PayoutState.PENDING.value, PayoutState.IN_TRANSIT.value, PayoutState.PAID.value],
        target=PayoutState.FAILED.value,
    )
    def fail(self) -> None:
        """The bank sent it back."""


class StripeMovement(models.Model):
    """One balance transaction: how Stripe says its balance moved. `net` = `amount` − `fee`. In USD, signed."""

    bt_id = models.CharField(max_length=120, unique=True)
    type = models.CharField(max_length=60)
    amount = models.DecimalField(**DOLLARS)
    fee = models.DecimalField(**DOLLARS)
    net = models.DecimalField(**DOLLARS)
    source_id = models.CharField(max_length=120, db_default="", default="", blank=True)
    description = models.CharField(max_length=500, db_default="", default="", blank=True)
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, related_name="movements")
    available_on = models.DateTimeField()
    occurred_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    # The entry that books what this row alone tells: a fee, an adjustment. Gross amounts stand with their payment.
    journal_entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, null=True, related_name="movement")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="movement_net_is_amount_less_fee", condition=Q(net=F("amount") - F("fee")))
        ]
        indexes: ClassVar = [
            models.Index(name="movement_source", fields=["source_id"]),
            models.Index(name="movement_occurred", fields=["occurred_at", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.bt_id}"


class StripeReading(models.Model):
    """Stripe's own balance at the moment it was asked. In USD; either may be negative."""

    available = models.DecimalField(**DOLLARS)
    pending = models.DecimalField(**DOLLARS)
    read_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(name="stripereading_read", fields=["-read_at"])]

    def __str__(self) -> str:
        return f"Stripe balance of {self.read_at:%Y-%m-%d %H:%M}Z"
