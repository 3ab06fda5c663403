"""`GET /api/health`: whether the house lives and is ready, part by part, for anybody who asks."""

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from habitat.site.reports.health import Part, State, health

_STATES = [state.value for state in State]
_PART = inline_serializer(
    "HealthPart", {"state": serializers.ChoiceField(_STATES), "says": serializers.CharField()}, many=False
)
_ANSWER = inline_serializer(
    "Health",
    {
        "status": serializers.ChoiceField(_STATES),
        "live": serializers.BooleanField(),
        "ready": serializers.BooleanField(),
        "at": serializers.DateTimeField(),
        "parts": serializers.DictField(child=_PART),
    },
)


class HealthView(APIView):
    """200 while requests can be served, 503 when the database or its migrations are missing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="health",
        summary="Whether the house lives and is ready, part by part",
        auth=[],
        responses={200: _ANSWER, 503: OpenApiResponse(_ANSWER, description="Not ready")},
    )
    def get(self, request: Request) -> Response:
        found = health()
        answer = {
            "status": found.state.value,
            "live": found.live,
            "ready": found.ready,
            "at": found.at.isoformat(),
            "parts": {_camel(part.name): _told(part) for part in found.parts},
        }
        code = status.HTTP_200_OK if found.ready else status.HTTP_503_SERVICE_UNAVAILABLE
        return Response(answer, status=code, headers={"Cache-Control": "no-store"})


def _told(part: Part) -> dict[str, str | int | None]:
    return {"state": part.state.value, "says": part.says, **part.facts}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
