"""`/api/rate-card…`: the card of a day, every published card, and a quote. For anyone signed in and any key."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.api.reading import day_of, end_of
from cloud_credits.api.serializers import QuoteRequest, QuoteSerializer, RateCardDetailSerializer, RateCardSerializer
from cloud_credits.models import RateCard
from cloud_credits.reports.quotes import parse_item, quote
from cloud_credits.reports.rate_cards import card_in_force
from habitat import clock
from habitat.faces.pagination import CursorPages


class RateCardPages(CursorPages):
    ordering = "-version"


def at_now() -> dict[str, Any]:
    """What the cards' serializers tell states by."""
    return {"now": clock.now()}


class CardOfDayView(APIView):
    @extend_schema(
        operation_id="rate_card",
        parameters=[OpenApiParameter("date", str, description="A UTC day; today where missing.")],
        responses=RateCardSerializer,
    )
    def get(self, request: Request) -> Response:
        """The card in force on a day."""
        card = card_in_force(end_of(day_of(request, "date")))
        return Response(RateCardSerializer(card, context=at_now()).data)


class RateCardListView(ListAPIView):  # type: ignore[type-arg]
    serializer_class = RateCardSerializer
    pagination_class = RateCardPages
    queryset = RateCard.objects.none()

    def get_queryset(self) -> QuerySet[RateCard]:
        return RateCard.objects.published()

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | at_now()


class RateCardView(RetrieveAPIView):  # type: ignore[type-arg]
    """One version: its rates, its way through notice and vote, and what the vote came to."""

    serializer_class = RateCardDetailSerializer
    lookup_field = "version"
    queryset = RateCard.objects.none()

    def get_queryset(self) -> QuerySet[RateCard]:
        return RateCard.objects.published()

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | at_now()


@extend_schema(exclude=True)
class RateCardWithoutSlashView(RateCardView):
    """The same at the address without its last slash: a program that follows no redirect finds it there."""


class QuoteView(APIView):
    @extend_schema(operation_id="rate_card_quote", request=QuoteRequest, responses=QuoteSerializer)
    def post(self, request: Request) -> Response:
        """What usage would cost; nothing is recorded, so no key is needed."""
        asked = QuoteRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        day = asked.validated_data["date"]
        items = [parse_item(item["primitive"], item["quantity"]) for item in asked.validated_data["items"]]
        return Response(QuoteSerializer(quote(items, at=end_of(day) if day else datetime.now(tz=UTC))).data)
