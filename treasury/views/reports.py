"""The financial reports in the back office: a form for the range, the table, and the same rows as CSV, XLSX and PDF."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from habitat.errors import HabitatError
from habitat.faces.admin import actor_for
from habitat.faces.pdf import UPRIGHT_COLUMNS, Document
from treasury.models import Account
from treasury.policies.periods import quarter_end
from treasury.reports.sums import Basis
from treasury.reports.tables import BASES, REPORTS, Asked, Shown

PERMISSION: Final = "treasury.view_reports"
# A page of more lines helps nobody; the export holds them all.
LINES_ON_A_PAGE: Final = 1000
FORMATS: Final = ("csv", "xlsx", "pdf")
EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2999, 12, 31)


class RangeForm(forms.Form):
    """Days are UTC days; the last one is included."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To (included)", widget=forms.DateInput(attrs={"type": "date"}))
    basis = forms.ChoiceField(label="Ordered", choices=[(basis.value, words) for basis, words in BASES.items()])
    account = forms.ModelChoiceField(
        label="Account", queryset=Account.objects.filter(is_postable=True), to_field_name="code", required=False
    )

    def __init__(self, *args: Any, report: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if report == "account-ledger":
            self.fields["account"].required = True
        else:
            del self.fields["account"]
        if report == "balance-sheet":
            self.fields["first"].widget = forms.HiddenInput()
            self.fields["last"].label = "At the end of"

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
    def asked(self) -> Asked:
        given = self.cleaned_data
        account = given.get("account")
        return Asked(
            first=given["first"],
            last=given["last"],
            basis=Basis(given["basis"]),
            account=account.code if account else "",
        )


@require_safe
def report_page(request: HttpRequest, report: str) -> HttpResponseBase:
    """The page; without a range in the address, the quarter of today."""
    title, make = _permitted(request, report)
    form = RangeForm(_given(request, report), report=report)
    shown, refusal, status = None, "", 200
    if form.is_valid():
        try:
            shown = make(form.asked)
        except HabitatError as error:
            refusal, status = error.sentence, error.status
    else:
        status = 422
    context = admin.site.each_context(request) | {
        "title": title,
        "form": form,
        "refusal": refusal,
        "shown": shown,
        "table": _table(shown) if shown else "",
        "cut": bool(shown) and len(shown.rows) > LINES_ON_A_PAGE,
        "lines_on_a_page": LINES_ON_A_PAGE,
        "exports": _exports(request, report, form) if shown else (),
        "reports": [(name, words, reverse("treasury_report", args=[name])) for name, (words, _) in REPORTS.items()],
        "report": report,
    }
    return TemplateResponse(request, "treasury/report.html", context, status=status)


@require_safe
def report_export(request: HttpRequest, report: str, file_format: str) -> HttpResponseBase:
    """All rows of the same report as a file. `file_format` is csv, xlsx or pdf."""
    title, make = _permitted(request, report)
    form = RangeForm(_given(request, report), report=report)
    if not form.is_valid():
        return HttpResponse("; ".join(str(e[0]) for e in form.errors.values()), status=422, content_type="text/plain")
    shown = make(form.asked)
    if file_format == "pdf":
        return _pdf(title, shown, form.asked)
    return shown.table.csv_response(shown.rows) if file_format == "csv" else shown.table.xlsx_response(shown.rows)


def _pdf(title: str, shown: Shown, asked: Asked) -> HttpResponse:
    """The report on paper; dated by the end of its range, so that the same books give the same file."""
    made_at = datetime.combine(asked.end, time(), UTC)
    is_wide = len(shown.table.columns) > UPRIGHT_COLUMNS
    document = Document(title=title, subject=shown.table.caption, created_at=made_at, is_wide=is_wide)
    document.heading(title, under=shown.table.caption)
    for remark in shown.remarks:
        document.paragraph(remark)
    try:
        shown.table.pdf(document, shown.rows, shown.totals or None)
    except HabitatError as refusal:
        return HttpResponse(refusal.sentence, status=refusal.status, content_type="text/plain; charset=utf-8")
    return document.response(f"{shown.table.name}.pdf")


def _permitted(request: HttpRequest, report: str) -> Any:
    if not actor_for(request).may(PERMISSION):
        raise PermissionDenied
    if report not in REPORTS:
        raise Http404
    return REPORTS[report]


def _given(request: HttpRequest, report: str) -> dict[str, Any]:
    today = timezone.now().date()
    last = quarter_end(today) - timedelta(days=1)
    first = date(last.year, last.month - 2, 1)
    account = {"account": "2220"} if report == "account-ledger" else {}
    usual = {"first": first.isoformat(), "last": last.isoformat(), "basis": Basis.EFFECTIVE.value}
    return usual | account | {name: value for name, value in request.GET.items() if value}


def _table(shown: Shown) -> str:
    return shown.table.render(shown.rows[:LINES_ON_A_PAGE], shown.totals or None)


def _exports(request: HttpRequest, report: str, form: RangeForm) -> list[tuple[str, str]]:
    asked = form.asked
    query = f"?first={asked.first}&last={asked.last}&basis={asked.basis.value}"
    query += f"&account={asked.account}" if asked.account else ""
    return [(name.upper(), reverse("treasury_report_export", args=[report, name]) + query) for name in FORMATS]
