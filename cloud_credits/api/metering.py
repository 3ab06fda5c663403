"""`POST /api/metering/record`: a service tells what a member used."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.actions import metering
from cloud_credits.api.serializers import MeteringRequest, MeteringResponse
from habitat.controls.api.permissions import has_scope
from habitat.controls.policies.scopes import Scope
from habitat.controls.reports.service_keys import actor_of


class MeteringRecordView(APIView):
    permission_classes = [has_scope(Scope.METERING_WRITE)]

    @extend_schema(
        operation_id="metering_record",
        request=MeteringRequest,
        responses={201: MeteringResponse, 200: MeteringResponse},
    )
    def post(self, request: Request) -> Response:
        """Prices the usage, takes the credits, books the revenue; `eventId` is the key. Again: 200, `replayed`."""
        if not isinstance(request.data, dict):
            message = "The body is one JSON object."
            raise ParseError(message)
        key = request.auth
        outcome = metering.receive(body=request.data, key_id=key.pk, acting=actor_of(key))
        code = status.HTTP_200_OK if outcome.replayed else status.HTTP_201_CREATED
        return Response(MeteringResponse(outcome).data, status=code)
