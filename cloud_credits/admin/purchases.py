"""Purchases in the back office, what became of their payments, and the verbs that close a checkout or refund."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cloud_credits.actions import payment_refunds, purchases, recurring, refunds
from cloud_credits.admin.forms import AmountForm
from cloud_credits.admin.transactions import CloudTransactionAdmin
from cloud_credits.errors import PurchaseNotPaid
from cloud_credits.models import (
    Clawback,
    CloudTransaction,
    PaymentMint,
    Purchase,
    RecurringPurchase,
    RefundRequest,
)
from cloud_credits.policies.purchases import (
    CHANGE_TARGET,
    RECURRING_EDGES,
    UNPAID,
    PurchaseState,
    RecurringChange,
    RecurringState,
)
from cloud_credits.reports.refunds import check_reach, mint_of, minted_of, reach
from cloud_credits.workflows import purchases as workflows
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, SecondLook, Verb, lend
from habitat.faces.templatetags.faces import cloud, in_usd, status, usd
from habitat.members.policies.actors import Actor
from habitat.money import Money, plain
from habitat.workflows.models import Execution
from treasury.admin.payments import NOTHING, PaymentAdmin, entry_link, payment_link
from treasury.models import Payment
from treasury.policies.payments import PaymentState, Provider

NO_WAY_BACK: Final = (
    "The credits are burned at once. Once Stripe has the order nobody can call it back; should it not arrive, the "
    "credits are the member's again. Stripe keeps its fee of the purchase."
)

TOLD: Final = "The reason is shown to the member."


def _link(words: str, name: str, number: int | None) -> SafeString:
    """A link inside the back office, or a dash."""
    return NOTHING if number is None else format_html('<a href="{}">{}</a>', _to(name, number), words)


def _to(name: str, number: int) -> str:
    return reverse(f"admin:{name}_change", args=[number])


# --- refunds: the same two verbs stand on the payment's page and on the purchase's


class RefundForm(AmountForm):
    """An amount, with how far it can go beside it."""

    def for_object(self, row: Payment | Purchase) -> None:
        payment = _payment_of(row)
        mint = mint_of(payment.pk) if payment is not None else None
        if mint is None:
            return
        found = reach(mint)
        field = self.fields["amount"]
        field.help_text = (
            f"Of this payment {cloud(found.left)} CLOUD are left; {found.holder} can spend {cloud(found.liquid)}. "
            f"At most {cloud(found.most)} CLOUD, {in_usd(found.most)}."
        )
        if found.most:
            field.initial = plain(found.most)


def _payment_of(row: Payment | Purchase) -> Payment | None:
    return row if isinstance(row, Payment) else row.payment


def _known_payment(row: Payment | Purchase) -> Payment:
    """The verbs are offered only where there is one; who knocks anyway is told what is missing."""
    payment = _payment_of(row)
    if payment is None:
        raise PurchaseNotPaid(purchase=row.pk)
    return payment


def _look_at_refund(row: Payment | Purchase, *, acting: Actor, amount: Money, reason: str) -> SecondLook:
    payment = _known_payment(row)
    mint, _ = minted_of(payment)
    found = reach(mint)
    check_reach(found, amount.amount)
    return SecondLook(
        facts=(
            ("To", f"{found.holder}, the way payment {payment.reference} came ({payment.method or payment.provider})"),
            ("Amount", f"{cloud(amount.amount)} CLOUD, {in_usd(amount.amount)}"),
            ("Of the payment are left", f"{cloud(found.left)} CLOUD, then {cloud(found.left - amount.amount)}"),
            (f"{found.holder} can spend", f"{cloud(found.liquid)} CLOUD, then {cloud(found.liquid - amount.amount)}"),
            ("In the books now", f"2220 to 2240: {in_usd(amount.amount)}"),
            ("When it has arrived", f"2240 to 1115: {in_usd(amount.amount)}"),
            ("Reason, shown to the member", reason),
        ),
        warning=NO_WAY_BACK,
    )


def _refund(row: Payment | Purchase, *, acting: Actor, key: str, amount: Money, reason: str) -> Done:
    asked = refunds.request(
        payment=_known_payment(row), amount=amount, reason=reason, idempotency_key=key, acting=acting
    )
    return Done(
        message=f"The refund of {in_usd(asked.amount)} is decided; it goes its way.",
        go_to=_to("cloud_credits_refundrequest", asked.pk),
    )


def _look_at_return(row: Payment | Purchase, *, acting: Actor, reason: str) -> SecondLook:
    payment = _known_payment(row)
    return SecondLook(
        facts=(
            ("Payment", f"{payment.reference}, {payment.member or 'nobody knows whose'}"),
            ("Goes back", f"{usd(payment.left)}, all that is left of it; no credits come of it"),
            ("When it has arrived", f"2240 to 1115: {usd(payment.left)}"),
            ("Reason, shown to the member", reason),
        ),
        warning="Once Stripe has the order nobody can call it back. Stripe keeps its fee.",
    )


def _send_back(row: Payment | Purchase, *, acting: Actor, key: str, reason: str) -> Done:
    payment = _known_payment(row)
    execution = payment_refunds.send_back(payment=payment, reason=reason, idempotency_key=key, acting=acting)
    return Done(
        message=f"Payment {payment.reference} goes back to its payer.",
        go_to=_to("workflows_execution", execution.pk),
    )


def _refundable(row: Payment | Purchase) -> bool:
    """Not offered where nothing can go back; who knocks anyway is told why."""
    payment = _payment_of(row)
    if payment is None or not _is(PaymentState.MINTED)(row):
        return False
    mint = mint_of(payment.pk)
    return mint is not None and reach(mint).most > 0


def _is(state: PaymentState) -> Any:
    def holds(row: Payment | Purchase) -> bool:
        payment = _payment_of(row)
        return payment is not None and payment.provider == Provider.STRIPE and payment.state == state

    return holds


REFUND_VERBS: Final = (
    Verb(
        "refund",
        "Refund this payment",
        refunds.REFUND,
        _refund,
        form=RefundForm,
        available=_refundable,
        danger=True,
        warning=TOLD,
        preview=_look_at_refund,
    ),
    Verb(
        "send-back",
        "Send this payment back",
        payment_refunds.SEND_BACK,
        _send_back,
        available=_is(PaymentState.RECEIVED),
        danger=True,
        warning=TOLD,
        preview=_look_at_return,
    ),
)


def _belongs_to(payment: Payment) -> list[tuple[str, str]]:
    """What this floor knows of a payment."""
    found = [
        (f"Purchase {number}", _to("cloud_credits_purchase", number))
        for number in Purchase.objects.filter(payment=payment).values_list("pk", flat=True)
    ]
    mint = mint_of(payment.pk)
    if mint is not None:
        number = mint.transaction_id
        found.append((f"Minted by transaction {number}", _to("cloud_credits_cloudtransaction", number)))
    for words, name, model in (
        ("Refund request", "refundrequest", RefundRequest),
        ("Clawback", "clawback", Clawback),
    ):
        numbers = model._default_manager.filter(payment=payment).order_by("pk").values_list("pk", flat=True)
        found += [(f"{words} {number}", _to(f"cloud_credits_{name}", number)) for number in numbers]
    return found


def _minted_payment(row: CloudTransaction) -> list[tuple[str, str]]:
    """The payment that a transaction minted."""
    mint = PaymentMint.objects.filter(transaction=row).select_related("payment").first()
    return [] if mint is None else [(str(mint.payment), _to("treasury_payment", mint.payment_id))]


lend(PaymentAdmin, *REFUND_VERBS, links=_belongs_to)
lend(CloudTransactionAdmin, links=_minted_payment)


# --- purchases


def _expire(purchase: Purchase, *, acting: Actor, key: str, reason: str) -> Done:
    closed = workflows.close_now(purchase=purchase, reason=reason, acting=acting)
    if closed.state == PurchaseState.EXPIRED:
        return Done(message=f"The checkout of purchase {purchase.pk} is closed, at Stripe too.")
    return Done(message=f"Purchase {purchase.pk} is closed; its checkout never opened.")


@admin.register(Purchase)
class PurchaseAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "created_at", "member", "credits", "in_dollars", "kind", "state_word", "problem")
    list_filter = ("state", "kind", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "=session_id", "=payment__reference", "member__display_name", "member__ens_subname")
    search_help_text = "A purchase number, Stripe's session or payment, or a member's name."
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "credits",
        "in_dollars",
        "kind",
        "state_word",
        "problem",
        "of_payment",
        "minted_by",
        "entry",
        "invoice",
        "recurring",
        "checkout",
        "session_id",
        "expires_at",
        "created_at",
        "paid_at",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "member__id",
        "member__display_name",
        "amount",
        "usd",
        "kind",
        "state",
        "payment__id",
        "payment__reference",
        "created_at",
        "paid_at",
    )
    verbs: ClassVar = (
        *REFUND_VERBS,
        Verb(
            "expire",
            "Close the checkout",
            purchases.EXPIRE,
            _expire,
            available=lambda purchase: PurchaseState(purchase.state) in UNPAID,
            warning="Nobody can pay it afterwards. The member sees your reason and may begin again.",
        ),
    )

    @admin.display(description="CLOUD", ordering="amount")
    def credits(self, purchase: Purchase) -> str:
        return cloud(purchase.amount)

    @admin.display(description="USD", ordering="usd")
    def in_dollars(self, purchase: Purchase) -> str:
        return usd(purchase.usd)

    @admin.display(description="state", ordering="state")
    def state_word(self, purchase: Purchase) -> str:
        return status(purchase.state)

    @admin.display(description="payment")
    def of_payment(self, purchase: Purchase) -> SafeString:
        return NOTHING if purchase.payment_id is None else payment_link(purchase)

    @admin.display(description="minted by")
    def minted_by(self, purchase: Purchase) -> SafeString:
        mint = mint_of(purchase.payment_id) if purchase.payment_id else None
        number = mint.transaction_id if mint is not None else None
        return _link(f"Transaction {number}", "cloud_credits_cloudtransaction", number)

    @admin.display(description="entry of the mint")
    def entry(self, purchase: Purchase) -> SafeString:
        mint = PaymentMint.objects.filter(payment_id=purchase.payment_id).select_related("transaction").first()
        return entry_link(mint.transaction.journal_entry_id if mint is not None else None)

    @admin.display(description="checkout")
    def checkout(self, purchase: Purchase) -> SafeString:
        found = Execution.objects.filter(saga=purchases.CHECKOUT, key=str(purchase.pk)).first()
        return _saga(found)


def _saga(found: Execution | None) -> SafeString:
    if found is None:
        return NOTHING
    return format_html('<a href="{}">{}</a> {}', _to("workflows_execution", found.pk), found, status(found.state))


# --- refunds decided here, and credits taken back


@admin.register(RefundRequest)
class RefundRequestAdmin(ExportMixin, HouseAdmin):
    list_display = (
        "id",
        "created_at",
        "member",
        "amount",
        "in_dollars",
        "state_word",
        "of_payment",
        "reason",
        "problem",
    )
    list_filter = ("state", ("created_at", admin.DateFieldListFilter))
    search_fields = ("=id", "=refund_id", "=payment__reference", "member__display_name", "reason")
    list_select_related = ("member", "payment")
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "of_payment",
        "amount",
        "in_dollars",
        "state_word",
        "reason",
        "asked_by",
        "refund_id",
        "burned_by",
        "given_back_by",
        "problem",
        "way",
        "created_at",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "member__id",
        "payment__id",
        "payment__reference",
        "amount",
        "state",
        "reason",
        "asked_by",
        "refund_id",
        "created_at",
    )

    @admin.display(description="USD", ordering="amount")
    def in_dollars(self, request: RefundRequest) -> str:
        return in_usd(request.amount)

    @admin.display(description="state", ordering="state")
    def state_word(self, request: RefundRequest) -> str:
        return status(request.state)

    @admin.display(description="payment")
    def of_payment(self, request: RefundRequest) -> SafeString:
        return payment_link(request)

    @admin.display(description="burned by")
    def burned_by(self, request: RefundRequest) -> SafeString:
        return _link(f"Transaction {request.burn_id}", "cloud_credits_cloudtransaction", request.burn_id)

    @admin.display(description="given back by")
    def given_back_by(self, request: RefundRequest) -> SafeString:
        return _link(f"Transaction {request.giveback_id}", "cloud_credits_cloudtransaction", request.giveback_id)

    @admin.display(description="its way")
    def way(self, request: RefundRequest) -> SafeString:
        return _saga(Execution.objects.filter(saga=refunds.SAGA, key=str(request.pk)).first())


@admin.register(Clawback)
class ClawbackAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "of_payment", "total", "burned", "owed", "given_back", "updated_at")
    search_fields = ("=id", "=payment__reference", "member__display_name")
    list_select_related = ("member", "payment")
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "of_payment",
        "total",
        "for_disputes",
        "burned",
        "owed",
        "given_back",
        "updated_at",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "member__id",
        "payment__id",
        "payment__reference",
        "total",
        "for_disputes",
        "burned",
        "owed",
        "given_back",
        "updated_at",
    )

    @admin.display(description="payment")
    def of_payment(self, clawback: Clawback) -> SafeString:
        return payment_link(clawback)


@admin.register(PaymentMint)
class PaymentMintAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "created_at", "of_payment", "minted_by", "amount")
    search_fields = ("=id", "=payment__reference", "=transaction__id")
    list_select_related = ("payment", "transaction")
    ordering = ("-id",)
    fields = ("id", "of_payment", "minted_by", "entry", "amount", "created_at")
    readonly_fields = fields
    export_fields = ("id", "payment__id", "payment__reference", "transaction__id", "amount", "created_at")

    @admin.display(description="payment")
    def of_payment(self, mint: PaymentMint) -> SafeString:
        return payment_link(mint)

    @admin.display(description="transaction")
    def minted_by(self, mint: PaymentMint) -> SafeString:
        return _link(f"Transaction {mint.transaction_id}", "cloud_credits_cloudtransaction", mint.transaction_id)

    @admin.display(description="entry")
    def entry(self, mint: PaymentMint) -> SafeString:
        return entry_link(mint.transaction.journal_entry_id)


# --- recurring purchases


def _changing(to: RecurringChange) -> Any:
    def run(row: RecurringPurchase, *, acting: Actor, key: str, reason: str) -> Done:
        execution = recurring.change(recurring=row, to=to, because=reason, idempotency_key=key, acting=acting)
        return Done(
            message=f"Stripe is asked to {to.value} recurring purchase {row.pk}; it is so once Stripe has done it.",
            go_to=_to("workflows_execution", execution.pk),
        )

    return run


def _may(to: RecurringChange) -> Any:
    def holds(row: RecurringPurchase) -> bool:
        return bool(row.subscription_id) and CHANGE_TARGET[to] in RECURRING_EDGES[RecurringState(row.state)]

    return holds


@admin.register(RecurringPurchase)
class RecurringPurchaseAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "created_at", "member", "amount", "in_dollars", "state_word", "paused_because", "ended_at")
    list_filter = ("state",)
    search_fields = ("=id", "=subscription_id", "member__display_name", "member__ens_subname")
    list_select_related = ("member",)
    ordering = ("-id",)
    fields = (
        "id",
        "member",
        "amount",
        "in_dollars",
        "state_word",
        "paused_because",
        "subscription_id",
        "months",
        "created_at",
        "ended_at",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "member__id",
        "amount",
        "state",
        "paused_because",
        "subscription_id",
        "created_at",
        "ended_at",
    )
    verbs: ClassVar = (
        Verb(
            "pause",
            "Pause",
            recurring.MANAGE,
            _changing(RecurringChange.PAUSE),
            available=_may(RecurringChange.PAUSE),
            warning="Nothing is charged until it goes on. The member is told why.",
        ),
        Verb(
            "resume",
            "Resume",
            recurring.MANAGE,
            _changing(RecurringChange.RESUME),
            available=lambda row: row.state == RecurringState.PAUSED and _may(RecurringChange.RESUME)(row),
            warning="Stripe charges it each month again.",
        ),
        Verb(
            "cancel",
            "Cancel",
            recurring.MANAGE,
            _changing(RecurringChange.CANCEL),
            available=_may(RecurringChange.CANCEL),
            danger=True,
            warning="It ends for good; the member would have to begin a new one. The member is told why.",
        ),
    )

    @admin.display(description="USD a month", ordering="amount")
    def in_dollars(self, row: RecurringPurchase) -> str:
        return in_usd(row.amount)

    @admin.display(description="state", ordering="state")
    def state_word(self, row: RecurringPurchase) -> str:
        return status(row.state)

    @admin.display(description="purchases")
    def months(self, row: RecurringPurchase) -> SafeString:
        address = reverse("admin:cloud_credits_purchase_changelist") + f"?recurring__id__exact={row.pk}"
        return format_html('<a href="{}">{}</a>', address, row.purchases.count())
