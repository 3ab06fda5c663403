"""The JSON shapes of the credit ledger. Keys are camelCase; money, quantities and ids are strings."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cloud_credits.models import CloudTransaction
from cloud_credits.policies.invoices import Paying
from cloud_credits.policies.metering_batch import AnswerStatus, SubmissionState
from cloud_credits.policies.primitives import measure_of
from cloud_credits.policies.purchases import PayBy, PurchaseKind, PurchaseState
from cloud_credits.policies.rate_card_papers import canonical, content_of, ens_key
from cloud_credits.policies.transfers import LONGEST_MEMO
from cloud_credits.reports.purchases import minted_in
from cloud_credits.reports.rate_cards import state_of
from cloud_credits.reports.usage import UsageRow
from habitat.faces.serializers import ExactField, IdField, MomentField
from habitat.money import cloud_to_usd


class BalanceSerializer(serializers.Serializer[Any]):
    memberId = IdField(source="member_id")
    liquid = ExactField()
    staked = ExactField()
    total = ExactField()
    liquidUsd = ExactField(source="liquid_usd")
    stakedUsd = ExactField(source="staked_usd")
    totalUsd = ExactField(source="total_usd")
    sequence = serializers.IntegerField()
    lastBookedAt = MomentField(source="at", allow_null=True)
    asOf = MomentField(source="as_of")


class TransactionSerializer(serializers.Serializer[CloudTransaction]):
    """A side's balance after is shown to its own member and to who may view all transactions."""

    id = IdField(source="pk")
    type = serializers.CharField()
    state = serializers.CharField()
    amount = ExactField()
    usd = ExactField(source="amount_usd")
    purpose = serializers.CharField()
    description = serializers.CharField()
    reference = serializers.CharField()
    fromMemberId = IdField(source="from_member_id", allow_null=True)
    toMemberId = IdField(source="to_member_id", allow_null=True)
    fromLiquidAfter = serializers.SerializerMethodField()
    fromStakedAfter = serializers.SerializerMethodField()
    fromSequence = serializers.SerializerMethodField()
    toLiquidAfter = serializers.SerializerMethodField()
    toStakedAfter = serializers.SerializerMethodField()
    toSequence = serializers.SerializerMethodField()
    bookedAt = MomentField(source="booked_at", allow_null=True)
    createdAt = MomentField(source="created_at")
    journalEntryId = IdField(source="journal_entry_id", allow_null=True)
    reverses = IdField(source="reverses_id", allow_null=True)

    def get_fromLiquidAfter(self, row: CloudTransaction) -> str | None:
        return self._seen(row.from_member_id, row.from_liquid_after)

    def get_fromStakedAfter(self, row: CloudTransaction) -> str | None:
        return self._seen(row.from_member_id, row.from_staked_after)

    def get_fromSequence(self, row: CloudTransaction) -> int | None:
        return row.from_sequence if self._may_see(row.from_member_id) else None

    def get_toLiquidAfter(self, row: CloudTransaction) -> str | None:
        return self._seen(row.to_member_id, row.to_liquid_after)

    def get_toStakedAfter(self, row: CloudTransaction) -> str | None:
        return self._seen(row.to_member_id, row.to_staked_after)

    def get_toSequence(self, row: CloudTransaction) -> int | None:
        return row.to_sequence if self._may_see(row.to_member_id) else None

    def _seen(self, side: int | None, amount: Decimal | None) -> str | None:
        return ExactField().to_representation(amount) if amount is not None and self._may_see(side) else None

    def _may_see(self, side: int | None) -> bool:
        return bool(self.context.get("sees_all")) or (side is not None and side == self.context.get("member_id"))


class TransferRequest(serializers.Serializer[Any]):
    recipient = serializers.CharField(max_length=100, help_text="A cloud name or a member number")
    amount = ExactField(help_text="CLOUD, at most eight decimals, as a string")
    memo = serializers.CharField(max_length=LONGEST_MEMO, required=False, default="", allow_blank=True)


class TransferResponse(TransactionSerializer):
    replayed = serializers.BooleanField()


class ReleaseRequest(serializers.Serializer[Any]):
    """Why, where the stake is another member's."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class StakeRequest(serializers.Serializer[Any]):
    amount = ExactField(help_text="CLOUD, at most eight decimals, as a string")
    days = serializers.IntegerField(help_text="30 to 365")


class StakeSerializer(serializers.Serializer[Any]):
    id = IdField(source="pk")
    memberId = IdField(source="member_id")
    amount = ExactField()
    days = serializers.IntegerField()
    sharePercent = ExactField(source="share_percent")
    stakedAt = MomentField(source="staked_at")
    unlockAt = MomentField(source="unlock_at")
    state = serializers.CharField()
    releasedAt = MomentField(source="released_at", allow_null=True)


class InvoiceLineSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    description = serializers.CharField()
    quantity = ExactField()
    price = ExactField()
    amount = ExactField()


class InvoiceSerializer(serializers.Serializer[Any]):
    """Amounts in CLOUD; `totalUsd` at the peg, exact. `paidBy` is `cloud_balance` or `card`."""

    id = IdField(source="pk")
    number = serializers.IntegerField(allow_null=True)
    memberId = IdField(source="member_id")
    title = serializers.CharField()
    total = ExactField()
    totalUsd = serializers.SerializerMethodField()
    state = serializers.CharField()
    sentAt = MomentField(source="sent_at", allow_null=True)
    dueOn = serializers.DateField(source="due_on", allow_null=True)
    paidAt = MomentField(source="paid_at", allow_null=True)
    paidBy = serializers.CharField(source="paid_by")
    paymentReceivedAt = MomentField(source="payment_received_at", allow_null=True)
    transactionId = IdField(source="payment_transaction_id", allow_null=True)
    refundTransactionId = IdField(source="refund_transaction_id", allow_null=True)
    lines = InvoiceLineSerializer(many=True)

    def get_totalUsd(self, row: Any) -> str:
        return ExactField().to_representation(cloud_to_usd(row.total))


class PayInvoiceRequest(serializers.Serializer[Any]):
    """How it is to be paid; `reason` where the invoice is another member's."""

    method = serializers.ChoiceField(choices=[Paying.BALANCE.value])
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class PaidInvoiceResponse(InvoiceSerializer):
    replayed = serializers.BooleanField()


class CheckoutRequest(serializers.Serializer[Any]):
    """`cloudAmount` in CLOUD, at most three decimals; `invoiceId` where the credits are to pay that invoice."""

    cloudAmount = ExactField()
    kind = serializers.ChoiceField(
        choices=[PurchaseKind.ONCE.value, PurchaseKind.RECURRING.value], default=PurchaseKind.ONCE.value
    )
    method = serializers.ChoiceField(choices=[way.value for way in PayBy], default=PayBy.CARD.value)
    saveMethod = serializers.BooleanField(default=False)
    invoiceId = serializers.CharField(required=False, allow_null=True, default=None, max_length=20)


class CheckoutResponse(serializers.Serializer[Any]):
    checkoutUrl = serializers.CharField(source="purchase.checkout_url")
    purchaseId = IdField(source="purchase.pk")
    replayed = serializers.BooleanField()


class PurchaseSerializer(serializers.Serializer[Any]):
    id = IdField(source="pk")
    memberId = IdField(source="member_id")
    cloudAmount = ExactField(source="amount")
    usdAmount = ExactField(source="usd")
    kind = serializers.CharField()
    state = serializers.CharField()
    problem = serializers.CharField()
    invoiceId = IdField(source="invoice_id", allow_null=True)
    recurringId = IdField(source="recurring_id", allow_null=True)
    checkoutUrl = serializers.SerializerMethodField()
    expiresAt = MomentField(source="expires_at", allow_null=True)
    createdAt = MomentField(source="created_at")
    paidAt = MomentField(source="paid_at", allow_null=True)
    transactionId = serializers.SerializerMethodField()

    def get_checkoutUrl(self, row: Any) -> str | None:
        return row.checkout_url if row.state == PurchaseState.OPEN else None

    def get_transactionId(self, row: Any) -> str | None:
        number = minted_in(row)
        return str(number) if number is not None else None


class ReceiptSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField()
    purchaseRef = serializers.CharField(source="purchase_ref")
    paidAt = MomentField(source="paid_at")
    usdAmount = ExactField(source="amount")
    description = serializers.CharField()
    state = serializers.CharField()
    receiptUrl = serializers.CharField(source="url")
    invoiceUrl = serializers.CharField(source="invoice_url")


class UsageSerializer(serializers.Serializer[Any]):
    meterId = IdField(source="pk")
    memberId = IdField(source="member_id")
    eventId = serializers.CharField(source="event_id")
    serviceName = serializers.CharField(source="service_name")
    primitive = serializers.CharField()
    quantity = ExactField()
    unit = serializers.CharField()
    rate = ExactField()
    rateCardVersion = serializers.IntegerField(source="rate_card.version")
    cloudCost = ExactField(source="cost")
    usdValue = ExactField(source="usd_value")
    arithmetic = serializers.SerializerMethodField()
    startedAt = MomentField(source="started_at", allow_null=True)
    meteredAt = MomentField(source="metered_at")
    receivedAt = MomentField(source="received_at")
    bookedAt = MomentField(source="transaction.booked_at")
    bookedPeriod = serializers.SerializerMethodField()
    late = serializers.SerializerMethodField()
    approvedLate = serializers.BooleanField(source="is_late")
    daysLate = serializers.SerializerMethodField()
    transactionId = IdField(source="transaction_id")

    def get_bookedPeriod(self, row: Any) -> str:
        return UsageRow(row).booked_in

    def get_late(self, row: Any) -> bool:
        return UsageRow(row).came_late

    def get_daysLate(self, row: Any) -> int:
        return UsageRow(row).days_late

    def get_arithmetic(self, row: Any) -> str:
        return UsageRow(row).arithmetic


class UsageReceiptFields(serializers.Serializer[Any]):
    """What `policies/receipts.Receipt.fields` writes; these keys, sorted, are the canonical text."""

    format = serializers.CharField()
    meterId = serializers.CharField()
    memberId = serializers.CharField()
    eventId = serializers.CharField()
    serviceName = serializers.CharField()
    primitive = serializers.CharField()
    quantity = serializers.CharField()
    unit = serializers.CharField()
    startedAt = serializers.CharField(allow_null=True)
    meteredAt = serializers.CharField()
    receivedAt = serializers.CharField()
    rateCardVersion = serializers.IntegerField()
    rateCardHash = serializers.CharField(allow_null=True)
    rate = serializers.CharField()
    cloudCost = serializers.CharField()
    usdValue = serializers.CharField()
    transactionId = serializers.CharField()


class UsageReceiptSerializer(serializers.Serializer[Any]):
    """`hash` is the SHA-256 of `canonical`; `docs/verify_receipt.py` recomputes all of it."""

    receipt = UsageReceiptFields(source="fields")
    canonical = serializers.SerializerMethodField()
    hash = serializers.CharField()

    def get_canonical(self, receipt: Any) -> str:
        return str(receipt.canonical().decode())


class UsageLineSerializer(serializers.Serializer[Any]):
    memberId = IdField(source="member_id", allow_null=True)
    primitive = serializers.CharField(source="primitive.value")
    unit = serializers.CharField()
    events = serializers.IntegerField()
    quantity = ExactField()
    rate = ExactField()
    rateCardVersion = serializers.IntegerField(source="rate_card_version")
    cloudCost = ExactField(source="cost")
    usdValue = ExactField(source="usd")


class UsageSummarySerializer(serializers.Serializer[Any]):
    start = MomentField()
    end = MomentField()
    lines = UsageLineSerializer(many=True)
    totalCost = ExactField(source="cost")
    totalUsd = ExactField(source="usd")


class SpendingRequest(serializers.Serializer[Any]):
    """Both are named; null takes the cap or the warning away. CLOUD, at most eight decimals, as strings."""

    monthlyCap = ExactField(allow_null=True)
    lowBalance = ExactField(allow_null=True)


class SpendingSerializer(serializers.Serializer[Any]):
    """Amounts in CLOUD. `month` is a UTC month; `endsOn` the day the next one begins."""

    memberId = IdField(source="member_id")
    monthlyCap = ExactField(source="allowance.cap", allow_null=True)
    spent = ExactField(source="allowance.spent")
    left = ExactField(source="allowance.left", allow_null=True)
    month = serializers.SerializerMethodField()
    endsOn = serializers.DateField(source="ends_on")
    lowBalance = ExactField(source="low_balance", allow_null=True)
    isLow = serializers.BooleanField(source="is_low")
    liquid = ExactField()

    def get_month(self, row: Any) -> str:
        return f"{row.allowance.month:%Y-%m}"


class RateSerializer(serializers.Serializer[Any]):
    primitive = serializers.CharField()
    unit = serializers.CharField()
    rate = ExactField()
    usd = ExactField()
    cost = ExactField(allow_null=True)


class RateCardSerializer(serializers.Serializer[Any]):
    """Moments are null where they have not come, or where nobody voted: the first card. A version that an emergency
    sent back to draft is `sent_back`, with why in `endedReason`. The view gives `now` and the versions `sent_back`."""

    version = serializers.IntegerField()
    state = serializers.SerializerMethodField()
    effectiveDate = serializers.DateField(source="effective_date")
    noticeDate = serializers.DateField(source="notice_date")
    proposedAt = MomentField(source="proposed_at", allow_null=True)
    opensAt = MomentField(source="opens_at", allow_null=True)
    closesAt = MomentField(source="closes_at", allow_null=True)
    approvedAt = MomentField(source="approved_at", allow_null=True)
    withdrawnAt = MomentField(source="withdrawn_at", allow_null=True)
    isEmergency = serializers.BooleanField(source="is_emergency")
    targetMargin = ExactField(source="target_margin", allow_null=True)
    reserveBuffer = ExactField(source="reserve_buffer", allow_null=True)
    capacityAssumptions = serializers.CharField(source="capacity_assumptions")
    justification = serializers.CharField()
    evidence = serializers.CharField()
    endedReason = serializers.SerializerMethodField()
    canonical = serializers.SerializerMethodField(help_text="What is hashed: JSON as RFC 8785 writes it, in UTF-8")
    contentHash = serializers.CharField(source="content_hash", help_text="keccak-256 of `canonical`")
    rates = serializers.SerializerMethodField()

    def get_state(self, card: Any) -> str:
        # Its row may be a draft, or another version, by now.
        return "sent_back" if card.version in self.context["sent_back"] else state_of(card, self.context["now"]).value

    def get_endedReason(self, card: Any) -> str:
        told = self.context["sent_back"].get(card.version)
        return told.why if told is not None else card.ended_reason

    def get_canonical(self, card: Any) -> str:
        return canonical(content_of(card)).decode()

    @extend_schema_field(RateSerializer(many=True))
    def get_rates(self, card: Any) -> list[dict[str, Any]]:
        return [
            RateSerializer(
                {
                    "primitive": primitive.value,
                    "unit": measure_of(primitive).unit,
                    "rate": rate,
                    "usd": cloud_to_usd(rate),
                    "cost": cost,
                }
            ).data
            for primitive, rate, cost in card.lines
        ]


class VoteOutcomeSerializer(serializers.Serializer[Any]):
    """What a vote came to: decided when it closed, whenever it was written down."""

    yes = serializers.IntegerField()
    no = serializers.IntegerField()
    abstain = serializers.IntegerField()
    electors = serializers.IntegerField()
    eligible = serializers.ListField(child=serializers.CharField(), help_text="The electors by name")
    quorumMet = serializers.BooleanField(source="quorum_met")
    rule = serializers.CharField(source="bar")
    passed = serializers.BooleanField()
    reason = serializers.CharField(help_text="The count; where it was not adopted, the bar or the rule it missed")
    settledAt = MomentField(source="settled_at")


class RateCardDetailSerializer(RateCardSerializer):
    """`outcome` is null until the vote is closed and counted."""

    outcome = VoteOutcomeSerializer(allow_null=True)
    ensRecord = serializers.SerializerMethodField(
        help_text="The text record of habitat.eth that is kept for the hash; nothing is written there yet"
    )
    rules = serializers.JSONField(help_text="Floors, caps and spans as they stood at the notice")

    def get_ensRecord(self, card: Any) -> str:
        return ens_key(card.version)


class QuoteItem(serializers.Serializer[Any]):
    primitive = serializers.CharField()
    quantity = ExactField()


class QuoteRequest(serializers.Serializer[Any]):
    items = QuoteItem(many=True, allow_empty=False, max_length=100)
    date = serializers.DateField(required=False, allow_null=True, default=None)


class QuoteLineSerializer(serializers.Serializer[Any]):
    primitive = serializers.CharField(source="measure.primitive.value")
    unit = serializers.CharField(source="measure.unit")
    quantity = ExactField()
    rate = ExactField()
    cloudCost = ExactField(source="cost")
    usdValue = ExactField(source="usd")


class QuoteSerializer(serializers.Serializer[Any]):
    rateCardVersion = serializers.IntegerField(source="version")
    lines = QuoteLineSerializer(many=True)
    totalCost = ExactField(source="total")
    totalUsd = ExactField(source="total_usd")


class MeteringRequest(serializers.Serializer[Any]):
    """Documentation of the body; `policies.metering.parse` judges it."""

    eventId = serializers.CharField(max_length=200)
    memberId = IdField()
    primitive = serializers.ChoiceField(choices=["compute", "transfer", "ltm", "stm"])
    quantity = ExactField()
    unit = serializers.CharField()
    serviceName = serializers.CharField(max_length=100)
    timestamp = serializers.DateTimeField(required=False)
    startTime = serializers.DateTimeField(required=False)
    endTime = serializers.DateTimeField(required=False)


class MeteringResponse(serializers.Serializer[Any]):
    meterId = IdField(source="meter_id")
    cloudCost = ExactField(source="cloud_cost")
    usdValue = ExactField(source="usd_value")
    rateCardVersion = serializers.IntegerField(source="rate_card_version")
    memberBalanceAfter = ExactField(source="member_balance_after")
    replayed = serializers.BooleanField()


class BatchAnswer(serializers.Serializer[Any]):
    """Documentation of one answer of a batch. What an event does not have is left out."""

    eventId = serializers.CharField()
    status = serializers.ChoiceField(choices=[each.value for each in AnswerStatus])
    meterId = IdField(required=False)
    cloudCost = ExactField(required=False)
    usdValue = ExactField(required=False)
    rateCardVersion = serializers.IntegerField(required=False)
    memberBalanceAfter = ExactField(required=False)
    code = serializers.CharField(required=False)
    field = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)


class BatchResponse(serializers.Serializer[Any]):
    """Documentation of a batch's answer: counts, and one answer an event in the order sent."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    conflicts = serializers.IntegerField()
    rejected = serializers.IntegerField()
    answers = BatchAnswer(many=True)


class QueuedUsage(serializers.Serializer[Any]):
    """Documentation of what a service is told that left events for later."""

    trackingId = serializers.CharField()
    state = serializers.ChoiceField(choices=[each.value for each in SubmissionState])
    events = serializers.IntegerField()


class QueuedUsageOutcome(QueuedUsage):
    """The same, how often charging failed and when it is tried next, and once all are charged the counts and an answer
    an event."""

    receivedAt = MomentField()
    attempts = serializers.IntegerField(required=False)
    dueAt = MomentField(required=False)
    note = serializers.CharField(required=False)
    doneAt = MomentField(required=False)
    accepted = serializers.IntegerField(required=False)
    duplicates = serializers.IntegerField(required=False)
    conflicts = serializers.IntegerField(required=False)
    rejected = serializers.IntegerField(required=False)
    answers = BatchAnswer(many=True, required=False)
