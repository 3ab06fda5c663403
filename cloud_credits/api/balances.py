"""`GET /api/balance`: what a member holds, now or as it stood at a moment."""

from dataclasses import asdict
from datetime import UTC, datetime

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.api.reading import member_id_of, moment_of
from cloud_credits.api.serializers import BalanceSerializer
from cloud_credits.reports.balances import BalanceFigures, balance_at, balance_of
from habitat.members.api.permissions import IsPerson

MEMBER = OpenApiParameter("member", str, description="Another member's number; operations only.")


class BalanceView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="balance",
        parameters=[MEMBER, OpenApiParameter("at", str, description="A moment with its zone, ISO 8601.")],
        responses=BalanceSerializer,
    )
    def get(self, request: Request) -> Response:
        """The balance of the reader, all movements of the moment `at` included."""
        member_id = member_id_of(request, "cloud_credits.view_cloudbalance")
        at = moment_of(request, "at")
        figures = balance_of(member_id) if at is None else balance_at(member_id, at)
        return Response(BalanceSerializer(_shape(member_id, figures, at)).data)


def _shape(member_id: int, figures: BalanceFigures, at: datetime | None) -> dict[str, object]:
    derived = {name: getattr(figures, name) for name in ("total", "liquid_usd", "staked_usd", "total_usd")}
    return asdict(figures) | derived | {"member_id": member_id, "as_of": at or datetime.now(tz=UTC)}
