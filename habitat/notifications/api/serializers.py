"""The JSON shapes of webhooks. Keys are camelCase; ids are strings."""

from typing import Any

from rest_framework import serializers

from habitat.faces.serializers import IdField, MomentField
from habitat.notifications.policies.webhooks import told_to_service


class EndpointRequest(serializers.Serializer[Any]):
    """`types` are names like `balance.updated` or families like `invoice.*`."""

    url = serializers.CharField(max_length=500)
    types = serializers.ListField(child=serializers.CharField(max_length=60), allow_empty=False, max_length=50)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class EndpointSerializer(serializers.Serializer[Any]):
    id = IdField(source="pk")
    url = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    state = serializers.CharField()
    because = serializers.CharField()
    failingSince = MomentField(source="failing_since", allow_null=True)
    createdAt = MomentField(source="created_at")


class CreatedEndpointSerializer(EndpointSerializer):
    """`secret` is shown this once."""

    secret = serializers.CharField()


class ReasonRequest(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)


class DeliverySerializer(serializers.Serializer[Any]):
    """`messageId` is the `webhook-id` that was sent; `status` the last answer."""

    id = IdField(source="pk")
    endpointId = IdField(source="endpoint_id")
    messageId = serializers.CharField(source="message.public_id")
    type = serializers.CharField(source="message.type")
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.SerializerMethodField()
    dueAt = MomentField(source="due_at")
    createdAt = MomentField(source="created_at")
    deliveredAt = MomentField(source="delivered_at", allow_null=True)

    def get_error(self, row: Any) -> str:
        return told_to_service(row.error, status=row.status)
