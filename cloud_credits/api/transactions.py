"""`/api/transactions/` and `POST /api/transfers`: the ledger as programs read it, and a transfer."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions.transfers import transfer
from cloud_credits.api.balances import MEMBER
from cloud_credits.api.reading import member_id_of
from cloud_credits.api.serializers import TransactionSerializer, TransferRequest, TransferResponse
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import TransactionType
from cloud_credits.reports import recipients
from habitat.faces.idempotency import key_of
from habitat.members.api.permissions import IsPerson
from habitat.members.errors import NoMembership
from habitat.members.reports.actors import actor_of
from habitat.money import parse_amount

VIEW_ALL = "cloud_credits.view_cloudtransaction"
KEY_HEADER = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)


def sight(request: Request) -> dict[str, Any]:
    """Whose balances the reader may see beside a transaction."""
    member = getattr(request.user, "member", None)
    return {"member_id": member.pk if member else None, "sees_all": request.user.has_perm(VIEW_ALL)}


class _Transactions:
    permission_classes = [IsPerson]
    serializer_class = TransactionSerializer
    queryset = CloudTransaction.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | sight(self.request)  # type: ignore[misc, attr-defined]


class TransactionListView(_Transactions, ListAPIView):  # type: ignore[type-arg]
    """The reader's transactions, newest first; for operations everybody's, or those of `?member=`."""

    @extend_schema(
        operation_id="transactions",
        parameters=[MEMBER, OpenApiParameter("type", str, enum=[kind.value for kind in TransactionType])],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[CloudTransaction]:
        rows = CloudTransaction.objects.visible_to(self.request.user)
        if self.request.query_params.get("member"):
            rows = rows.touching(member_id_of(self.request, VIEW_ALL))
        kind = self.request.query_params.get("type")
        return rows.filter(type=kind) if kind else rows


class TransactionView(_Transactions, RetrieveAPIView):  # type: ignore[type-arg]
    """One transaction. Another member's is not found."""

    def get_queryset(self) -> QuerySet[CloudTransaction]:
        return CloudTransaction.objects.visible_to(self.request.user)


class TransferView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="transfer",
        parameters=[KEY_HEADER],
        request=TransferRequest,
        responses={201: TransferResponse, 200: TransferResponse},
    )
    def post(self, request: Request) -> Response:
        """Sends credits at once. The same key and content again answers the first result with `replayed`."""
        key = key_of(request)
        asked = TransferRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        sender = getattr(request.user, "member", None)
        if sender is None:
            raise NoMembership
        outcome = transfer(
            sender=sender,
            amount=parse_amount(asked.validated_data["amount"]),
            recipient=recipients.find(asked.validated_data["recipient"]),
            memo=asked.validated_data["memo"],
            idempotency_key=key,
            acting=actor_of(request.user),
        )
        body = TransactionSerializer(outcome.transaction, context=sight(request)).data | {"replayed": outcome.replayed}
        return Response(body, status=status.HTTP_200_OK if outcome.replayed else status.HTTP_201_CREATED)
