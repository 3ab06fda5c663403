"""Automatic top-ups: whose balance is low, what is under way, what was begun, and the cards there are."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import F, Q, QuerySet

from cloud_credits.models import Purchase, TopUp
from cloud_credits.policies.purchases import TAKEN, PurchaseKind, PurchaseState
from cloud_credits.policies.topups import TopUpState
from habitat.controls.reports.settings import value as setting
from treasury.policies.backing import load_cap as cap_of
from treasury.policies.payments import DisputeState, RefundState
from treasury.policies.settings import LOAD_CAP, LOAD_CAP_SIGNOFF
from treasury.reports.stripe_documents import SavedCard, cards

# A payment that waits for its credits is under way too: buying again would not bring them sooner.
UNDER_WAY = (PurchaseState.CREATED.value, PurchaseState.PAID.value)


def of_member(member_id: int) -> TopUp | None:
    return TopUp.objects.filter(pk=member_id).first()


def low(member_ids: Collection[int] | None = None) -> list[int]:
    """The members whose top-up is on and whose liquid balance is below what they set; of these, or of all."""
    rows = TopUp.objects.filter(state=TopUpState.ON.value, member__cloud_balance__liquid__lt=F("threshold"))
    if member_ids is not None:
        rows = rows.filter(pk__in=member_ids)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def in_flight(member_id: int, *, but: int | None = None) -> bool:
    """Whether one is under way, `but` that purchase."""
    return _of(member_id).filter(state__in=UNDER_WAY).exclude(pk=but).exists()


def begun_since(member_id: int, moment: datetime, *, but: int | None = None) -> int:
    """How many were begun, declined ones included, `but` that purchase."""
    return _of(member_id).filter(created_at__gte=moment).exclude(pk=but).count()


def went_back(member_id: int, *, since: datetime) -> bool:
    """Whether money of a top-up went back, is on its way back or is contested, by anything that happened since then.

    A refund that failed and a dispute that was won took nothing.
    """
    refund = Q(payment__refunds__state__in=[RefundState.PENDING.value, RefundState.SUCCEEDED.value])
    refund &= Q(payment__refunds__created_at__gte=since) | Q(payment__refunds__settled_at__gte=since)
    dispute = Q(payment__disputes__state__in=[DisputeState.OPEN.value, DisputeState.LOST.value])
    dispute &= Q(payment__disputes__opened_at__gte=since) | Q(payment__disputes__closed_at__gte=since)
    asked = Q(
        payment__refund_requests__state__in=[state.value for state in TAKEN],
        payment__refund_requests__created_at__gte=since,
    )
    return _of(member_id).filter(refund | dispute | asked).exists()


def history(member_id: int, *, most: int = 25) -> list[Purchase]:
    """The newest ones first."""
    return list(_of(member_id).select_related("payment").order_by("-id")[:most])


def newest(member_id: int) -> Purchase | None:
    return _of(member_id).order_by("-id").first()


def usable_cards(member_id: int) -> list[SavedCard]:
    """What the member saved at Stripe and is not expired, the newest first."""
    today = datetime.now(tz=UTC).date()
    return [card for card in cards(member_id) if not card.is_expired(on=today)]


def card_of(member_id: int, method_id: str) -> SavedCard | None:
    """The member's own saved card of that name."""
    return next((card for card in usable_cards(member_id) if card.id == method_id), None)


def in_words(card: SavedCard) -> str:
    """`Visa ending in 4242`."""
    return f"{(card.brand or 'bank account').capitalize()} ending in {card.last4}"


def load_cap() -> Decimal:
    """The most a member may load a day, USD (domain §10)."""
    return cap_of(chosen=Decimal(setting(LOAD_CAP)), signoff=str(setting(LOAD_CAP_SIGNOFF)))


def _of(member_id: int) -> QuerySet[Purchase]:
    return Purchase.objects.filter(member_id=member_id, kind=PurchaseKind.TOP_UP.value)
