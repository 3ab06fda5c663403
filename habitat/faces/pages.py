"""What every member page shares: sign-in, the reader's membership, a readable answer to the wrong method."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.generic import View

EXPORTS: Final = ("csv", "xlsx")
# Digits of the largest number that every database column of ours holds.
LARGEST_NUMBER: Final = 18


class Page(LoginRequiredMixin, View):
    """A page behind sign-in. A wrong method gets a page that says what works, and the Allow header."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = [method for method in self._allowed_methods() if method != "OPTIONS"]
        words = " or ".join(method for method in allowed if method != "HEAD")
        response = render(request, "errors/405.html", {"allowed": words}, status=405)
        response["Allow"] = ", ".join(allowed)
        return response


class MemberPage(Page):
    """A page about the reader's own membership: `self.member`. Without one, the page says so."""

    member: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        if request.method and request.method.lower() in ("get", "head", "post"):
            self.member = getattr(request.user, "member", None)
            if self.member is None:
                return render(request, "errors/no_membership.html", status=200)
        return super().dispatch(request, *args, **kwargs)


def new_key() -> str:
    """A fresh idempotency key for a form: the same form sent twice acts once."""
    return f"page-{uuid.uuid4().hex}"


def moment(text: str | None) -> datetime | None:
    """A cursor's moment from the URL; None where nothing or nonsense stands."""
    try:
        at = datetime.fromisoformat(text) if text else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def number(text: str | None) -> int | None:
    """A cursor's number from the URL; None where nothing, nonsense, or more than a key can be stands."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= LARGEST_NUMBER else None


def query(params: Mapping[str, str | None], **changes: str | None) -> str:
    """`?a=b&…` of what is set, with changes; empty text when nothing is."""
    kept = {name: value for name, value in {**params, **changes}.items() if value}
    return f"?{urlencode(kept)}" if kept else ""
