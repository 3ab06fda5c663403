"""`/api/spending`: where the month stands against the member's own cap, and setting cap and low-balance warning."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions import spending as verbs
from cloud_credits.api.balances import MEMBER
from cloud_credits.api.reading import member_id_of
from cloud_credits.api.serializers import SpendingRequest, SpendingSerializer
from cloud_credits.reports.spending import spending_of
from habitat import clock
from habitat.members.api.permissions import IsPerson
from habitat.members.errors import NoMembership
from habitat.members.reports.actors import actor_of
from habitat.money import Money, parse_amount

VIEW = "cloud_credits.view_spendcap"


class SpendingView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(operation_id="spending", parameters=[MEMBER], responses=SpendingSerializer)
    def get(self, request: Request) -> Response:
        """The reader's running UTC month; for operations that of `?member=`."""
        return _answer(member_id_of(request, VIEW))

    @extend_schema(operation_id="spending_set", request=SpendingRequest, responses=SpendingSerializer)
    def put(self, request: Request) -> Response:
        """Sets both; null takes one away. The same again changes nothing, so no key is needed."""
        asked = SpendingRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        member = getattr(request.user, "member", None)
        if member is None:
            raise NoMembership
        verbs.set_limits(
            member=member,
            monthly_cap=_amount(asked.validated_data["monthlyCap"], "monthlyCap"),
            low_balance=_amount(asked.validated_data["lowBalance"], "lowBalance"),
            acting=actor_of(request.user),
        )
        return _answer(member.pk)


def _answer(member_id: int) -> Response:
    return Response(SpendingSerializer(spending_of(member_id, at=clock.now())).data)


def _amount(given: object, field: str) -> Money | None:
    return None if given is None else parse_amount(given, field=field)  # type: ignore[arg-type]
