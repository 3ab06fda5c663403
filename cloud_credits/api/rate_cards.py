"""`/api/rate-card…`: the card of a day, every published card, and a quote. For anyone signed in and any key."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cloud_credits.api.reading import day_of, end_of
from cloud_credits.api.serializers import QuoteRequest, QuoteSerializer, RateCardDetailSerializer, RateCardSerializer
from cloud_credits.models import RateCard
from cloud_credits.reports import rate_card_votes
from cloud_credits.reports.quotes import parse_item, quote
from cloud_credits.reports.rate_card_votes import SentBack
from cloud_credits.reports.rate_cards import card_in_force
from habitat import clock
from habitat.faces.pagination import CursorPages


class RateCardPages(CursorPages):
    ordering = "-version"


def at_now(sent_back: Mapping[int, SentBack] | None = None) -> dict[str, Any]:
    """What the cards' serializers tell states by: the moment, and the versions among them that were sent back."""
    return {"now": clock.now(), "sent_back": sent_back or {}}


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

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every version that was put before the members, newest first; what was sent back as it was told then."""
        rows = self.paginate_queryset(rate_card_votes.told_versions())
        versions = [row.version for row in rows or []]
        cards = {card.number: card for card in RateCard.objects.published().filter(version__in=versions)}
        # Read last: what an emergency sends back meanwhile is found here.
        sent_back = rate_card_votes.sent_back_among(set(versions) - set(cards))
        shown = [cards[version] if version in cards else sent_back[version].card for version in versions]
        context = self.get_serializer_context() | at_now(sent_back)
        return self.get_paginated_response(RateCardSerializer(shown, many=True, context=context).data)


class RateCardView(RetrieveAPIView):  # type: ignore[type-arg]
    """One version: its rates, its way through notice and vote, and what the vote came to. A version that an emergency
    sent back stays as it was told, in the state `sent_back`."""

    serializer_class = RateCardDetailSerializer
    lookup_field = "version"
    queryset = RateCard.objects.none()

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version = kwargs["version"]
        card = RateCard.objects.published().filter(version=version).first()
        told = rate_card_votes.sent_back(version) if card is None else None
        if told is None and card is None:
            raise Http404
        context = self.get_serializer_context() | at_now({version: told} if told is not None else {})
        return Response(RateCardDetailSerializer(told.card if told is not None else card, context=context).data)


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
