"""Invoices in the back office: written with their lines, sent, voided, refunded, and paid on a member's behalf."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from cloud_credits.actions import invoices
from cloud_credits.admin.forms import MemberField
from cloud_credits.models import Invoice, InvoiceLine
from cloud_credits.policies.invoices import LONGEST_TITLE, PAYABLE, InvoiceState, Item, check_items
from cloud_credits.reports.invoices import state_in_words
from habitat.errors import HabitatError
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb, VerbForm
from habitat.faces.templatetags.faces import status
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.money import CLOUD_PLACES, LARGEST_CLOUD, LARGEST_QUANTITY, QUANTITY_PLACES, parse_decimal, plain

_LINE: Final = re.compile(r"^\s*(?P<quantity>[^\s×x*]+)\s*[×x*]\s*(?P<price>\S+)\s+(?P<description>.*\S)\s*$")
REFUNDABLE: Final = "The credits go back to the member at once: 4110 against 1130. Refused where techne has spent them."


@dataclass(frozen=True, slots=True)
class Step:
    """A change as the history panel shows it."""

    at: datetime
    what: str
    who: str
    why: str
    address: str
    changes: tuple[tuple[str, str, str], ...]


class LinesForm(VerbForm):
    title = forms.CharField(label="For", max_length=LONGEST_TITLE, help_text="What the member reads first.")
    lines = forms.CharField(
        label="Lines",
        widget=forms.Textarea(attrs={"rows": 6, "placeholder": "10 × 45.5 Design\n1 × 45 Hosting set-up"}),
        help_text="One a row: quantity × price in CLOUD, then what it is for. The total is their sum.",
    )

    def clean_lines(self) -> list[Item]:
        rows = [row for row in self.cleaned_data["lines"].splitlines() if row.strip()]
        items = [_item(row) for row in rows]
        try:
            check_items(items)
        except HabitatError as refusal:
            raise forms.ValidationError(refusal.sentence, code=refusal.code) from refusal
        return items


class DraftForm(LinesForm):
    member = MemberField("To")
    field_order: ClassVar = ["member", "title", "lines"]


class SendForm(VerbForm):
    """Nothing to fill in: the draft says it all."""


def _item(row: str) -> Item:
    found = _LINE.match(row)
    if found is None:
        raise forms.ValidationError(f"“{row.strip()}” is not quantity × price and what it is for.")
    try:
        return Item(
            description=found["description"],
            quantity=parse_decimal(found["quantity"], places=QUANTITY_PLACES, largest=LARGEST_QUANTITY),
            price=parse_decimal(found["price"], places=CLOUD_PLACES, largest=LARGEST_CLOUD),
        )
    except HabitatError as refusal:
        raise forms.ValidationError(refusal.sentence, code=refusal.code) from refusal


def _as_typed(invoice: Invoice) -> dict[str, Any]:
    rows = [f"{plain(line.quantity)} × {plain(line.price)} {line.description}" for line in invoice.lines.all()]
    return {"title": invoice.title, "lines": "\n".join(rows)}


def _draft(*, acting: Actor, key: str, member: Member, title: str, lines: list[Item]) -> Done:
    invoice = invoices.draft(member=member, title=title, items=lines, acting=acting)
    return Done(
        message=f"The draft over {plain(invoice.total)} CLOUD is written. Nobody is told before you send it.",
        go_to=reverse("admin:cloud_credits_invoice_change", args=[invoice.pk]),
    )


def _change(invoice: Invoice, *, acting: Actor, key: str, title: str, lines: list[Item]) -> Done:
    held = invoices.change_draft(invoice=invoice, title=title, items=lines, acting=acting)
    return Done(message=f"The draft is over {plain(held.total)} CLOUD now.")


def _send(invoice: Invoice, *, acting: Actor, key: str) -> Done:
    held = invoices.send(invoice=invoice, acting=acting)
    return Done(message=f"{held} is sent to {held.member}, due {held.due_on}.")


def _void(invoice: Invoice, *, acting: Actor, key: str, reason: str) -> Done:
    return Done(message=f"{invoices.void(invoice=invoice, reason=reason, acting=acting)} is void.")


def _pay(invoice: Invoice, *, acting: Actor, key: str, reason: str) -> Done:
    settled = invoices.pay(invoice=invoice, idempotency_key=key, reason=reason, acting=acting)
    return Done(message=f"{settled.invoice} is paid from the balance of {settled.invoice.member}.")


def _refund(invoice: Invoice, *, acting: Actor, key: str, reason: str) -> Done:
    settled = invoices.refund(invoice=invoice, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"{plain(settled.invoice.total)} CLOUD went back to {settled.invoice.member}.")


def _is(*states: InvoiceState) -> Any:
    return lambda invoice: invoice.state in states


class LineInline(TabularInline):
    """Lines as they stand; a draft's are changed by its verb."""

    model = InvoiceLine
    fields = ("position", "description", "quantity", "price", "amount")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Whoever sees the invoice sees its lines.
        return True


@admin.register(Invoice)
class InvoiceAdmin(ExportMixin, HouseAdmin):
    list_display = ("name", "member", "title", "total", "state_word", "sent_at", "due_on", "paid_at")
    list_filter = ("state", ("due_on", admin.DateFieldListFilter), ("sent_at", admin.DateFieldListFilter), "paid_by")
    search_fields = ("=number", "title", "member__display_name", "member__ens_subname")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = (
        "name",
        "member",
        "title",
        "total",
        "state_word",
        "created_at",
        "created_by",
        "sent_at",
        "due_on",
        "payment_received_at",
        "paid_at",
        "paid_by",
        "payment_transaction",
        "refund_transaction",
        "on_paper",
    )
    readonly_fields = fields
    inlines = (LineInline,)
    export_fields = (
        "id",
        "number",
        "member__id",
        "member__display_name",
        "title",
        "total",
        "state",
        "sent_at",
        "due_on",
        "paid_at",
        "paid_by",
        "payment_transaction__id",
        "refund_transaction__id",
    )
    list_verbs: ClassVar = (Verb("draft", "Write an invoice", invoices.WRITE, _draft, form=DraftForm),)
    verbs: ClassVar = (
        Verb(
            "change",
            "Change the draft",
            invoices.WRITE,
            _change,
            form=LinesForm,
            available=_is(InvoiceState.DRAFT),
            initial=_as_typed,
        ),
        Verb(
            "send",
            "Send",
            invoices.WRITE,
            _send,
            form=SendForm,
            available=_is(InvoiceState.DRAFT),
            warning="It gets its number and the member is told. From then on nothing on it changes.",
        ),
        Verb(
            "pay",
            "Pay for the member",
            invoices.PAY_FOR_MEMBERS,
            _pay,
            available=_is(*PAYABLE),
            warning="The member's liquid credits go to techne at once: 1130 against 4110.",
        ),
        Verb(
            "void",
            "Void",
            invoices.WRITE,
            _void,
            available=_is(InvoiceState.DRAFT, *PAYABLE),
            danger=True,
            warning="This cannot be undone. The member is told why.",
        ),
        Verb(
            "refund",
            "Refund",
            invoices.REFUND,
            _refund,
            available=_is(InvoiceState.PAID),
            danger=True,
            warning=REFUNDABLE,
        ),
    )

    @admin.display(description="invoice", ordering="number")
    def name(self, invoice: Invoice) -> str:
        return str(invoice)

    @admin.display(description="state", ordering="state")
    def state_word(self, invoice: Invoice) -> str:
        return status(state_in_words(invoice))

    @admin.display(description="on paper")
    def on_paper(self, invoice: Invoice) -> SafeString:
        return format_html('<a href="{}">PDF</a>', reverse("cloud-invoice-pdf", args=[invoice.pk]))

    def history_rows(self, request: HttpRequest, obj: Invoice) -> list[Step]:
        return [
            Step(
                at=change.at,
                what=change.verb,
                who=change.actor,
                why=change.reason,
                address="",
                changes=(("state", change.from_state, change.to_state),),
            )
            for change in obj.changes.order_by("-id")
        ]
