"""`/`: what Habitat is, in one paragraph, and the way in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """A member who is signed in goes straight to their credits."""
    if request.user.is_authenticated:
        return redirect("/cloud/")
    return render(request, "site/landing.html")
