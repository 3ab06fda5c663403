"""`/help/`: where to find what, and every error code the house gives."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from habitat.site.reports.refusals import refusals


@require_safe
def help_home(request: HttpRequest) -> HttpResponse:
    """For members and builders: the few words one needs."""
    return render(request, "site/help.html")


@require_safe
def help_errors(request: HttpRequest) -> HttpResponse:
    """What the `type` of a problem document links to."""
    return render(request, "site/help_errors.html", {"refusals": refusals()})
