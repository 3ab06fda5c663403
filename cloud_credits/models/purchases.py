"""Buying credits: purchases and recurring purchases, what minted a payment, refunds asked and credits taken back."""

from typing import TYPE_CHECKING, ClassVar, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from cloud_credits.models.balances import CREDIT
from cloud_credits.models.invoices import Invoice
from cloud_credits.models.transactions import CloudTransaction
from cloud_credits.policies.purchases import PurchaseKind, PurchaseState, RecurringState, RefundRequestState
from habitat.members.models import Member
from treasury.models import Payment
from treasury.models.payments import DOLLARS

if TYPE_CHECKING:
    from typing import Self

    from habitat.members.models import User


M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    """Rows that belong to a member: their own, and all of them for who may view the model."""

    def visible_to(self, user: "User | AnonymousUser") -> "Self":
        if user.has_perm(f"cloud_credits.view_{self.model._meta.model_name}"):
            return self
        return self.filter(member__in=Member.objects.held_by(user))


class RecurringPurchaseQuerySet(OwnedQuerySet["RecurringPurchase"]):
    pass


class PurchaseQuerySet(OwnedQuerySet["Purchase"]):
    pass


class RefundRequestQuerySet(OwnedQuerySet["RefundRequest"]):
    pass


class ClawbackQuerySet(OwnedQuerySet["Clawback"]):
    pass


class RecurringPurchase(FSMModelMixin, models.Model):
    """A purchase that repeats each month through a Stripe subscription. `amount` in CLOUD."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="recurring_purchases")
    amount = models.DecimalField(**CREDIT)
    subscription_id = models.CharField(max_length=120, null=True, unique=True)  # noqa: DJ001 - many have none yet
    state = FSMField(
        default=RecurringState.STARTING.value,
        choices=[(s.value, s.value) for s in RecurringState],
        protected=True,
    )
    paused_because = models.CharField(max_length=200, db_default="", default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = RecurringPurchaseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="recurring_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="recurring_state_known", condition=Q(state__in=[s.value for s in RecurringState])
            ),
            models.UniqueConstraint(
                name="recurring_one_a_member",
                fields=["member"],
                condition=Q(state__in=[RecurringState.ACTIVE.value, RecurringState.PAUSED.value]),
                violation_error_message="A recurring purchase is running already. Cancel it first.",
            ),
        ]
        permissions: ClassVar = [("manage_recurringpurchase", "Can pause and cancel members' recurring purchases")]

    def __str__(self) -> str:
        return f"Recurring purchase {self.pk}"

    @transition(
        field=state,
        source=[RecurringState.STARTING.value, RecurringState.PAUSED.value],
        target=RecurringState.ACTIVE.value,
    )
    def activate(self) -> None:
        """Stripe charges it each month."""

    @transition(field=state, source=RecurringState.ACTIVE.value, target=RecurringState.PAUSED.value)
    def pause(self) -> None:
        """Nothing is charged until it goes on."""

    @transition(
        field=state,
        source=[RecurringState.STARTING.value, RecurringState.ACTIVE.value, RecurringState.PAUSED.value],
        target=RecurringState.CANCELLED.value,
    )
    def cancel(self) -> None:
        """It ended for good."""


class Purchase(FSMModelMixin, models.Model):
    """One wish to buy credits: `amount` CLOUD for `usd`. Whoever pays twice has two purchases."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="purchases")
    amount = models.DecimalField(**CREDIT)
    usd = models.DecimalField(**DOLLARS)
    kind = models.CharField(max_length=9, choices=[(k.value, k.value) for k in PurchaseKind])
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="purchases")
    recurring = models.ForeignKey(RecurringPurchase, on_delete=models.PROTECT, null=True, related_name="purchases")
    state = FSMField(
        default=PurchaseState.CREATED.value,
        choices=[(s.value, s.value) for s in PurchaseState],
        protected=True,
    )
    # The caller's key: the same wish sent twice is one purchase.
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    session_id = models.CharField(max_length=120, null=True, unique=True)  # noqa: DJ001 - many have none yet
    checkout_url = models.CharField(max_length=2000, db_default="", default="", blank=True)
    expires_at = models.DateTimeField(null=True)
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, null=True, related_name="purchase")
    problem = models.CharField(max_length=300, db_default="", default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    paid_at = models.DateTimeField(null=True)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="purchase_key_once", fields=["member", "key"]),
            models.CheckConstraint(
                name="purchase_at_the_peg",
                condition=Q(amount__gt=0, usd=F("amount") * 10),
                violation_error_message="One CLOUD is ten dollars.",
            ),
            models.CheckConstraint(
                name="purchase_state_known", condition=Q(state__in=[s.value for s in PurchaseState])
            ),
            models.CheckConstraint(name="purchase_kind_known", condition=Q(kind__in=[k.value for k in PurchaseKind])),
            models.UniqueConstraint(
                name="purchase_one_top_up",
                fields=["member"],
                condition=Q(kind=PurchaseKind.TOP_UP.value, state=PurchaseState.CREATED.value),
                violation_error_message="An automatic top-up is under way already.",
            ),
            models.CheckConstraint(
                name="purchase_paid_has_payment",
                condition=~Q(
                    state__in=[PurchaseState.PAID.value, PurchaseState.MINTED.value, PurchaseState.REFUNDED.value]
                )
                | Q(payment__isnull=False),
            ),
        ]
        indexes: ClassVar = [models.Index(name="purchase_of_member", fields=["member", "-id"])]
        permissions: ClassVar = [
            ("buy_for_members", "Can begin purchases in members' names"),
            ("expire_purchase", "Can close a checkout that nobody paid"),
            ("mint_payment", "Can have waiting payments minted now, and send back what cannot be minted"),
        ]

    def __str__(self) -> str:
        return f"Purchase {self.pk}"

    @transition(field=state, source=PurchaseState.CREATED.value, target=PurchaseState.OPEN.value)
    def open(self) -> None:
        """Stripe waits for the payer."""

    @transition(
        field=state,
        source=[
            PurchaseState.CREATED.value,
            PurchaseState.OPEN.value,
            PurchaseState.EXPIRED.value,
            PurchaseState.FAILED.value,
        ],
        target=PurchaseState.PAID.value,
    )
    def pay(self) -> None:
        """The money is here; its credits come next."""

    @transition(field=state, source=PurchaseState.PAID.value, target=PurchaseState.MINTED.value)
    def mint(self) -> None:
        """The credits are the member's."""

    @transition(field=state, source=PurchaseState.OPEN.value, target=PurchaseState.EXPIRED.value)
    def expire(self) -> None:
        """Nobody paid in time."""

    @transition(
        field=state, source=[PurchaseState.CREATED.value, PurchaseState.OPEN.value], target=PurchaseState.FAILED.value
    )
    def fail(self) -> None:
        """The payment was declined, or Stripe refused the checkout."""

    @transition(field=state, source=PurchaseState.PAID.value, target=PurchaseState.FAILED.value)
    def go_to_debt(self) -> None:
        """Its money paid what the member owed; no credits come of it."""

    @transition(
        field=state,
        source=[PurchaseState.PAID.value, PurchaseState.MINTED.value],
        target=PurchaseState.REFUNDED.value,
    )
    def refund(self) -> None:
        """All of the money went back."""

    @transition(field=state, source=PurchaseState.REFUNDED.value, target=PurchaseState.PAID.value)
    def wait_again(self) -> None:
        """The refund failed before there were credits: its money waits to become some."""

    @transition(field=state, source=PurchaseState.REFUNDED.value, target=PurchaseState.MINTED.value)
    def come_back(self) -> None:
        """The refund failed after all; the credits were given back."""


class PaymentMint(models.Model):
    """Which transaction minted which payment: one each, for ever."""

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="payment_mint")
    transaction = models.OneToOneField(CloudTransaction, on_delete=models.PROTECT, related_name="payment_mint")
    amount = models.DecimalField(**CREDIT)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"Mint of {self.payment}"


class RefundRequest(FSMModelMixin, models.Model):
    """Operations' decision to send money of a minted payment back: `amount` CLOUD burned, ten dollars each returned."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="refund_requests")
    amount = models.DecimalField(**CREDIT)
    reason = models.CharField(max_length=500)
    asked_by = models.CharField(max_length=64)
    key = models.CharField(max_length=200, unique=True)
    state = FSMField(
        default=RefundRequestState.ASKED.value,
        choices=[(s.value, s.value) for s in RefundRequestState],
        protected=True,
    )
    burn = models.OneToOneField(CloudTransaction, on_delete=models.PROTECT, null=True, related_name="burned_for_refund")
    giveback = models.OneToOneField(
        CloudTransaction, on_delete=models.PROTECT, null=True, related_name="given_back_for_refund"
    )
    refund_id = models.CharField(max_length=120, db_default="", default="", blank=True)
    problem = models.CharField(max_length=300, db_default="", default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = RefundRequestQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="refundrequest_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="refundrequest_has_reason", condition=Q(reason__regex=r"\S")),
            # Money is sent for burned credits alone, and what failed gave back what was burned.
            models.CheckConstraint(
                name="refundrequest_burned_whole",
                condition=Q(state=RefundRequestState.ASKED.value, burn=None, giveback=None)
                | Q(state=RefundRequestState.BURNED.value, burn__isnull=False, giveback=None)
                | Q(
                    ~Q(refund_id=""),
                    state__in=[RefundRequestState.SENT.value, RefundRequestState.SETTLED.value],
                    burn__isnull=False,
                    giveback=None,
                )
                | Q(state=RefundRequestState.FAILED.value, burn=None, giveback=None)
                | Q(state=RefundRequestState.FAILED.value, burn__isnull=False, giveback__isnull=False),
            ),
            models.CheckConstraint(
                name="refundrequest_state_known", condition=Q(state__in=[s.value for s in RefundRequestState])
            ),
        ]
        permissions: ClassVar = [("refund_credits", "Can send the money of minted payments back")]

    def __str__(self) -> str:
        return f"Refund request {self.pk}"

    @transition(field=state, source=RefundRequestState.ASKED.value, target=RefundRequestState.BURNED.value)
    def burned(self) -> None:
        """The credits are gone; their dollars stand in 2240."""

    @transition(field=state, source=RefundRequestState.BURNED.value, target=RefundRequestState.SENT.value)
    def sent(self) -> None:
        """Stripe has the order."""

    @transition(field=state, source=RefundRequestState.SENT.value, target=RefundRequestState.SETTLED.value)
    def settled(self) -> None:
        """The payer has the money."""

    @transition(
        field=state,
        source=[
            RefundRequestState.ASKED.value,
            RefundRequestState.BURNED.value,
            RefundRequestState.SENT.value,
            RefundRequestState.SETTLED.value,
        ],
        target=RefundRequestState.FAILED.value,
    )
    def failed(self) -> None:
        """The money did not go; the credits are back."""


class BillingCustomer(models.Model):
    """Who a member is to Stripe, made at the first purchase; the newest row counts. Cards are saved there, never here.

    There is a second row only where somebody deleted the first customer at Stripe: its payments keep naming it.
    """

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="billing_customers")
    customer_id = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"Customer {self.customer_id}"


class Clawback(models.Model):
    """Credits taken back for one payment because its money went back at Stripe's: totals in CLOUD that only grow.

    `for_disputes` is the part of `total` that lost disputes caused; `given_back` what came back to the member because
    a refund made at Stripe failed later.
    """

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="clawback")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="clawbacks")
    total = models.DecimalField(**CREDIT, db_default=0, default=0)
    burned = models.DecimalField(**CREDIT, db_default=0, default=0)
    owed = models.DecimalField(**CREDIT, db_default=0, default=0)
    for_disputes = models.DecimalField(**CREDIT, db_default=0, default=0)
    given_back = models.DecimalField(**CREDIT, db_default=0, default=0)
    updated_at = models.DateTimeField(db_default=Now())

    objects = ClawbackQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="clawback_adds_up", condition=Q(total=F("burned") + F("owed"), burned__gte=0, owed__gte=0)
            ),
            models.CheckConstraint(
                name="clawback_parts_within",
                condition=Q(
                    for_disputes__gte=0,
                    for_disputes__lte=F("total"),
                    given_back__gte=0,
                    given_back__lte=F("total") - F("for_disputes"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"Clawback of {self.payment}"
