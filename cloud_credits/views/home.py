"""`/cloud/`: what a member holds, how it went, what happened lately, what is waiting."""

from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from cloud_credits.reports import activity, balances, self_metering
from cloud_credits.views.tables import RECENT
from habitat.faces.charts import Chart, Series
from habitat.faces.pages import MemberPage

CHART_DAYS: Final = 60
RECENT_ROWS: Final = 8


class CloudHome(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        days = balances.history(self.member.pk, end=datetime.now(tz=UTC), days=CHART_DAYS)
        chart = Chart(
            name="balance",
            title=f"Your balance, the last {CHART_DAYS} days",
            unit="CLOUD at the end of each UTC day",
            label_title="Day",
            labels=[day.day.astimezone(UTC).date().isoformat() for day in days],
            series=[Series("Liquid", [d.liquid for d in days]), Series("Staked", [d.staked for d in days])],
        )
        recent = activity.page(self.member.pk, activity.ActivityFilter(), size=RECENT_ROWS).rows
        context = {
            "member": self.member,
            "balance": balances.balance_of(self.member.pk),
            "chart": chart.lines() if recent else "",
            "recent": RECENT.render(recent) if recent else "",
            "waiting": balances.pending_of(self.member.pk),
            "pending_usage": self_metering.pending_of(self.member.pk),
        }
        return render(request, "cloud_credits/home.html", context)
