"""`/cloud/purchases/`: what a member bought, and where each purchase stands."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from cloud_credits.models import Purchase
from cloud_credits.policies import notices
from cloud_credits.reports import purchases
from cloud_credits.reports.invoices import state_in_words as invoice_in_words
from cloud_credits.reports.refunds import went_back
from cloud_credits.views.tables import PURCHASES, RECEIPTS
from habitat.faces.pages import EXPORTS, MemberPage, Page, query
from treasury.reports.stripe_documents import receipts

# How often an open purchase is looked at again, in seconds: while somebody has just paid, and long after.
SOON, LATER = 2, 30
FRESH_SECONDS = 1_800


class PurchaseList(MemberPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        if request.GET.get("export") in EXPORTS:
            rows = purchases.of_member(self.member.pk)
            return PURCHASES.csv_response(rows) if request.GET["export"] == "csv" else PURCHASES.xlsx_response(rows)
        before = request.GET.get("before", "")
        is_number = before.isascii() and before.isdigit() and len(before) < purchases.LONGEST_NUMBER
        part = purchases.page(self.member.pk, before=int(before) if is_number else None)
        paid = receipts(self.member.pk) if not is_number else []
        context = {
            "table": PURCHASES.render(part.rows) if part.rows else "",
            "older": query({}, before=str(part.older)) if part.older else "",
            "recurring": purchases.running_recurring(self.member.pk),
            "receipts": RECEIPTS.render(paid) if paid else "",
        }
        return render(request, "cloud_credits/purchases.html", context)


class PurchaseDetail(Page):
    """One of the reader's own purchases; who may view purchases opens any. Another member's is not found.

    Both ways back from Stripe lead here. What it says comes from the books, whatever the address claims.
    """

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        rows = Purchase.objects.visible_to(request.user)
        rows = rows.select_related(
            "member", "recurring", "invoice__payment_transaction", "payment__payment_mint__transaction"
        )
        purchase = rows.filter(pk=number).first()
        if purchase is None:
            raise Http404
        is_part = getattr(request, "htmx", False)
        template = "cloud_credits/purchase_state.html" if is_part else "cloud_credits/purchase.html"
        response = render(request, template, _context(request, purchase))
        patch_vary_headers(response, ["HX-Request"])
        return response


def _context(request: HttpRequest, purchase: Purchase) -> dict[str, object]:
    member = getattr(request.user, "member", None)
    age = (timezone.now() - purchase.created_at).total_seconds()
    invoice = purchase.invoice
    return {
        "purchase": purchase,
        "state": purchases.state_in_words(purchase),
        "is_final": purchases.is_final(purchase),
        "is_payable_again": purchases.is_payable_again(purchase),
        "is_own": member is not None and member.pk == purchase.member_id,
        "by_bank": purchases.pays_by_bank(purchase),
        "transaction_id": purchases.minted_in(purchase),
        "paid_its_invoice": purchases.paid_its_invoice(purchase),
        "needs_nothing": purchases.invoice_needs_nothing(purchase),
        "went_back": went_back(purchase.payment) if purchase.payment is not None else None,
        "why": notices.sentence(purchase.problem),
        "invoice_state": invoice_in_words(invoice) if invoice is not None else "",
        "wait": SOON if age < FRESH_SECONDS else LATER,
    }
