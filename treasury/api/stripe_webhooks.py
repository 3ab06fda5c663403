"""`POST /api/stripe/webhook` (also `/api/webhooks/stripe`): what Stripe tells, kept first and processed later.

The signature is the only credential: no session, no key, no CSRF token.
"""

from typing import ClassVar, Final

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from treasury.errors import WebhookTooLarge
from treasury.workflows import stripe_webhooks

# Stripe's events are some kilobytes; nobody else has anything to say here.
LARGEST_BODY: Final = 262_144


class StripeWebhookView(APIView):
    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]
    # The body is read raw: its signature covers every byte.
    parser_classes: ClassVar = []

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Keeps the event and answers at once; 400 when the signature does not hold, and then nothing is kept."""
        body = _body(request)
        fresh = stripe_webhooks.receive(body=body, signature=request.headers.get("Stripe-Signature", ""))
        return Response({"received": True, "new": fresh})


def _body(request: Request) -> bytes:
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        raise WebhookTooLarge(largest=LARGEST_BODY)
    body: bytes = request._request.body
    if len(body) > LARGEST_BODY:
        raise WebhookTooLarge(largest=LARGEST_BODY)
    return body
