"""`/api/usage/` and its summary: what was metered, line by line and in total."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.api.balances import MEMBER
from cloud_credits.api.reading import member_id_of, period_of
from cloud_credits.api.serializers import UsageReceiptSerializer, UsageSerializer, UsageSummarySerializer
from cloud_credits.models import ResourceUsage
from cloud_credits.policies.receipts import Receipt
from cloud_credits.reports import usage
from cloud_credits.reports.receipts import receipt_of
from habitat.faces.pagination import MomentPages
from habitat.members.api.permissions import IsPerson

VIEW_ALL = "cloud_credits.view_resourceusage"
PERIOD = OpenApiParameter("period", str, description="A UTC month, like 2026-04.")


class UsagePages(MomentPages):
    """A month's end has thousands of one moment."""

    moment = "metered_at"


class UsageListView(ListAPIView):  # type: ignore[type-arg]
    """Usage of the reader, newest first; for operations everybody's, or that of `?member=`."""

    permission_classes = [IsPerson]
    serializer_class = UsageSerializer
    pagination_class = UsagePages
    queryset = ResourceUsage.objects.none()

    @extend_schema(operation_id="usage", parameters=[MEMBER, PERIOD])
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[ResourceUsage]:
        rows = ResourceUsage.objects.visible_to(self.request.user).select_related("rate_card").with_booking()
        if self.request.query_params.get("member"):
            rows = rows.filter(member_id=member_id_of(self.request, VIEW_ALL))
        if self.request.query_params.get("period"):
            month = period_of(self.request)
            rows = rows.filter(metered_at__gte=month.start, metered_at__lt=month.end)
        return rows


class UsageSummaryView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(operation_id="usage_summary", parameters=[MEMBER, PERIOD], responses=UsageSummarySerializer)
    def get(self, request: Request) -> Response:
        """Totals of a month by primitive and rate."""
        month = period_of(request)
        found = usage.summary(start=month.start, end=month.end, member_id=member_id_of(request, VIEW_ALL))
        return Response(UsageSummarySerializer(found).data)


class UsageReceiptView(RetrieveAPIView):  # type: ignore[type-arg]
    """The receipt of one usage, to be recomputed by anyone. Another member's is not found."""

    permission_classes = [IsPerson]
    serializer_class = UsageReceiptSerializer
    queryset = ResourceUsage.objects.none()

    @extend_schema(operation_id="usage_receipt", responses=UsageReceiptSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return self.retrieve(request, pk=pk)

    def get_queryset(self) -> QuerySet[ResourceUsage]:
        return ResourceUsage.objects.visible_to(self.request.user).select_related("rate_card")

    def get_object(self) -> Receipt:
        return receipt_of(super().get_object())
