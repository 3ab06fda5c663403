"""What members owe (1310) in the back office: paid by a wire, settled from credits, or given up by two people."""

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from cloud_credits.actions import receivables
from cloud_credits.admin.forms import AmountForm
from cloud_credits.models import Receivable, ReceivablePayment, ReceivableWriteOff
from cloud_credits.reports.receivables import liquid_of, wire_named
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, SecondLook, Verb, lend
from habitat.faces.templatetags.faces import cloud, in_usd, status, usd
from habitat.members.policies.actors import Actor
from habitat.money import Money, cloud_to_usd, plain
from treasury.admin.payments import PaymentAdmin
from treasury.models import Payment

WIRE: Final = "payment"
LINE: Final = "line"


class OwedForm(AmountForm):
    """An amount of a debt, with what is left of it beside it."""

    def for_object(self, debt: Receivable) -> None:
        left, liquid = debt.amount - debt.settled, liquid_of(debt.member_id)
        field = self.fields["amount"]
        field.help_text = (
            f"{cloud(left)} CLOUD of this debt are left, {in_usd(left)}; {debt.member} can spend {cloud(liquid)}."
        )
        field.initial = plain(left)


class WireForm(ReasonForm):
    """Which wire: by the number of its payment, or of its bank line."""

    by = forms.ChoiceField(label="The wire, by", choices=[(WIRE, "payment number"), (LINE, "bank line number")])
    number = forms.CharField(
        label="Number",
        max_length=18,
        help_text="A wire that waits: nobody's yet, or this member's. It pays this debt whole.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        number = given.get("number", "").strip()
        if number and "by" in given:
            found = wire_named(number, by_line=given["by"] == LINE)
            if found is None:
                raise ValidationError({"number": f"No wire has the number {number}. Read the bank, and look again."})
            self.wire = found
        return given

    @property
    def typed(self) -> dict[str, Any]:
        return {"wire": self.wire, "reason": self.cleaned_data["reason"]}


def _look_at_settling(debt: Receivable, *, acting: Actor, amount: Money, reason: str) -> SecondLook:
    liquid, left = liquid_of(debt.member_id), debt.amount - debt.settled
    return SecondLook(
        facts=(
            ("Debtor", str(debt.member)),
            ("Taken from their credits", f"{cloud(amount.amount)} CLOUD, {in_usd(amount.amount)}"),
            ("They can spend", f"{cloud(liquid)} CLOUD, then {cloud(liquid - amount.amount)}"),
            ("They owe", f"{cloud(left)} CLOUD, then {cloud(left - amount.amount)}"),
            ("In the books", f"2220 to 1310: {in_usd(amount.amount)}"),
            ("Reason", reason),
        ),
        warning="The credits are burned. The member is told.",
    )


def _settle(debt: Receivable, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    held = receivables.settle_from_liquid(receivable=debt, amount=amount, reason=reason, acting=acting)
    return Done(message=f"{plain(amount.amount)} CLOUD are settled; {plain(held.amount - held.settled)} are left.")


def _look_at_wire(debt: Receivable, *, acting: Actor, wire: Payment, reason: str) -> SecondLook:
    left = cloud_to_usd(debt.amount - debt.settled)
    return SecondLook(
        facts=(
            ("Wire", f"{wire.reference}, {usd(wire.left)}, {wire.member or 'nobody knows whose'}"),
            ("Debtor", str(debt.member)),
            ("They owe", f"{usd(left)}, then {usd(left - wire.left)}"),
            ("In the books", f"2240 to 1310: {usd(wire.left)}"),
            ("Reason", reason),
        ),
        warning="No credits come of this wire. This cannot be undone.",
    )


def _record(debt: Receivable, *, acting: Actor, key: str, wire: Payment, reason: str) -> Done:
    paid = receivables.record_payment(receivable=debt, payment=wire, reason=reason, acting=acting)
    held = paid.receivable
    return Done(message=f"{plain(paid.amount)} CLOUD are paid; {plain(held.amount - held.settled)} are left.")


def _write_off(debt: Receivable, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    asked = receivables.request_write_off(receivable=debt, amount=amount, reason=reason, acting=acting)
    return Done(
        message=f"Asked: {plain(amount.amount)} CLOUD to be written off. Another person must approve it.",
        go_to=reverse("admin:controls_approval_change", args=[asked.pk]),
    )


def _is_open(debt: Any) -> bool:
    return bool(debt.settled < debt.amount)


class OpenFilter(admin.SimpleListFilter):
    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("owed", "still owed"), ("settled", "settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Receivable]) -> QuerySet[Receivable]:
        if self.value() == "owed":
            return queryset.filter(settled__lt=F("amount"))
        return queryset.filter(settled=F("amount")) if self.value() == "settled" else queryset


class _Rows(TabularInline):
    """Rows to read; whoever sees the debt sees them."""

    fields = ("created_at", "amount", "reason", "acting", "journal_entry")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class PaymentRows(_Rows):
    model = ReceivablePayment
    verbose_name_plural = "wires that paid it"
    fields = ("created_at", "payment", "amount", "reason", "acting", "journal_entry")
    readonly_fields = fields


class WriteOffRows(_Rows):
    model = ReceivableWriteOff
    verbose_name_plural = "written off"


@admin.register(Receivable)
class ReceivableAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "whole", "paid", "left", "standing", "of_origin", "created_at")
    list_filter = (OpenFilter,)
    search_fields = ("=id", "member__display_name", "member__ens_subname")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = ("id", "member", "whole", "paid", "left", "standing", "of_origin", "journal_entry", "created_at")
    readonly_fields = fields
    inlines = (PaymentRows, WriteOffRows)
    export_fields = ("id", "member__id", "amount", "settled", "origin__id", "created_at")
    verbs: ClassVar = (
        Verb(
            "record-payment",
            "Record a wire that paid it",
            receivables.SETTLE,
            _record,
            form=WireForm,
            available=_is_open,
            preview=_look_at_wire,
        ),
        Verb(
            "settle",
            "Settle from their credits",
            receivables.SETTLE,
            _settle,
            form=OwedForm,
            available=_is_open,
            warning="Also for a payment by card: its credits are minted first and settle the debt here.",
            preview=_look_at_settling,
        ),
        Verb(
            "write-off",
            "Write off",
            receivables.WRITE_OFF,
            _write_off,
            form=OwedForm,
            available=_is_open,
            danger=True,
            warning="A second person must approve it. Then it is a loss: 5930 against 1310.",
        ),
    )

    @admin.display(description="owed, CLOUD", ordering="amount")
    def whole(self, debt: Receivable) -> str:
        return cloud(debt.amount)

    @admin.display(description="settled, CLOUD", ordering="settled")
    def paid(self, debt: Receivable) -> str:
        return cloud(debt.settled)

    @admin.display(description="left")
    def left(self, debt: Receivable) -> str:
        return f"{cloud(debt.amount - debt.settled)} CLOUD, {in_usd(debt.amount - debt.settled)}"

    @admin.display(description="standing")
    def standing(self, debt: Receivable) -> str:
        return status("owed" if _is_open(debt) else "settled")

    @admin.display(description="arose from")
    def of_origin(self, debt: Receivable) -> SafeString:
        address = reverse("admin:cloud_credits_cloudtransaction_change", args=[debt.origin_id])
        return format_html('<a href="{}">Transaction {}</a>', address, debt.origin_id)


def _paid_debt(payment: Payment) -> list[tuple[str, str]]:
    """The debt that a wire paid."""
    found = ReceivablePayment.objects.filter(payment=payment).values_list("receivable_id", flat=True)
    return [
        (f"Paid receivable {number}", reverse("admin:cloud_credits_receivable_change", args=[number]))
        for number in found
    ]


lend(PaymentAdmin, links=_paid_debt)
