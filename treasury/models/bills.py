"""What the cooperative owes a supplier or a tax authority."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from treasury.models.bank import USD
from treasury.models.journal import JournalEntry
from treasury.policies.bank import BILL_ACCOUNTS, BillKind, BillState


class Bill(FSMModelMixin, models.Model):
    """A supplier's bill or a tax assessment, in USD; paid by the bank line that is matched to it."""

    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in BillKind])
    account = models.CharField(
        max_length=4, choices=[(code, code) for codes in BILL_ACCOUNTS.values() for code in codes]
    )
    supplier = models.CharField(max_length=200)
    number = models.CharField(max_length=64, help_text="The supplier's own number of it.")
    amount = models.DecimalField(**USD)
    billed_on = models.DateField(help_text="The day it counts in the books.")
    due_on = models.DateField()
    state = FSMField(
        default=BillState.OPEN.value, choices=[(state.value, state.value) for state in BillState], protected=True
    )
    note = models.TextField(blank=True)
    idempotency_key = models.CharField(max_length=200, unique=True, editable=False)
    journal_entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="+", db_index=False)
    recorded_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    void_entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="+", null=True, blank=True, db_index=False
    )
    voided_by = models.CharField(max_length=64, blank=True)
    void_reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="bill_number_once",
                fields=["supplier", "number"],
                condition=~Q(state=BillState.VOID.value),
                violation_error_message="This supplier's bill of that number is recorded already.",
            ),
            models.CheckConstraint(
                name="bill_amount_positive",
                condition=Q(amount__gt=0),
                violation_error_message="The amount of a bill is more than zero.",
            ),
            models.CheckConstraint(name="bill_state_known", condition=Q(state__in=[s.value for s in BillState])),
            models.CheckConstraint(
                name="bill_account_of_kind",
                condition=Q(kind=BillKind.INFRASTRUCTURE.value, account__in=BILL_ACCOUNTS[BillKind.INFRASTRUCTURE])
                | Q(kind=BillKind.TAX.value, account__in=BILL_ACCOUNTS[BillKind.TAX]),
                violation_error_message="Infrastructure bills stand on 5510 to 5540, taxes on 6510.",
            ),
            models.CheckConstraint(
                name="bill_void_whole",
                condition=Q(state=BillState.VOID.value, void_entry__isnull=False)
                | (~Q(state=BillState.VOID.value) & Q(void_entry__isnull=True)),
                violation_error_message="A void bill has the entry that took it back.",
            ),
        ]
        permissions: ClassVar = [
            ("record_bill", "Can record a bill"),
            ("void_bill", "Can void a bill"),
        ]

    def __str__(self) -> str:
        return f"{self.supplier} {self.number}"

    @transition(field=state, source=BillState.OPEN.value, target=BillState.PAID.value)
    def pay(self) -> None:
        """A bank line is matched to it."""

    @transition(field=state, source=BillState.PAID.value, target=BillState.OPEN.value)
    def reopen(self) -> None:
        """The match that paid it was undone."""

    @transition(field=state, source=BillState.OPEN.value, target=BillState.VOID.value)
    def void(self) -> None:
        """It is not owed after all."""
