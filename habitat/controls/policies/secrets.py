"""How a service key is spelled, and how its secret is kept."""

import hashlib
import hmac
import re
from typing import Final

PREFIX_BYTES: Final = 6
SECRET_BYTES: Final = 32
_SPELLING: Final = re.compile(r"hbt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


def spelled(prefix: str, secret: str) -> str:
    """`hbt_<prefix>_<secret>`: what the service sends."""
    return f"hbt_{prefix}_{secret}"


def split(token: str) -> tuple[str, str] | None:
    """Prefix and secret, or None when it is no key of ours."""
    match = _SPELLING.fullmatch(token)
    return (match[1], match[2]) if match else None


def hashed(secret: str) -> str:
    """SHA-256 in hexadecimal.

    The secret is 256 random bits, so nothing can be guessed: a slow password hash would add no safety and cost every
    metering call its time.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def fits(secret: str, secret_hash: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(hashed(secret), secret_hash)


# Compared with when no key has the prefix, so that an unknown prefix takes as long as a wrong secret.
NO_KEY: Final = hashed("")
