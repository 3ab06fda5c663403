"""`/cloud/transactions/`: the member's ledger with filters, pages and exports, and one transaction in full."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import TransactionType
from cloud_credits.reports import activity, balances
from cloud_credits.reports.activity import Activity, ActivityFilter, Direction
from cloud_credits.views.tables import TRANSACTIONS
from habitat.faces.pages import EXPORTS, MemberPage, Page, moment, query

DATE = forms.DateInput(attrs={"type": "date"})


class FilterForm(forms.Form):
    """The filters as they stand in the URL."""

    type = forms.ChoiceField(
        label="Type", required=False, choices=[("", "All types"), *[(t.value, t.value) for t in TransactionType]]
    )
    direction = forms.ChoiceField(
        label="Direction",
        required=False,
        choices=[("", "In and out"), ("in", "in"), ("out", "out"), ("within", "within (stakes)")],
    )
    first_day = forms.DateField(label="From day (UTC)", required=False, widget=DATE)
    last_day = forms.DateField(label="To day (UTC)", required=False, widget=DATE)
    text = forms.CharField(label="Text", required=False, max_length=80, strip=True)

    def chosen(self) -> ActivityFilter:
        given: dict[str, Any] = self.cleaned_data if self.is_valid() else {}
        return ActivityFilter(
            type=TransactionType(given["type"]) if given.get("type") else None,
            direction=Direction(given["direction"]) if given.get("direction") else None,
            first_day=given.get("first_day"),
            last_day=given.get("last_day"),
            text=given.get("text") or "",
        )


class TransactionList(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = FilterForm(request.GET)
        chosen = form.chosen()
        params = {name: request.GET.get(name) for name in form.fields}
        if request.GET.get("export") in EXPORTS and form.is_valid():
            rows = activity.every(self.member.pk, chosen)
            is_csv = request.GET["export"] == "csv"
            return TRANSACTIONS.csv_response(rows) if is_csv else TRANSACTIONS.xlsx_response(rows)
        part = activity.page(
            self.member.pk,
            chosen,
            before=moment(request.GET.get("before")),
            after=moment(request.GET.get("after")),
        )
        context = {
            "form": form,
            "is_filtered": not chosen.is_empty,
            "table": TRANSACTIONS.render(part.rows) if part.rows else "",
            "older": query(params, before=part.older.isoformat()) if part.older else "",
            "newer": query(params, after=part.newer.isoformat()) if part.newer else "",
            "csv": query(params, export="csv"),
            "xlsx": query(params, export="xlsx"),
            "waiting": balances.pending_of(self.member.pk),
        }
        return render(request, "cloud_credits/transactions.html", context)


class TransactionDetail(Page):
    """One of the reader's own transactions; operations may open any. Another member's is not found."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        related = ("from_member", "to_member", "reverses")
        found = CloudTransaction.objects.visible_to(request.user).select_related(*related).filter(pk=number).first()
        if found is None:
            raise Http404
        member = getattr(request.user, "member", None)
        sees_all = request.user.has_perm("cloud_credits.view_cloudtransaction")
        seen = (
            Activity(found, member.pk) if member and member.pk in (found.from_member_id, found.to_member_id) else None
        )
        context = {
            "row": found,
            "seen": seen,
            "sees_from": sees_all or (member and member.pk == found.from_member_id),
            "sees_to": sees_all or (member and member.pk == found.to_member_id),
            "is_within": found.from_member_id == found.to_member_id,
            "sealed_in": activity.block_height(found),
            "reversals": list(found.reversals.order_by("id")),
            "sees_books": request.user.has_perm("treasury.view_journalentry"),
        }
        return render(request, "cloud_credits/transaction.html", context)
