"""`/cloud/usage/`: a month of metered usage, each line with its arithmetic, the totals, and what still waits."""

from datetime import UTC, datetime
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.reports import member_usage
from cloud_credits.reports.member_usage import Cursor, Month
from cloud_credits.views.tables import USAGE, USAGE_TOTALS
from habitat.faces.charts import Chart, Series
from habitat.faces.pages import EXPORTS, MemberPage, moment, query
from habitat.money import cloud_to_usd


class UsageFilter(forms.Form):
    period = forms.CharField(label="Month (UTC)", required=False, widget=forms.DateInput(attrs={"type": "month"}))
    primitive = forms.ChoiceField(
        label="Primitive",
        required=False,
        choices=[("", "All primitives"), *[(p.value, measure.title) for p, measure in MEASURES.items()]],
    )


class UsagePage(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        month = member_usage.month_of(request.GET.get("period"), today=datetime.now(tz=UTC).date())
        form = UsageFilter({"period": month.name, "primitive": request.GET.get("primitive", "")})
        word = form.cleaned_data["primitive"] if form.is_valid() else ""
        primitive = Primitive(word) if word else None
        params = {"period": month.name, "primitive": word}
        if request.GET.get("export") in EXPORTS:
            lines = member_usage.every(self.member.pk, month, primitive)
            return USAGE.csv_response(lines) if request.GET["export"] == "csv" else USAGE.xlsx_response(lines)
        part = member_usage.page(self.member.pk, month, primitive=primitive, before=_cursor(request))
        totals = member_usage.totals(self.member.pk, month)
        paid = sum((row.cost for row in totals), Decimal(0))
        context = {
            "form": form,
            "month": month,
            "is_filtered": primitive is not None,
            "totals": USAGE_TOTALS.render(totals, {"cost": paid, "usd": cloud_to_usd(paid)}) if totals else "",
            "chart": self._chart(month) if totals else "",
            "table": USAGE.render(part.rows) if part.rows else "",
            "older": query(params, before=part.older.metered_at.isoformat(), line=str(part.older.id))
            if part.older
            else "",
            "newest": query(params) if request.GET.get("before") else "",
            "csv": query(params, export="csv"),
            "xlsx": query(params, export="xlsx"),
            "pending": member_usage.pending(self.member.pk),
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


def _cursor(request: HttpRequest) -> Cursor | None:
    at, line = moment(request.GET.get("before")), request.GET.get("line", "")
    return Cursor(at, int(line)) if at and line.isascii() and line.isdigit() and len(line) < 19 else None
