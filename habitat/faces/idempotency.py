"""The Idempotency-Key header every write of the API asks for."""

from typing import Final

from django.http import HttpRequest

from habitat.errors import IdempotencyKeyRequired

LONGEST: Final = 200


def key_of(request: HttpRequest) -> str:
    """The caller's key, as sent. Raises IdempotencyKeyRequired (400) before anything else is judged."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key or len(key) > LONGEST or not key.isprintable():
        raise IdempotencyKeyRequired
    return key
