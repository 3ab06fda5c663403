"""`/cloud/usage/{id}/receipt/`: one usage line with everything needed to recompute it, and the script that does so."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cloud_credits.models import ResourceUsage
from cloud_credits.policies.primitives import measure_of
from cloud_credits.reports.receipts import receipt_of
from cloud_credits.reports.usage import UsageRow
from habitat.faces.pages import Page


class ReceiptPage(Page):
    """One of the reader's own usages; operations may open any. Another member's is not found."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        found = ResourceUsage.objects.visible_to(request.user).select_related("rate_card").filter(pk=number).first()
        if found is None:
            raise Http404
        receipt = receipt_of(found)
        context = {
            "receipt": receipt,
            "row": found,
            "measure": measure_of(found.primitive),
            "arithmetic": UsageRow(found).arithmetic,
            "canonical": receipt.canonical().decode(),
        }
        return render(request, "cloud_credits/receipt.html", context)


@require_safe
def verifying_script(request: HttpRequest) -> HttpResponse:
    """`docs/verify_receipt.py` as it is: it needs no account, as a receipt may be checked by anyone."""
    script = (settings.BASE_DIR / "docs" / "verify_receipt.py").read_text(encoding="utf-8")
    return HttpResponse(script, content_type="text/x-python; charset=utf-8")
