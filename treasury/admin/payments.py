"""Payments in the back office, with their refunds and disputes, and the verb that gives a wire its member."""

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, SecondLook, Verb
from habitat.faces.templatetags.faces import usd
from habitat.members.policies.actors import Actor
from treasury.actions import payments, refunds
from treasury.errors import PaymentMemberUnknown
from treasury.models import Dispute, Payment, Refund
from treasury.policies.payments import PaymentState, Problem, Provider, RefundOrigin, RefundState
from treasury.reports.payments import member_of

NOTHING: Final = SafeString("—")


class ProblemFilter(admin.SimpleListFilter):
    """By the policy's own words: asking every payment which problems there are would take seconds."""

    title = "problem"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(problem.value, problem.value.replace("_", " ")) for problem in Problem]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(problem=self.value()) if self.value() else queryset


class MemberForm(ReasonForm):
    member = forms.CharField(label="Member number", max_length=18, help_text="As it stands on the member's page.")


def _identify(payment: Payment, *, acting: Actor, key: str, member: str, reason: str) -> Done:
    found = member_of(member.strip())
    if found is None:
        raise PaymentMemberUnknown(given=member, field="member")
    payments.identify(payment=payment, member=found, reason=reason, acting=acting)
    return Done(message=f"The payment is {found.display_name}'s; its credits follow.")


def _look_at_return(payment: Payment, *, acting: Actor, reason: str) -> SecondLook:
    return SecondLook(
        facts=(
            ("Wire", f"{payment.reference}, {payment.member or 'nobody knows whose'}"),
            ("Goes back", f"{usd(payment.left)}, all that is left of it; no credits come of it"),
            ("When its bank line is matched", f"2240 to 1110: {usd(payment.left)}"),
            ("Reason", reason),
        ),
        warning="You send it at the bank yourself. Then match its bank line to the refund that this makes.",
    )


def _return_wire(payment: Payment, *, acting: Actor, key: str, reason: str) -> Done:
    made = refunds.return_wire(payment=payment, reason=reason, acting=acting)
    return Done(
        message=f"Refund {made.pk} waits for its bank line. Send {usd(made.amount)} at the bank, with {made.refund_id} "
        "in its text.",
        go_to=reverse("admin:treasury_refund_change", args=[made.pk]),
    )


def _wire_failed(refund: Refund, *, acting: Actor, key: str, reason: str) -> Done:
    refunds.wire_failed(refund=refund, reason=reason, acting=acting)
    return Done(message="The payment waits again.")


class _Rows(TabularInline):
    """Rows to read."""

    extra = 0
    can_delete = False
    ordering = ("id",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RefundRows(_Rows):
    model = Refund
    fields = ("refund_id", "amount", "origin", "state", "reclaim", "created_at", "settled_at", "journal_entry")
    readonly_fields = fields


class DisputeRows(_Rows):
    model = Dispute
    fields = ("dispute_id", "amount", "fee", "reason", "state", "reclaim", "opened_at", "closed_at")
    readonly_fields = fields


@admin.register(Payment)
class PaymentAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "received_at", "member", "amount_usd", "method", "state", "problem", "reference")
    list_display_links = ("id", "reference")
    list_filter = ("state", "provider", ProblemFilter)
    list_select_related = ("member",)
    search_fields = ("=id", "=reference", "=charge_id", "=customer_id", "=purchase_ref")
    ordering = ("-id",)
    fields = (
        "id",
        "provider",
        "reference",
        "member",
        "amount",
        "method",
        "state",
        "problem",
        "minted",
        "refunded",
        "disputed",
        "clawed_back",
        "charge_id",
        "customer_id",
        "purchase_ref",
        "invoice_ref",
        "entry",
        "occurred_at",
        "received_at",
    )
    readonly_fields = ("id", "entry", "received_at")
    inlines = (RefundRows, DisputeRows)
    export_fields = (
        "id",
        "provider",
        "reference",
        "member",
        "amount",
        "method",
        "state",
        "problem",
        "minted",
        "refunded",
        "disputed",
        "clawed_back",
        "occurred_at",
        "received_at",
    )
    verbs: ClassVar = (
        Verb(
            "identify",
            "Say whose it is",
            "treasury.identify_payment",
            _identify,
            form=MemberForm,
            available=lambda payment: (
                payment.member_id is None and not payment.problem and payment.state == PaymentState.RECEIVED.value
            ),
            warning="The credits are this member's from then on.",
        ),
        Verb(
            "return-wire",
            "Send this wire back",
            refunds.RETURN,
            _return_wire,
            available=lambda payment: (
                payment.provider == Provider.BANK.value and payment.state == PaymentState.RECEIVED.value
            ),
            danger=True,
            preview=_look_at_return,
        ),
    )

    @admin.display(description="amount", ordering="amount")
    def amount_usd(self, payment: Payment) -> str:
        return str(usd(payment.amount))

    @admin.display(description="entry")
    def entry(self, payment: Payment) -> SafeString:
        return entry_link(payment.journal_entry_id)


def entry_link(entry_id: int | None) -> SafeString:
    """A link to an entry of the journal, or a dash."""
    if entry_id is None:
        return NOTHING
    return format_html(
        '<a href="{}">Entry {}</a>', reverse("admin:treasury_journalentry_change", args=[entry_id]), entry_id
    )


def payment_link(row: Model) -> SafeString:
    """A link to the payment that `row` belongs to."""
    payment = row.payment
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:treasury_payment_change", args=[payment.pk]), payment.reference
    )


@admin.register(Refund)
class RefundAdmin(HouseAdmin):
    list_display = ("refund_id", "of_payment", "amount", "origin", "state", "created_at", "settled_at")
    list_filter = ("state", "origin")
    list_select_related = ("payment",)
    search_fields = ("=refund_id", "=payment__reference")
    ordering = ("-id",)
    fields = (
        "refund_id",
        "of_payment",
        "amount",
        "reclaim",
        "origin",
        "state",
        "created_at",
        "settled_at",
        "entry",
    )
    readonly_fields = ("of_payment", "entry", "created_at")
    verbs: ClassVar = (
        Verb(
            "failed",
            "It was not sent, or came back",
            refunds.RETURN,
            _wire_failed,
            available=lambda refund: (
                refund.origin == RefundOrigin.BANK.value and refund.state != RefundState.FAILED.value
            ),
            danger=True,
            warning="What was booked for it is undone, and the payment waits for its credits again.",
        ),
    )

    @admin.display(description="payment")
    def of_payment(self, refund: Refund) -> SafeString:
        return payment_link(refund)

    @admin.display(description="entry")
    def entry(self, refund: Refund) -> SafeString:
        return entry_link(refund.journal_entry_id)


@admin.register(Dispute)
class DisputeAdmin(HouseAdmin):
    list_display = ("dispute_id", "of_payment", "amount", "fee", "reason", "state", "opened_at", "closed_at")
    list_filter = ("state", "reason")
    list_select_related = ("payment",)
    search_fields = ("=dispute_id", "=payment__reference")
    ordering = ("-id",)
    fields = (
        "dispute_id",
        "of_payment",
        "amount",
        "fee",
        "reclaim",
        "reason",
        "state",
        "opened_at",
        "closed_at",
        "opened",
        "closed",
    )
    readonly_fields = ("of_payment", "opened_at", "opened", "closed")

    @admin.display(description="payment")
    def of_payment(self, dispute: Dispute) -> SafeString:
        return payment_link(dispute)

    @admin.display(description="entry at the opening")
    def opened(self, dispute: Dispute) -> SafeString:
        return entry_link(dispute.opened_entry_id)

    @admin.display(description="entry at the end")
    def closed(self, dispute: Dispute) -> SafeString:
        return entry_link(dispute.closed_entry_id)
