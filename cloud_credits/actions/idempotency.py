"""Same key and same content: the first result. Same key and other content: a conflict (domain §3)."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cloud_credits.models import CloudTransaction
from habitat.errors import IdempotencyConflict, IdempotencyKeyRequired
from habitat.statements import rows_of

LONGEST_KEY = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a verb led to, and whether that had already happened."""

    transaction: T
    replayed: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """The id the transaction will have, or has: `is_new` tells which."""

    transaction_id: int
    is_new: bool


# The key's row carries its effect from the start: the transaction's id is drawn here, and the foreign key,
# checked at commit, holds the two together. A second caller waits on the unique index until the first ends.
_CLAIM = """
INSERT INTO cloud_credits_idempotencykey (namespace, operation, key, digest, transaction_id)
VALUES (%s, %s, %s, %s, coalesce(%s::bigint, nextval('cloud_credits_cloudtransaction_id_seq')))
ON CONFLICT ON CONSTRAINT idempotency_key_once DO NOTHING
RETURNING transaction_id
"""
_FIRST = """
SELECT digest, transaction_id FROM cloud_credits_idempotencykey
 WHERE namespace = %s AND operation = %s AND key = %s
"""


def claim(*, namespace: str, operation: str, key: str, content: dict[str, Any], effect: int | None = None) -> Claim:
    """Takes the key for this content. Raises IdempotencyKeyRequired, IdempotencyConflict.

    `effect` is the transaction the key stands for when it exists already; otherwise an id is drawn.
    """
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise IdempotencyKeyRequired
    fingerprint = digest(content)
    drawn = rows_of(_CLAIM, [namespace, operation, key, fingerprint, effect])
    if drawn:
        return Claim(transaction_id=drawn[0][0], is_new=True)
    [(first_digest, transaction_id)] = rows_of(_FIRST, [namespace, operation, key])
    if first_digest != fingerprint:
        raise IdempotencyConflict(key=key)
    return Claim(transaction_id=transaction_id, is_new=False)


def first_result(taken: Claim) -> Outcome[CloudTransaction]:
    """The outcome of a key that was used before."""
    return Outcome(CloudTransaction.objects.get(pk=taken.transaction_id), replayed=True)


def digest(content: dict[str, Any]) -> str:
    """SHA-256 over the validated business fields, in canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
