"""Invoices of the cooperative's own services, in CLOUD: their lines, their due day, how they were paid."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round
from django_fsm import FSMField, transition

from cloud_credits.models.balances import CREDIT
from cloud_credits.models.transactions import CloudTransaction
from cloud_credits.policies.invoices import InvoiceState
from habitat.members.models import Member

if TYPE_CHECKING:
    from habitat.members.models import User


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def visible_to(self, user: "User | AnonymousUser") -> "InvoiceQuerySet":
        """A member's own once they were sent; all of them for who may view invoices."""
        if user.has_perm("cloud_credits.view_invoice"):
            return self
        return self.filter(member__in=Member.objects.held_by(user)).exclude(sent_at=None)


class Invoice(models.Model):
    """What a member owes techne for work. `total` (CLOUD) is the sum of its lines; the number comes when it is sent."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="cloud_invoices")
    number = models.PositiveIntegerField(null=True, unique=True, editable=False)
    title = models.CharField(max_length=200)
    total = models.DecimalField(**CREDIT)
    state = FSMField(
        default=InvoiceState.DRAFT.value,
        choices=[(s.value, s.value) for s in InvoiceState],
        protected=True,
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=64, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    due_on = models.DateField(null=True, editable=False)
    paid_at = models.DateTimeField(null=True, editable=False)
    paid_by = models.CharField(max_length=20, db_default="", default="", blank=True, editable=False)
    payment_transaction = models.OneToOneField(
        CloudTransaction, on_delete=models.PROTECT, null=True, related_name="paid_invoice", editable=False
    )
    refund_transaction = models.OneToOneField(
        CloudTransaction, on_delete=models.PROTECT, null=True, related_name="refunded_invoice", editable=False
    )
    # A card payment for it arrived and waits for its credits: "payment received", paid when minting resumes.
    payment_received_at = models.DateTimeField(null=True, editable=False)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="invoice_total_positive", condition=Q(total__gt=0)),
            models.CheckConstraint(name="invoice_state_known", condition=Q(state__in=[s.value for s in InvoiceState])),
            models.CheckConstraint(
                name="invoice_sent_whole",
                condition=Q(sent_at__isnull=True, number__isnull=True, due_on__isnull=True)
                | Q(sent_at__isnull=False, number__isnull=False, due_on__isnull=False),
            ),
            models.CheckConstraint(
                name="invoice_paid_whole",
                condition=Q(
                    state__in=[InvoiceState.PAID.value, InvoiceState.REFUNDED.value],
                    payment_transaction__isnull=False,
                    paid_at__isnull=False,
                )
                | (
                    ~Q(state__in=[InvoiceState.PAID.value, InvoiceState.REFUNDED.value])
                    & Q(payment_transaction__isnull=True, paid_at__isnull=True)
                ),
            ),
            models.CheckConstraint(
                name="invoice_refunded_whole",
                condition=Q(state=InvoiceState.REFUNDED.value, refund_transaction__isnull=False)
                | (~Q(state=InvoiceState.REFUNDED.value) & Q(refund_transaction__isnull=True)),
            ),
        ]
        indexes: ClassVar = [
            models.Index(name="invoice_of_member", fields=["member", "-id"]),
            models.Index(name="invoice_due", fields=["due_on"], condition=Q(state=InvoiceState.SENT.value)),
        ]
        permissions: ClassVar = [
            ("write_invoice", "Can write, send and void invoices"),
            ("refund_invoice", "Can give the credits of a paid invoice back"),
        ]

    def __str__(self) -> str:
        return f"Invoice {self.number}" if self.number else f"Draft {self.pk}"

    @transition(field=state, source=InvoiceState.DRAFT.value, target=InvoiceState.SENT.value)
    def send(self) -> None:
        """The member has it; net 30 days."""

    @transition(
        field=state,
        source=[InvoiceState.SENT.value, InvoiceState.OVERDUE.value],
        target=InvoiceState.PAID.value,
    )
    def pay(self) -> None:
        """Its credits are techne's."""

    @transition(field=state, source=InvoiceState.SENT.value, target=InvoiceState.OVERDUE.value)
    def fall_due(self) -> None:
        """Its due day passed."""

    @transition(
        field=state,
        source=[InvoiceState.DRAFT.value, InvoiceState.SENT.value, InvoiceState.OVERDUE.value],
        target=InvoiceState.VOID.value,
    )
    def void(self) -> None:
        """It is not owed."""

    @transition(field=state, source=InvoiceState.PAID.value, target=InvoiceState.REFUNDED.value)
    def refund(self) -> None:
        """Its credits went back to the member."""


class InvoiceLine(models.Model):
    """One line: `amount` = quantity × price, in CLOUD, half-up to eight decimals."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    price = models.DecimalField(**CREDIT)
    amount = models.DecimalField(**CREDIT)

    class Meta:
        ordering: ClassVar = ["invoice", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="invoiceline_position_once", fields=["invoice", "position"]),
            models.CheckConstraint(name="invoiceline_positive", condition=Q(quantity__gt=0, price__gt=0, amount__gt=0)),
            models.CheckConstraint(
                name="invoiceline_is_quantity_times_price",
                condition=Q(amount=Round(F("quantity") * F("price"), precision=8)),
                violation_error_message="A line is its quantity × price, half-up to eight decimals.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.description}"


class InvoiceChange(models.Model):
    """One step in an invoice's life, with who and why. Never changed."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="changes")
    verb = models.CharField(max_length=16)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.invoice}: {self.verb}"
