"""Addresses that no view could read: PostgreSQL's text has no zero character, so no filter may carry one."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from habitat.faces.error_pages import bad_request

Responder = Callable[[HttpRequest], HttpResponseBase]

ZERO: Final = "\x00"


class ZeroCharacterMiddleware:
    """Answers 400 where the path or a parameter of the address holds a zero character."""

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        query = request.META.get("QUERY_STRING", "")
        if ZERO in request.path or ZERO in query or "%00" in query:
            return bad_request(request)
        return self.get_response(request)
