"""Usage and margin in the back office: a form for range and grouping, a chart, the table, and its files."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cloud_credits.reports.usage_margin import (
    BESIDE_BILLS,
    REVENUE,
    Grouping,
    Margin,
    MarginReport,
    MarginRow,
    periods,
    usage_margin,
)
from habitat.errors import HabitatError
from habitat.faces.admin import actor_for
from habitat.faces.charts import Chart, Series
from habitat.faces.pdf import Document
from habitat.faces.tables import Column, Kind, Table
from habitat.money import cents, plain

TITLE: Final = "Usage and margin"
PERMISSION: Final = "cloud_credits.view_usage_margin"
# Who used how much is a member's own affair: for whoever may see usage anyway.
MEMBERS_PERMISSION: Final = "cloud_credits.view_resourceusage"
FORMATS: Final = ("csv", "xlsx", "pdf")
LINES_ON_A_PAGE: Final = 1000
BARS: Final = 12
EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2999, 12, 31)
WORDS: Final = {
    Grouping.PRIMITIVE: "by primitive",
    Grouping.SERVICE: "by service",
    Grouping.MEMBER: "by member",
    Grouping.MONTH: "by month",
    Grouping.PERIOD: "by accounting period",
}
_KEY_TITLES: Final = {
    Grouping.SERVICE: "Service",
    Grouping.MEMBER: "Member",
    Grouping.MONTH: "Month",
    Grouping.PERIOD: "Period",
}
_COLUMNS: Final[tuple[Column[MarginRow], ...]] = (
    Column("primitive", "Primitive", lambda row: row.measure.title),
    Column("events", "Events", lambda row: row.events, Kind.INTEGER),
    Column("quantity", "Quantity", lambda row: row.quantity, Kind.QUANTITY),
    Column("unit", "Unit", lambda row: row.measure.unit),
    Column("credits", "CLOUD", lambda row: row.credits, Kind.CLOUD),
    Column("usd", "USD", lambda row: row.usd, Kind.USD),
    Column("infrastructure", "Infrastructure, USD", lambda row: row.infrastructure, Kind.USD),
    Column("margin", "Margin, USD", lambda row: row.margin, Kind.USD),
    Column("percent", "Margin, %", lambda row: row.percent, Kind.RATE),
)
_BOOKED_COLUMNS: Final[tuple[Column[MarginRow], ...]] = (
    Column("booked", "Booked 55xx, USD", lambda row: row.booked, Kind.USD),
    Column("difference", "Booked less reckoned, USD", lambda row: row.difference, Kind.USD),
)


class RangeForm(forms.Form):
    """Days are UTC days; the last one is included."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To (included)", widget=forms.DateInput(attrs={"type": "date"}))
    by = forms.ChoiceField(label="Lines")

    def __init__(self, *args: Any, may_see_members: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["by"].choices = [
            (each.value, words) for each, words in WORDS.items() if may_see_members or each is not Grouping.MEMBER
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        first, last = given.get("first"), given.get("last")
        if first and last and last < first:
            self.add_error("last", f"The range ends ({last}) before it starts ({first}).")
        for name, day in (("first", first), ("last", last)):
            if day and not EARLIEST <= day <= LATEST:
                self.add_error(name, f"Choose a day from {EARLIEST} to {LATEST}.")
        return given

    @property
    def report(self) -> MarginReport:
        given = self.cleaned_data
        return usage_margin(given["first"], self.end, by=Grouping(given["by"]))

    @property
    def end(self) -> date:
        return self.cleaned_data["last"] + timedelta(days=1)

    @property
    def caption(self) -> str:
        given = self.cleaned_data
        return f"{TITLE}, {given['first']} to {given['last']}, {WORDS[Grouping(given['by'])]}"


@require_safe
def margin_page(request: HttpRequest) -> HttpResponseBase:
    """The page; without a range in the address, the month of today."""
    form = _form(request)
    report = form.report if form.is_valid() else None
    table = _table(form.caption, report) if report else None
    context = admin.site.each_context(request) | {
        "title": TITLE,
        "form": form,
        "periods": _periods(form),
        "report": report,
        "remarks": remarks(report) if report else (),
        "chart": _chart(report) if report and report.rows else "",
        "table": table.render(report.rows[:LINES_ON_A_PAGE], totals(report.total)) if table and report else "",
        "cut": bool(report) and len(report.rows) > LINES_ON_A_PAGE,
        "lines_on_a_page": LINES_ON_A_PAGE,
        "exports": _exports(form) if report else (),
    }
    return TemplateResponse(request, "cloud_credits/admin/usage_margin.html", context, status=200 if report else 422)


@require_safe
def margin_export(request: HttpRequest, file_format: str) -> HttpResponseBase:
    """All rows of the same report as a file. `file_format` is csv, xlsx or pdf."""
    form = _form(request)
    if not form.is_valid():
        return HttpResponse("; ".join(str(e[0]) for e in form.errors.values()), status=422, content_type="text/plain")
    report = form.report
    table = _table(form.caption, report)
    if file_format == "pdf":
        return _pdf(form, table, report)
    return table.csv_response(report.rows) if file_format == "csv" else table.xlsx_response(report.rows)


def totals(total: Margin) -> dict[str, Any]:
    """The foot, by column key."""
    keys = ("events", "credits", "usd", "infrastructure", "margin", "percent", "booked", "difference")
    return {key: getattr(total, key) for key in keys}


def remarks(report: MarginReport) -> tuple[str, ...]:
    """What stands above the table, on the page and on paper."""
    said = [
        "Usage by the moment it ended; infrastructure is quantity × the cost basis of the card that priced it. "
        f"Booked to 5510–5540 in these days: {cents(report.total.booked or Decimal(0)):,} USD."
    ]
    if report.own:
        said.append(f"The cooperative's own usage in it, {plain(report.own)} CLOUD, is no revenue in the books.")
    said.append(_tied(report))
    return tuple(said)


def _tied(report: MarginReport) -> str:
    """How the redeemed total comes to what the books say of the same days."""
    booked = f"Booked to {REVENUE} in these days: {cents(report.revenue):,} USD"
    parts = [
        (report.own_usd, "the cooperative's own usage"),
        (report.of_other_days, "usage that was booked on other days than it ended, corrections, and what is no usage"),
    ]
    told = [
        f"{'less' if amount > 0 else 'and'} {cents(abs(amount)):,} USD for {why}" for amount, why in parts if amount
    ]
    redeemed = f"the {cents(report.total.usd):,} USD redeemed"
    return f"{booked}. That is {redeemed}, {', '.join(told)}." if told else f"{booked}: all of {redeemed}."


def _form(request: HttpRequest) -> RangeForm:
    person = actor_for(request)
    if not person.may(PERMISSION):
        raise PermissionDenied
    today = timezone.now().date()
    usual = {"first": today.replace(day=1).isoformat(), "last": today.isoformat(), "by": Grouping.PRIMITIVE.value}
    given = usual | {name: value for name, value in request.GET.items() if value}
    return RangeForm(given, may_see_members=person.may(MEMBERS_PERMISSION))


def _table(caption: str, report: MarginReport) -> Table[MarginRow]:
    columns: tuple[Column[MarginRow], ...] = _COLUMNS
    if report.grouping in _KEY_TITLES:
        columns = (Column("key", _KEY_TITLES[report.grouping], lambda row: row.title), *columns)
    if report.grouping in BESIDE_BILLS:
        columns = (*columns, *_BOOKED_COLUMNS)
    return Table("usage-margin", caption, columns)


def _chart(report: MarginReport) -> str:
    sums: dict[str, list[Decimal]] = {}
    for row in report.rows:
        label = row.measure.title if report.grouping is Grouping.PRIMITIVE else row.title
        both = sums.setdefault(label, [Decimal(0), Decimal(0)])
        both[0] += row.usd
        both[1] += row.infrastructure
    labels = list(sums)
    if report.grouping not in BESIDE_BILLS:
        labels = sorted(labels, key=lambda label: -sums[label][0])[:BARS]
    return Chart(
        name="usage-margin-chart",
        title=f"USD redeemed {WORDS[report.grouping]}",
        unit="USD",
        label_title=_KEY_TITLES.get(report.grouping, "Primitive"),
        labels=labels,
        series=[
            Series("Redeemed", [sums[label][0] for label in labels]),
            Series("Infrastructure", [sums[label][1] for label in labels]),
        ],
    ).bars()


def _pdf(form: RangeForm, table: Table[MarginRow], report: MarginReport) -> HttpResponse:
    """The report on paper; dated by the end of its range, so that the same books give the same file."""
    made_at = datetime.combine(form.end, time(), UTC)
    document = Document(title=TITLE, subject=table.caption, created_at=made_at, is_wide=True)
    document.heading(TITLE, under=table.caption)
    for remark in remarks(report):
        document.paragraph(remark)
    try:
        table.pdf(document, report.rows, totals(report.total))
    except HabitatError as refusal:
        return HttpResponse(refusal.sentence, status=refusal.status, content_type="text/plain; charset=utf-8")
    return document.response(f"{table.name}.pdf")


def _periods(form: RangeForm) -> list[tuple[str, str]]:
    """Each accounting period's name, and the address of this page for its days."""
    by = form.data["by"] if form["by"].errors == [] else Grouping.PRIMITIVE.value
    return [
        (period.name, "?" + urlencode({"first": period.start, "last": period.end - timedelta(days=1), "by": by}))
        for period in periods(timezone.now().date())
    ]


def _exports(form: RangeForm) -> list[tuple[str, str]]:
    given = form.cleaned_data
    query = f"?first={given['first']}&last={given['last']}&by={given['by']}"
    return [(name.upper(), reverse("usage-margin-export", args=[name]) + query) for name in FORMATS]
