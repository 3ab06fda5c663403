"""`/admin/trace/`: one payment followed from webhook to bank line, each missing link named with what to do."""

from typing import Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from habitat.members.reports.actors import actor_of
from habitat.site.reports.trace import search, trace, trace_of_unknown
from treasury.policies.trace import Link, Trail
from treasury.reports.trace import By

PERMISSION: Final = "treasury.view_payment"
CHOICES: Final = (
    (By.REFERENCE.value, "Stripe's or the bank's reference (pi_, ch_, po_, re_, dp_, txn_ …)"),
    (By.PAYMENT.value, "Payment number"),
    (By.PURCHASE.value, "Purchase number"),
    (By.TRANSACTION.value, "Transaction number"),
    (By.MEMBER.value, "Member number"),
    (By.LINE.value, "Bank line number"),
)


class SearchForm(forms.Form):
    by = forms.ChoiceField(label="Look by", choices=CHOICES)
    q = forms.CharField(label="What", max_length=120)


@require_safe
def trace_page(request: HttpRequest) -> HttpResponseBase:
    """Reads only. One payment found is shown whole, several as a list."""
    if not actor_of(request.user).may(PERMISSION):
        raise PermissionDenied
    form = SearchForm(request.GET if request.GET else None)
    now = timezone.now()
    context = admin.site.each_context(request) | {"title": "Trace a dollar", "form": form, "found": None, "trace": None}
    if form.is_valid():
        by, wanted = By(form.cleaned_data["by"]), form.cleaned_data["q"].strip()
        found = search(by, wanted)
        shown = trace(found[0], now=now) if len(found) == 1 else None
        if not found:
            shown = trace_of_unknown(by, wanted, now=now)
        context |= {"found": found, "trace": shown, "steps": _steps(shown.trail) if shown else [], "wanted": wanted}
    return TemplateResponse(request, "site/trace.html", context, status=422 if form.errors else 200)


def _steps(trail: Trail) -> list[tuple[Link, str, str]]:
    """(link, address of its page, address of its entry), empty where the back office has no such page."""
    return [
        (link, _address(link.model, link.pk), _address("treasury.journalentry", link.entry or 0))
        for link in trail.links
    ]


def _address(model: str, pk: int) -> str:
    if not model or not pk:
        return ""
    try:
        return reverse(f"admin:{model.replace('.', '_')}_change", args=[pk])
    except NoReverseMatch:
        return ""
