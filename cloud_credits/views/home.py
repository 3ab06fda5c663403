"""`/cloud/`: what a member holds, how it went, what happened lately, what is waiting."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from cloud_credits.reports import activity, member_usage
from cloud_credits.reports.balances import balance_of
from cloud_credits.views.tables import RECENT
from habitat.faces.charts import Chart, Series
from habitat.faces.pages import MemberPage

CHART_DAYS: Final = 60
RECENT_ROWS: Final = 8


class CloudHome(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        today = datetime.now(tz=UTC).date()
        days = activity.daily_balances(
            self.member.pk, first_day=today - timedelta(days=CHART_DAYS - 1), last_day=today
        )
        chart = Chart(
            name="balance",
            title=f"Your balance, the last {CHART_DAYS} days",
            unit="CLOUD at the end of each UTC day",
            label_title="Day",
            labels=[day.day.isoformat() for day in days],
            series=[Series("Liquid", [d.liquid for d in days]), Series("Staked", [d.staked for d in days])],
        )
        recent = activity.page(self.member.pk, activity.ActivityFilter(), size=RECENT_ROWS).rows
        context = {
            "member": self.member,
            "balance": balance_of(self.member),
            "chart": chart.lines() if recent else "",
            "recent": RECENT.render(recent) if recent else "",
            "waiting": activity.waiting(self.member.pk),
            "pending_usage": member_usage.pending(self.member.pk),
        }
        return render(request, "cloud_credits/home.html", context)
