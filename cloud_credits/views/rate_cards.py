"""`/rate-cards/`: every published card, and one card with what each unit costs and why."""

from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from cloud_credits.models import RateCard
from cloud_credits.policies.primitives import measure_of
from cloud_credits.reports.rate_cards import standing_of
from habitat.faces.pages import Page
from habitat.money import cloud_to_usd


class RateCardList(Page):
    def get(self, request: HttpRequest) -> HttpResponse:
        now = datetime.now(tz=UTC)
        cards = [(card, standing_of(card, now)) for card in RateCard.objects.published().order_by("-version")]
        return render(request, "cloud_credits/rate_cards.html", {"cards": cards})


class RateCardDetail(Page):
    def get(self, request: HttpRequest, version: int) -> HttpResponse:
        card = RateCard.objects.published().filter(version=version).first()
        if card is None:
            raise Http404
        lines = [(measure_of(primitive), rate, cloud_to_usd(rate), cost) for primitive, rate, cost in card.lines]
        context = {"card": card, "lines": lines, "standing": standing_of(card, datetime.now(tz=UTC))}
        return render(request, "cloud_credits/rate_card.html", context)
