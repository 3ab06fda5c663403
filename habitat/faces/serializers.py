"""JSON out: exact numbers as strings, times in UTC with a Z."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from habitat.money import plain


@extend_schema_field(OpenApiTypes.STR)
class ExactField(serializers.Field):  # type: ignore[type-arg]
    """A Decimal as a plain string: no exponent, no trailing zeros, no float anywhere. Incoming text stays text."""

    def to_representation(self, value: Decimal) -> str:
        return plain(value)

    def to_internal_value(self, data: Any) -> Any:
        return data


@extend_schema_field(OpenApiTypes.STR)
class IdField(serializers.Field):  # type: ignore[type-arg]
    """An id: a string in JSON, so that no client loses digits."""

    def to_representation(self, value: int) -> str:
        return str(value)

    def to_internal_value(self, data: Any) -> Any:
        return data


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):  # type: ignore[type-arg]
    def to_representation(self, value: datetime) -> str:
        at = value.astimezone(UTC)
        return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")
