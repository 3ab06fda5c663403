"""Requests that no view could read: a zero character, which PostgreSQL's text has not, and charsets of no text."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from habitat.faces.error_pages import bad_request

Responder = Callable[[HttpRequest], HttpResponseBase]

ZERO: Final = "\x00"
ANY_BYTES: Final = bytes(range(256))


class ZeroCharacterMiddleware:
    """Answers 400 where the path or a parameter of the address holds a zero character."""

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        query = request.META.get("QUERY_STRING", "")
        if ZERO in request.path or ZERO in query or "%00" in query:
            return bad_request(request)
        return self.get_response(request)


class CharsetMiddleware:
    """Answers 400 where the caller's charset is one of Python's codecs that reads no text, or not all of it."""

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.encoding is not None and not _reads_text(request.encoding):
            request.encoding = "utf-8"
            return bad_request(request)
        return self.get_response(request)


def _reads_text(encoding: str) -> bool:
    """Whether parameters can be read so: Django puts a mark where a byte is no character, and expects no error."""
    try:
        ANY_BYTES.decode(encoding, "replace")
    except (LookupError, UnicodeError):
        return False
    return True
