"""`POST /api/stripe/checkout`, `/api/purchases/` and `/api/stripe/invoices`: buying as programs do it."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions.purchases import Wish, begin
from cloud_credits.api.balances import MEMBER
from cloud_credits.api.reading import member_id_of
from cloud_credits.api.serializers import CheckoutRequest, CheckoutResponse, PurchaseSerializer, ReceiptSerializer
from cloud_credits.api.transactions import KEY_HEADER
from cloud_credits.errors import CheckoutClosed, CheckoutWaits
from cloud_credits.models import Invoice, Purchase
from cloud_credits.policies.purchases import PayBy, PurchaseKind, PurchaseState
from cloud_credits.reports import purchases
from cloud_credits.workflows.purchases import open_now
from habitat.errors import HabitatError
from habitat.faces.idempotency import key_of
from habitat.members.api.permissions import IsPerson
from habitat.members.errors import NoMembership
from habitat.members.reports.actors import actor_of
from habitat.money import parse_amount
from treasury.reports.stripe_documents import receipts

VIEW_ALL = "cloud_credits.view_purchase"


class CheckoutView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="checkout",
        parameters=[KEY_HEADER],
        request=CheckoutRequest,
        responses={201: CheckoutResponse, 200: CheckoutResponse},
    )
    def post(self, request: Request) -> Response:
        """Begins a purchase and answers Stripe's page for it. The same key and content again answers the first one.

        `terms_not_accepted` (403): accept them at `/terms/`. `checkout_waits` (503): the purchase is kept; ask again.
        """
        key = key_of(request)
        asked = CheckoutRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        member = getattr(request.user, "member", None)
        if member is None:
            raise NoMembership
        first = purchases.with_key(member.pk, key)
        invoice = _invoice(member.pk, given["invoiceId"])
        try:
            purchase = begin(
                member=member,
                amount=parse_amount(given["cloudAmount"]),
                kind=PurchaseKind.INVOICE if invoice else PurchaseKind(given["kind"]),
                invoice=invoice,
                idempotency_key=key,
                acting=actor_of(request.user),
                wish=Wish(pay_by=PayBy(given["method"]), save=given["saveMethod"]),
            )
        except HabitatError as refusal:
            # The verb's own word for the field is not the API's.
            refusal.field = "cloudAmount" if refusal.field == "amount" else refusal.field
            raise
        return self.answer(open_now(purchase), replayed=first is not None)

    def answer(self, purchase: Purchase, *, replayed: bool) -> Response:
        """Raises CheckoutWaits, CheckoutClosed."""
        if purchase.state == PurchaseState.CREATED:
            raise CheckoutWaits(purchase_id=purchase.pk)
        if not purchase.checkout_url:
            raise CheckoutClosed(purchase_id=purchase.pk, state=purchases.state_in_words(purchase))
        body = CheckoutResponse({"purchase": purchase, "replayed": replayed}).data
        return Response(body, status=status.HTTP_200_OK if replayed else status.HTTP_201_CREATED)


def _invoice(member_id: int, number: str | None) -> Invoice | None:
    """The member's own invoice to be paid with what is bought. Somebody else's is not found."""
    if not number:
        return None
    is_number = number.isascii() and number.isdigit() and len(number) < purchases.LONGEST_NUMBER
    found = Invoice.objects.filter(pk=int(number), member_id=member_id).first() if is_number else None
    if found is None:
        raise Http404
    return found


class _Purchases:
    permission_classes = [IsPerson]
    serializer_class = PurchaseSerializer
    queryset = Purchase.objects.none()

    def get_queryset(self) -> QuerySet[Purchase]:
        rows = Purchase.objects.visible_to(self.request.user)  # type: ignore[attr-defined]
        return rows.select_related("payment__payment_mint")


class PurchaseListView(_Purchases, ListAPIView):  # type: ignore[type-arg]
    """The reader's purchases, newest first; for who may view them everybody's, or those of `?member=`."""

    @extend_schema(operation_id="purchases", parameters=[MEMBER])
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[Purchase]:
        rows = super().get_queryset()
        if self.request.query_params.get("member"):
            rows = rows.filter(member_id=member_id_of(self.request, VIEW_ALL))
        return rows


class PurchaseView(_Purchases, RetrieveAPIView):  # type: ignore[type-arg]
    """One purchase, as the books know it. Another member's is not found."""


class ReceiptListView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(operation_id="stripeInvoices", parameters=[MEMBER], responses=ReceiptSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What the member paid through Stripe, newest first, each with Stripe's own receipt where there is one."""
        rows: list[Any] = list(receipts(member_id_of(request, VIEW_ALL)))
        return Response(ReceiptSerializer(rows, many=True).data)
