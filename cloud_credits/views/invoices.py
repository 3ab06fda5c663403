"""`/cloud/invoices/`: what the cooperative's work costs a member, paid behind a preview, and each invoice on paper."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from cloud_credits.actions import invoices as verbs
from cloud_credits.models import Invoice
from cloud_credits.policies.invoices import PAYABLE, InvoiceState, Paying
from cloud_credits.reports import invoices
from cloud_credits.reports.invoices import OPEN, InvoiceFilter
from cloud_credits.views.invoice_paper import paper
from cloud_credits.views.tables import INVOICE_LINES, INVOICES
from habitat.errors import HabitatError
from habitat.faces.pages import EXPORTS, MemberPage, Page, new_key, number, query
from habitat.members.reports.actors import actor_of

DATE = forms.DateInput(attrs={"type": "date"})
SEEN_STATES: Final = [state.value for state in InvoiceState if state is not InvoiceState.DRAFT]


class FilterForm(forms.Form):
    """The filters as they stand in the URL."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "All states"), (OPEN, "open (to pay)"), *[(state, state) for state in SEEN_STATES]],
    )
    first_due = forms.DateField(label="Due from day (UTC)", required=False, widget=DATE)
    last_due = forms.DateField(label="Due to day (UTC)", required=False, widget=DATE)

    def chosen(self) -> InvoiceFilter:
        given: dict[str, Any] = self.cleaned_data if self.is_valid() else {}
        return InvoiceFilter(
            state=given.get("state") or "", first_due=given.get("first_due"), last_due=given.get("last_due")
        )


class PayForm(forms.Form):
    paying = forms.ChoiceField(choices=[(Paying.BALANCE.value, "from the balance")])


class ConfirmForm(PayForm):
    key = forms.CharField(max_length=200)


class InvoiceList(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        form = FilterForm(request.GET)
        chosen = form.chosen()
        params = {name: request.GET.get(name) for name in form.fields}
        if request.GET.get("export") in EXPORTS and form.is_valid():
            rows = invoices.of_member(self.member.pk, chosen)
            return INVOICES.csv_response(rows) if request.GET["export"] == "csv" else INVOICES.xlsx_response(rows)
        part = invoices.page(self.member.pk, chosen, before=number(request.GET.get("before")))
        context = {
            "form": form,
            "is_filtered": not chosen.is_empty,
            "table": INVOICES.render(part.rows) if part.rows else "",
            "older": query(params, before=str(part.older)) if part.older else "",
            "csv": query(params, export="csv"),
            "xlsx": query(params, export="xlsx"),
        }
        return render(request, "cloud_credits/invoices.html", context)


class InvoiceDetail(Page):
    """One of the reader's own invoices; who may view invoices opens any. Another member's is not found."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return show(request, found_for(request, number))


class InvoicePdf(Page):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = found_for(request, number)
        return paper(invoice).response(f"invoice-{invoice.number or f'draft-{invoice.pk}'}.pdf")


class PayInvoice(Page):
    """POST only: the preview; nothing moves yet."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = own_invoice(request, number)
        form = PayForm(request.POST)
        if not form.is_valid():
            return show(request, invoice, refusal="Choose how to pay.", status=422)
        try:
            preview = invoices.preview(invoice=invoice, paying=Paying(form.cleaned_data["paying"]))
        except HabitatError as refusal:
            return show(request, invoice, refusal=refusal.sentence, status=refusal.status)
        context = {"preview": preview, "invoice": preview.invoice, "key": new_key()}
        return render(request, "cloud_credits/invoice_preview.html", context)


class ConfirmPayment(Page):
    """POST only: the payment itself, once for each form however often it is sent."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice = own_invoice(request, number)
        form = ConfirmForm(request.POST)
        if not form.is_valid():
            return show(request, invoice, refusal="Choose how to pay.", status=422)
        try:
            settled = verbs.pay(
                invoice=invoice, idempotency_key=form.cleaned_data["key"], acting=actor_of(request.user)
            )
        except HabitatError as refusal:
            return show(request, invoice, refusal=refusal.sentence, status=refusal.status)
        if settled.replayed:
            messages.info(request, "This payment had already been made. It was not made again.")
        else:
            messages.success(request, f"{settled.invoice} is paid.")
        return redirect("cloud-invoice", invoice.pk)


def found_for(request: HttpRequest, number: int) -> Invoice:
    """Raises Http404."""
    rows = Invoice.objects.visible_to(request.user).select_related("member", "payment_transaction")
    found = rows.filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def own_invoice(request: HttpRequest, number: int) -> Invoice:
    """One that is the reader's own to pay: for others operations pay in the back office, with a reason."""
    found = found_for(request, number)
    member = getattr(request.user, "member", None)
    if member is None or found.member_id != member.pk:
        raise Http404
    return found


def show(request: HttpRequest, invoice: Invoice, *, refusal: str = "", status: int = 200) -> HttpResponse:
    member = getattr(request.user, "member", None)
    is_own = member is not None and member.pk == invoice.member_id
    is_open = invoice.state in PAYABLE and invoice.payment_received_at is None
    liquid = invoices.liquid_of(invoice.member_id)
    context = {
        "invoice": invoice,
        "state": invoices.state_in_words(invoice),
        "lines": INVOICE_LINES.render(invoice.lines.all(), {"amount": invoice.total}),
        "refusal": refusal,
        "is_own": is_own,
        "is_open": is_open,
        "liquid": liquid,
        "covers": liquid >= invoice.total,
        "missing": invoices.missing(invoice) if is_own and is_open else None,
    }
    return render(request, "cloud_credits/invoice.html", context, status=status)
