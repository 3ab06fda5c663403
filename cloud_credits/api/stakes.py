"""`/api/stakes/`: a member's stakes, a new one, and the release of one that has matured."""

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions.staking import stake, unstake
from cloud_credits.api.serializers import (
    ReleaseRequest,
    StakeRequest,
    StakeSerializer,
    TransactionSerializer,
    TransferResponse,
)
from cloud_credits.api.transactions import KEY_HEADER, sight
from cloud_credits.models import StakingPosition
from habitat.faces.idempotency import key_of
from habitat.members.api.permissions import IsPerson
from habitat.members.errors import NoMembership
from habitat.members.reports.actors import actor_of
from habitat.money import parse_amount


class StakesView(ListAPIView):  # type: ignore[type-arg]
    permission_classes = [IsPerson]
    serializer_class = StakeSerializer
    queryset = StakingPosition.objects.none()

    def get_queryset(self) -> QuerySet[StakingPosition]:
        return StakingPosition.objects.visible_to(self.request.user)

    @extend_schema(
        operation_id="stake",
        parameters=[KEY_HEADER],
        request=StakeRequest,
        responses={201: TransferResponse, 200: TransferResponse},
    )
    def post(self, request: Request) -> Response:
        """Locks credits for `days`; their share of revenue is fixed now."""
        key = key_of(request)
        asked = StakeRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        member = getattr(request.user, "member", None)
        if member is None:
            raise NoMembership
        outcome = stake(
            member=member,
            amount=parse_amount(asked.validated_data["amount"]),
            days=asked.validated_data["days"],
            idempotency_key=key,
            acting=actor_of(request.user),
        )
        body = TransactionSerializer(outcome.transaction, context=sight(request)).data | {"replayed": outcome.replayed}
        return Response(body, status=status.HTTP_200_OK if outcome.replayed else status.HTTP_201_CREATED)


class UnstakeView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="unstake", parameters=[KEY_HEADER], request=ReleaseRequest, responses={200: TransferResponse}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Makes a matured stake liquid again; whoever releases another member's says why."""
        key = key_of(request)
        asked = ReleaseRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        position = StakingPosition.objects.visible_to(request.user).filter(pk=pk).first()
        if position is None:
            raise Http404
        outcome = unstake(
            position=position,
            reason=asked.validated_data["reason"],
            idempotency_key=key,
            acting=actor_of(request.user),
        )
        body = TransactionSerializer(outcome.transaction, context=sight(request)).data | {"replayed": outcome.replayed}
        return Response(body)
