"""Stripe's objects as dj-stripe's tables keep them: written from what the house retrieved itself.

The package's own sync asks Stripe again, within the transaction, and keeps the secret key in its APIKey table. Only
its conversion is used, with both ways out shut (docs/decisions/007-dj-stripe.md).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone
from djstripe import models as mirror
from djstripe.models.base import StripeModel

from habitat.controls.actions.alerts import raise_alert
from habitat.members.policies.actors import Actor
from treasury.errors import MirrorIncomplete
from treasury.policies.stripe import Document, asked_at, within, without_secrets

logger = logging.getLogger(__name__)

ALERT: Final = "stripe_mirror_incomplete"
_MODELS: Final[dict[str, Any]] = {
    "customer": mirror.Customer,
    "payment_method": mirror.PaymentMethod,
    "balance_transaction": mirror.BalanceTransaction,
    "subscription": mirror.Subscription,
    "payment_intent": mirror.PaymentIntent,
    "charge": mirror.Charge,
    "invoice": mirror.Invoice,
    "refund": mirror.Refund,
    "dispute": mirror.Dispute,
    "payout": mirror.Payout,
}
# Older answers never overwrite newer ones: `djstripe_updated` is the moment at which the answer was asked for.
_UPSERT: Final = """
INSERT INTO {table} ({columns}) VALUES {rows}
    ON CONFLICT (id) DO UPDATE SET {changes} WHERE {table}.djstripe_updated <= excluded.djstripe_updated
"""


class _Conversion:
    """dj-stripe's conversion of one model that neither asks Stripe for what an object names, nor looks a key up."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def _stripe_object_field_to_foreign_key(self, **_: Any) -> tuple[None, bool, bool]:
        return None, True, False

    def _find_owner_account(self, *_: Any, **__: Any) -> None:
        return None

    def record(self, document: Document) -> dict[str, Any]:
        converted: dict[str, Any] = StripeModel._stripe_object_to_record.__func__(self, document, api_key="")
        return converted


@dataclass(frozen=True, slots=True)
class _Shown:
    """One object as Stripe showed it, and when it was asked for."""

    document: Document
    at: datetime

    @property
    def id(self) -> str:
        return str(self.document["id"])


def write(*, documents: Iterable[Document], acting: Actor) -> int:
    """Keep these answers of Stripe's, and the objects inside them; how many rows were written.

    Part of the caller's transaction, so that fact and mirror stand or fall together. What dj-stripe cannot take is no
    reason to keep money waiting: nothing of it is written then, and the alert `stripe_mirror_incomplete` says why.
    """
    given = [document for document in documents if document]
    try:
        with transaction.atomic():
            return _write(given)
    except (DataError, IntegrityError, LookupError, TypeError, ValueError, MirrorIncomplete) as error:
        names = ", ".join(str(document.get("id")) for document in given)
        logger.warning("the mirror could not keep %s: %s", names, type(error).__name__)
        raise_alert(
            code=ALERT,
            cause=names,
            message=f"Stripe's {names} could not be kept in the mirror ({type(error).__name__}). The books are right; "
            "cards and receipts may be missing until rebuild_stripe_mirror was run.",
            acting=acting,
        )
        return 0


def _write(documents: list[Document]) -> int:
    found: dict[str, dict[str, _Shown]] = {kind: {} for kind in _MODELS}
    for document in documents:
        for part in within(document):
            shown = _Shown(part, asked_at(document))
            before = found[part["object"]].get(shown.id)
            if before is None or before.at <= shown.at:
                found[part["object"]][shown.id] = shown
    return sum(_upsert(kind, _ordered(shown), found) for kind, shown in found.items() if shown)


def _ordered(shown: dict[str, _Shown]) -> list[_Shown]:
    """By id, so that two writers of the same objects never wait for each other."""
    return [shown[one] for one in sorted(shown)]


def _upsert(kind: str, shown: list[_Shown], found: dict[str, dict[str, _Shown]]) -> int:
    model = _MODELS[kind]
    records = [_Conversion(model).record(without_secrets(one.document)) for one in shown]
    relations = [field for field in model._meta.concrete_fields if field.is_relation]
    for field in relations:
        _relate(field, shown, records, found)
    now = timezone.now()
    for one, record in zip(shown, records, strict=True):
        record |= {"djstripe_created": now, "djstripe_updated": one.at}
    fields = [field for field in model._meta.concrete_fields if field.name in records[0]]
    quote = connection.ops.quote_name
    columns = [quote(field.column) for field in fields]
    kept = {"id", "djstripe_created"}
    query = _UPSERT.format(
        table=quote(model._meta.db_table),
        columns=", ".join(columns),
        rows=", ".join([f"({', '.join(['%s'] * len(fields))})"] * len(shown)),
        changes=", ".join(f"{quote(f.column)} = excluded.{quote(f.column)}" for f in fields if f.name not in kept),
    )
    values = [field.get_db_prep_save(record[field.name], connection) for record in records for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return int(cursor.rowcount)


def _relate(
    field: Any, shown: list[_Shown], records: list[dict[str, Any]], found: dict[str, dict[str, _Shown]]
) -> None:
    """Fill one relation's column; empty where the object it names is not kept. Raises MirrorIncomplete."""
    kind = next((kind for kind, model in _MODELS.items() if model is field.related_model), None)
    named = [_named(field.name, one.document) if kind else "" for one in shown]
    rows: dict[str, Any] = {}
    if kind and any(named):
        held = _MODELS[kind]._default_manager.filter(id__in=set(named) - {""})
        rows = dict(held.values_list("id", field.target_field.attname))
        if field.target_field.name == "id":
            # Checked at the end of the transaction: written by then, or written already.
            rows |= {one: one for one in found[kind]}
    for one, record, name in zip(shown, records, named, strict=True):
        if name not in rows and not field.null:
            raise MirrorIncomplete(what=one.id, missing=name or field.name)
        record[field.name] = rows.get(name)


def _named(name: str, document: Document) -> str:
    """The id that stands at `name`, given whole or as an id; an invoice's subscription stands with its parent."""
    value = document.get(name)
    if value is None and name == "subscription":
        value = ((document.get("parent") or {}).get("subscription_details") or {}).get("subscription")
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else ""
