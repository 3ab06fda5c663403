"""`/api/invoices/`: a member's invoices as programs read them, and their payment."""

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions.invoices import pay
from cloud_credits.api.balances import MEMBER
from cloud_credits.api.reading import member_id_of
from cloud_credits.api.serializers import InvoiceSerializer, PaidInvoiceResponse, PayInvoiceRequest
from cloud_credits.api.transactions import KEY_HEADER
from cloud_credits.models import Invoice
from cloud_credits.policies.invoices import InvoiceState
from cloud_credits.reports.invoices import OPEN, InvoiceFilter
from habitat.faces.idempotency import key_of
from habitat.members.api.permissions import IsPerson
from habitat.members.reports.actors import actor_of

VIEW_ALL = "cloud_credits.view_invoice"
STATES = [OPEN, *(state.value for state in InvoiceState)]


class _Invoices:
    permission_classes = [IsPerson]
    serializer_class = InvoiceSerializer
    queryset = Invoice.objects.none()

    def get_queryset(self) -> QuerySet[Invoice]:
        rows = Invoice.objects.visible_to(self.request.user)  # type: ignore[attr-defined]
        return rows.prefetch_related("lines")


class InvoiceListView(_Invoices, ListAPIView):  # type: ignore[type-arg]
    """The reader's invoices, newest first; for who may view them everybody's, or those of `?member=`."""

    @extend_schema(operation_id="invoices", parameters=[MEMBER, OpenApiParameter("state", str, enum=STATES)])
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[Invoice]:
        rows = super().get_queryset()
        if self.request.query_params.get("member"):
            rows = rows.filter(member_id=member_id_of(self.request, VIEW_ALL))
        return rows.filter(InvoiceFilter(state=self.request.query_params.get("state", "")).condition())


class InvoiceView(_Invoices, RetrieveAPIView):  # type: ignore[type-arg]
    """One invoice with its lines. Another member's is not found."""


class PayInvoiceView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="payInvoice",
        parameters=[KEY_HEADER],
        request=PayInvoiceRequest,
        responses={200: PaidInvoiceResponse},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Pays from the balance. The same key again answers the first result with `replayed`.

        Whoever pays for another member says why.
        """
        key = key_of(request)
        asked = PayInvoiceRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        invoice = Invoice.objects.visible_to(request.user).filter(pk=pk).first()
        if invoice is None:
            raise Http404
        settled = pay(
            invoice=invoice,
            idempotency_key=key,
            acting=actor_of(request.user),
            reason=asked.validated_data["reason"],
        )
        return Response(InvoiceSerializer(settled.invoice).data | {"replayed": settled.replayed})
