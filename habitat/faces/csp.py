"""Content security: a strict policy everywhere, and one of its own for the back office, whose widgets need eval."""

from csp.constants import NONCE, NONE, SELF
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

STRICT = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
    "manifest-src": [SELF],
}
# unfold's Alpine expressions are evaluated strings, and its markup carries style attributes.
BACK_OFFICE = STRICT | {
    "script-src": [SELF, "'unsafe-eval'", NONCE],
    "style-src": [SELF, "'unsafe-inline'"],
}
# Swagger UI styles itself inline; its start-up script is served as a file (drf-spectacular's split view).
API_DOCS = STRICT | {"style-src": [SELF, "'unsafe-inline'"]}

BY_PREFIX = (("/admin/", BACK_OFFICE), ("/api/docs", API_DOCS))
# Its form is answered with a way to Stripe's payment page, and browsers hold that way to `form-action` too.
BUYING = "/cloud/buy/"


class FaceCSPMiddleware(CSPMiddleware):
    """Chooses the policy by path; a view cannot loosen it."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response._csp_config = _policy(request.path)
        return super().process_response(request, response)


def _policy(path: str) -> dict[str, list[str]]:
    if path == BUYING:
        return STRICT | {"form-action": [SELF, settings.STRIPE_CHECKOUT_ORIGIN]}
    return next((policy for prefix, policy in BY_PREFIX if path.startswith(prefix)), STRICT)
