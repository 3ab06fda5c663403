"""What every request passes: who changes history rows through it, and a second factor for staff."""

from collections.abc import Callable
from typing import Final

import pghistory
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect

Responder = Callable[[HttpRequest], HttpResponseBase]

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Metering writes no row whose history is kept; it is the busiest door, and context costs a statement a write.
WITHOUT_HISTORY: Final = ("/api/metering/", "/api/cloud/metering")
SECOND_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# Where staff without a second factor may go: to enrol, to sign out, to what the pages need, to public terms.
OPEN_WITHOUT_SECOND_FACTOR: Final = ("/accounts/", "/static/", "/api/health", "/help/", "/terms/", "/reserve/")


class HistoryContextMiddleware:
    """Tells the database's history triggers which sign-in and which address a change came through."""

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in READING or request.path.startswith(WITHOUT_HISTORY):
            return self.get_response(request)
        with pghistory.context(user=request.user.pk, url=request.path):
            return self.get_response(request)


class StaffMFAMiddleware:
    """Staff without a second factor reach only the pages where they get one."""

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if self._may_pass(request):
            return self.get_response(request)
        return self._to_enrolment(request)

    def _may_pass(self, request: HttpRequest) -> bool:
        if not settings.STAFF_MFA_REQUIRED or request.path.startswith(OPEN_WITHOUT_SECOND_FACTOR):
            return True
        user = request.user
        return not (user.is_authenticated and user.is_staff) or is_mfa_enabled(user, SECOND_FACTORS)

    def _to_enrolment(self, request: HttpRequest) -> HttpResponse:
        sentence = "People who work in the back office need a second factor. Set one up to go on."
        if request.path.startswith(("/api/", "/graphql")):
            problem = {"type": "/help/errors/#second_factor_required", "title": "second factor required"}
            problem |= {"status": 403, "detail": sentence, "code": "second_factor_required"}
            return JsonResponse(problem, status=403, content_type="application/problem+json")
        messages.warning(request, sentence)
        return redirect("mfa_index")
