"""Requests that no view could read: a zero character, which PostgreSQL's text has not, and charsets of no text."""

import codecs
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.http import parse_header_parameters

from habitat.faces.error_pages import bad_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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


class CharsetDoor:
    """The WSGI application, but 400 where the caller's charset is one of Python's codecs that reads no text.

    Django decodes by it while it builds the request, which no middleware sees.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self.application = application

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if _is_readable(environ.get("CONTENT_TYPE", "")):
            return self.application(environ, start_response)
        request = HttpRequest()
        request.path = environ.get("PATH_INFO", "")
        response = bad_request(request)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


def _is_readable(content_type: str) -> bool:
    """Whether parameters can be read by its charset: Django puts a mark where a byte is no character, and expects no
    error. A charset nobody knows is taken for UTF-8."""
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
        if _is_known(charset):
            ANY_BYTES.decode(charset, "replace")
    except (LookupError, ValueError):
        return False
    return True


def _is_known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except LookupError:
        return False
    return True
