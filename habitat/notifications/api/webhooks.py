"""`/api/webhooks/…`: a service sets up where it hears from us, sees what was sent, and asks for it again."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from habitat.controls.api.permissions import has_scope
from habitat.controls.policies.scopes import Scope
from habitat.controls.reports.service_keys import actor_of
from habitat.faces.pagination import CursorPages
from habitat.notifications.actions import webhook_deliveries, webhooks
from habitat.notifications.api.serializers import (
    CreatedEndpointSerializer,
    DeliverySerializer,
    EndpointRequest,
    EndpointSerializer,
    ReasonRequest,
)
from habitat.notifications.models import WebhookDelivery, WebhookEndpoint
from habitat.notifications.policies.webhooks import DeliveryState

IsService = has_scope(Scope.WEBHOOKS)


class EndpointListView(ListAPIView):  # type: ignore[type-arg]
    permission_classes = [IsService]
    serializer_class = EndpointSerializer
    pagination_class = CursorPages
    queryset = WebhookEndpoint.objects.none()

    @extend_schema(operation_id="webhook_endpoints")
    def get(self, request: Request) -> Response:
        """The key's own endpoints."""
        return self.list(request)

    @extend_schema(
        operation_id="webhook_endpoint_create", request=EndpointRequest, responses={201: CreatedEndpointSerializer}
    )
    def post(self, request: Request) -> Response:
        """Sets one up and answers its secret, this once. The address is the key: the same again is a 409."""
        asked = EndpointRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        endpoint, secret = webhooks.create(key=request.auth, acting=actor_of(request.auth), **asked.validated_data)
        return _with_secret(endpoint, secret, status.HTTP_201_CREATED)

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.of_key(self.request.auth.pk)


class EndpointView(APIView):
    permission_classes = [IsService]

    @extend_schema(operation_id="webhook_endpoint", responses=EndpointSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """One endpoint. Another key's is not found."""
        return Response(EndpointSerializer(_own(request, pk)).data)

    @extend_schema(operation_id="webhook_endpoint_remove", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Nothing is sent there any more, for good."""
        webhooks.remove(endpoint=_own(request, pk), reason="Removed by its service", acting=actor_of(request.auth))
        return Response(status=status.HTTP_204_NO_CONTENT)


class EndpointSecretView(APIView):
    permission_classes = [IsService]

    @extend_schema(operation_id="webhook_endpoint_rotate", request=None, responses=CreatedEndpointSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """A new secret, shown this once. For 24 hours messages are signed with the former one too."""
        endpoint, secret = webhooks.rotate(endpoint=_own(request, pk), acting=actor_of(request.auth))
        return _with_secret(endpoint, secret, status.HTTP_200_OK)


class EndpointEnableView(APIView):
    permission_classes = [IsService]

    @extend_schema(operation_id="webhook_endpoint_enable", request=ReasonRequest, responses=EndpointSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Switches on again what was switched off; `reason` says what was mended."""
        endpoint = webhooks.enable(endpoint=_own(request, pk), reason=_reason(request), acting=actor_of(request.auth))
        return Response(EndpointSerializer(endpoint).data)


class DeliveryListView(ListAPIView):  # type: ignore[type-arg]
    permission_classes = [IsService]
    serializer_class = DeliverySerializer
    pagination_class = CursorPages
    queryset = WebhookDelivery.objects.none()

    @extend_schema(
        operation_id="webhook_deliveries",
        parameters=[
            OpenApiParameter("endpoint", str, description="One endpoint's number."),
            OpenApiParameter("state", str, enum=[state.value for state in DeliveryState]),
        ],
    )
    def get(self, request: Request) -> Response:
        """What was sent to the key's endpoints, the newest first."""
        return self.list(request)

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        rows = WebhookDelivery.objects.filter(endpoint__key_id=self.request.auth.pk).select_related("message")
        params = self.request.query_params
        endpoint = params.get("endpoint", "")
        if endpoint:
            rows = rows.filter(endpoint_id=_number(endpoint))
        return rows.filter(state=params["state"]) if params.get("state") else rows


class DeliveryReplayView(APIView):
    permission_classes = [IsService]

    @extend_schema(operation_id="webhook_replay", request=ReasonRequest, responses={202: DeliverySerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Sends a dead or delivered message once more, under its own id. Another key's is not found."""
        found = (
            WebhookDelivery.objects.filter(endpoint__key_id=request.auth.pk)
            .select_related("endpoint", "message")
            .filter(pk=pk)
            .first()
        )
        if found is None:
            raise Http404
        again = webhook_deliveries.replay(delivery=found, reason=_reason(request), acting=actor_of(request.auth))
        return Response(DeliverySerializer(again).data, status=status.HTTP_202_ACCEPTED)


def _own(request: Request, pk: int) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.of_key(request.auth.pk).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _reason(request: Request) -> str:
    asked = ReasonRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    return str(asked.validated_data["reason"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def _with_secret(endpoint: WebhookEndpoint, secret: str, code: int) -> Response:
    body: dict[str, Any] = {**EndpointSerializer(endpoint).data, "secret": secret}
    return Response(body, status=code, headers={"Cache-Control": "no-store"})
