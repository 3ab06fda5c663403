"""`/cloud/usage/`: a month of metered usage, each line with its arithmetic, the totals, and what still waits."""

from datetime import UTC, datetime
from typing import Final

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from cloud_credits.policies.primitives import MEASURES, Primitive, measure_of
from cloud_credits.reports import member_usage, self_metering, usage
from cloud_credits.reports.member_usage import Month
from cloud_credits.reports.usage import Mark
from cloud_credits.views.tables import USAGE, USAGE_TOTALS
from habitat.faces.charts import Chart, Series
from habitat.faces.pages import EXPORTS, MemberPage, moment, number, query

PAGE_SIZE: Final = 25


class UsageFilter(forms.Form):
    period = forms.CharField(label="Month (UTC)", required=False, widget=forms.DateInput(attrs={"type": "month"}))
    primitive = forms.ChoiceField(
        label="Primitive",
        required=False,
        choices=[("", "All primitives"), *[(p.value, measure.title) for p, measure in MEASURES.items()]],
    )


class UsagePage(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        month = _month(request)
        form = UsageFilter({"period": month.name, "primitive": request.GET.get("primitive", "")})
        word = form.cleaned_data["primitive"] if form.is_valid() else ""
        primitive = Primitive(word) if word else None
        params = {"period": month.name, "primitive": word}
        if request.GET.get("export") in EXPORTS:
            lines = member_usage.every(self.member.pk, month, primitive)
            return USAGE.csv_response(lines) if request.GET["export"] == "csv" else USAGE.xlsx_response(lines)
        found = usage.of_member(self.member.pk, start=month.start, end=month.end, primitive=primitive)
        rows, mark = usage.page(found.with_booking(), size=PAGE_SIZE, after=mark_of(request))
        sums = usage.summary(start=month.start, end=month.end, member_id=self.member.pk)
        context = {
            "form": form,
            "month": month,
            "totals": USAGE_TOTALS.render(sums.lines, {"cost": sums.cost, "usd": sums.usd}) if sums.lines else "",
            "chart": self._chart(month) if sums.lines else "",
            "table": USAGE.render(rows) if rows else "",
            "older": query(params, before=mark.metered_at.isoformat(), line=str(mark.id)) if mark else "",
            "newest": query(params) if request.GET.get("before") else "",
            "csv": query(params, export="csv"),
            "xlsx": query(params, export="xlsx"),
            "pending_usage": self_metering.pending_of(self.member.pk),
            "counting": [
                (measure_of(each), quantity)
                for each, quantity in self_metering.counting_now(self.member.pk).items()
                if quantity
            ],
        }
        return render(request, "cloud_credits/usage.html", context)

    def _chart(self, month: Month) -> str:
        days = member_usage.daily_costs(self.member.pk, month)
        return Chart(
            name="usage-days",
            title=f"Cost by day, {month.name}",
            unit="CLOUD a UTC day",
            label_title="Day",
            labels=[day.day.isoformat() for day in days],
            series=[Series("Cost", [day.cost for day in days])],
        ).bars()


def _month(request: HttpRequest) -> Month:
    today = datetime.now(tz=UTC)
    try:
        return member_usage.month_of(request.GET.get("period", ""))
    except (ValueError, OverflowError):
        return Month(today.year, today.month)


def mark_of(request: HttpRequest) -> Mark | None:
    """The event after which a page of events begins, as its address names it."""
    at, line = moment(request.GET.get("before")), number(request.GET.get("line"))
    return Mark(at, line) if at is not None and line is not None else None
