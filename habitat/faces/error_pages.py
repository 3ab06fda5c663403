"""What Django shows when a door does not open: a page for people, a problem document under /api/."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from habitat.faces.problems import PROBLEM_MEDIA_TYPE

SENTENCES = {
    400: ("bad_request", "This address or form holds characters that no text has. Nothing was changed."),
    403: ("not_allowed", "You may not do this."),
    404: ("not_found", "There is nothing here, or it is not yours to see."),
    500: ("server_error", "Something broke on our side. Nothing was half done: ask again with the same key."),
}


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """A request no view can read; answered before it is known who asks."""
    if _is_api(request):
        return _problem(400)
    return HttpResponse(SENTENCES[400][1], status=400, content_type="text/plain; charset=utf-8")


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """handler403."""
    return _problem(403) if _is_api(request) else render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """handler404."""
    return _problem(404) if _is_api(request) else render(request, "errors/404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """handler500: a page that needs no database and no session."""
    return _problem(500) if _is_api(request) else render(request, "500.html", status=500)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: the form was open too long, or came from elsewhere."""
    sentence = "This form is too old, or cookies are off. Nothing was changed: go back, load the page anew, try again."
    return render(request, "errors/403.html", {"sentence": sentence}, status=403)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem(status: int) -> HttpResponse:
    code, detail = SENTENCES[status]
    title = HTTPStatus(status).phrase
    body = {"type": f"/help/errors/#{code}", "title": title, "status": status, "detail": detail, "code": code}
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM_MEDIA_TYPE)
