"""`/reserve/`: for anybody, without sign-in: what stands behind the credits, term by term, and how it went."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from habitat.faces.charts import Chart, Series
from habitat.money import CENT_PLACES, DOWN, rounded
from treasury.models import BackingCheck
from treasury.policies.backing import NOTHING, TERM_TITLES, Band, band_in_words, percent
from treasury.reports.backing import history, reserve

DAYS: Final = 90


@require_safe
def reserve_page(request: HttpRequest) -> HttpResponse:
    """The latest check with every term, its source and its time; the last checks of ninety days as a chart."""
    found = reserve()
    context = {"reserve": found, "days": DAYS, "check": found.check, "chart": _drawn(timezone.now())}
    if found.check is not None:
        context |= {
            "meaning": band_in_words(Band(found.check.band)),
            "ratio": percent(found.check.ratio),
            "settled_ratio": percent(found.check.settled_ratio),
            "terms": [(TERM_TITLES[term.name], term) for term in found.terms],
        }
    return render(request, "treasury/reserve.html", context)


def _drawn(now: datetime) -> str:
    checks = history(end=now, days=DAYS)
    if not checks:
        return ""
    return Chart(
        name="reserve-history",
        title=f"Held and owed, the last {DAYS} days",
        unit="USD",
        label_title="Day",
        labels=[f"{check.as_of:%Y-%m-%d}" for check in checks],
        series=[
            Series("Held", [rounded(max(check.held, NOTHING), CENT_PLACES, DOWN) for check in checks]),
            Series("Owed", [_owed(check) for check in checks]),
        ],
    ).lines()


def _owed(check: BackingCheck) -> Decimal:
    return rounded(max(check.required, NOTHING), CENT_PLACES, DOWN)
