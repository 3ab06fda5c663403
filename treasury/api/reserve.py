"""`GET /api/reserve`: what stands behind the credits, for anybody who asks."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from habitat.faces.serializers import ExactField, MomentField
from treasury.models import BackingCheck
from treasury.policies.backing import Band, Term, TermName
from treasury.reports.backing import Reserve, reserve

_TERM = inline_serializer(
    "ReserveTerm",
    {
        "name": serializers.ChoiceField([name.value for name in TermName]),
        "amount": ExactField(),
        "source": serializers.CharField(),
        "readAt": MomentField(),
    },
    many=True,
)
_ANSWER = inline_serializer(
    "Reserve",
    {
        "minting": serializers.BooleanField(),
        "band": serializers.ChoiceField([band.value for band in Band]),
        "asOf": MomentField(allow_null=True),
        "checkedAt": MomentField(allow_null=True),
        "required": ExactField(allow_null=True),
        "outstanding": ExactField(allow_null=True),
        "inFlight": ExactField(allow_null=True),
        "held": ExactField(allow_null=True),
        "settledHeld": ExactField(allow_null=True),
        "ratio": ExactField(allow_null=True),
        "settledRatio": ExactField(allow_null=True),
        "reserveTarget": ExactField(),
        "aboveTarget": ExactField(allow_null=True),
        "terms": _TERM,
    },
)


class ReserveView(APIView):
    """USD and percent as strings. Before the first check, and where nothing is owed, a ratio is null."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="reserve", summary="What stands behind the credits, term by term", auth=[], responses=_ANSWER
    )
    def get(self, request: Request) -> Response:
        found = reserve()
        return Response(_told(found, found.check))


def _told(found: Reserve, check: BackingCheck | None) -> dict[str, object]:
    exact, moment = ExactField().to_representation, MomentField().to_representation
    numbers = {
        "required": check and check.required,
        "outstanding": check and check.outstanding,
        "inFlight": check and check.in_flight,
        "held": check and check.held,
        "settledHeld": check and check.settled_held,
        "ratio": check and check.ratio,
        "settledRatio": check and check.settled_ratio,
        "reserveTarget": found.target,
        "aboveTarget": found.above_target if check else None,
    }
    return {
        "minting": found.is_minting,
        "band": check.band if check else Band.UNKNOWN.value,
        "asOf": moment(check.as_of) if check else None,
        "checkedAt": moment(check.checked_at) if check else None,
        **{name: None if number is None else exact(number) for name, number in numbers.items()},
        "terms": [_term(term) for term in found.terms],
    }


def _term(term: Term) -> dict[str, str]:
    return {
        "name": term.name.value,
        "amount": ExactField().to_representation(term.amount),
        "source": term.source,
        "readAt": MomentField().to_representation(term.read_at),
    }
