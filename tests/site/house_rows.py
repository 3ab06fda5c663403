"""Every row of the house in words that two runs share: no times, no counted attempts, no numbers a rollback used up."""

import re
from collections import Counter
from typing import Any

from django.apps import apps
from django.db import models

from habitat.faces.fields import TransactionIdField

FLOORS = ("habitat.", "treasury.", "cloud_credits.")
# How often something was tried, and by which try it was done, is just what a death changes.
COUNTED = frozenset({"attempts", "fence", "due_at", "lease_until", "booked_xid", "message_id", "password"})
# Numbers of rows inside of JSON. Those of owner rows (member, payment, purchase, request) are the same in each run.
NUMBERED = frozenset({"transaction_id", "transaction_ids", "journal_entry_id", "journal_entry_ids", "alert_id"})
# The same, where they stand in a key or an address.
NAMED = re.compile(r"(?<=cloud_transaction:)\d+|(?<=/cloud/transactions/)\d+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[:\d.]*(Z|\+00:00)?")
ELSEWHERE = frozenset(
    {
        # What Stripe wrote into a webhook is Stripe's and full of its times; which ones came and what became of them
        # is in the row's other fields.
        "payload of treasury.StripeEvent",
        # Which transactions of the server, and which number of the journal, a check had seen.
        "snapshot of treasury.BackingCheck",
        "last_entry of treasury.BackingCheck",
    }
)


def house_models() -> list[type[models.Model]]:
    """Every table of the house but the histories, which hold copies."""
    return [
        model
        for model in apps.get_models()
        if model.__module__.startswith(FLOORS) and not model._meta.object_name.endswith("History")
    ]


def house_rows() -> dict[str, list[str]]:
    """Table → its rows as sorted text."""
    return {model._meta.label: sorted(_told(model)) for model in house_models()}


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Rows of just one of both, after their table and the sign of where they stand."""
    told = []
    for table in sorted(before.keys() | after.keys()):
        old, new = Counter(before.get(table, [])), Counter(after.get(table, []))
        told += [f"- {table} {row}" for row in (old - new).elements()]
        told += [f"+ {table} {row}" for row in (new - old).elements()]
    return told


def _told(model: type[models.Model]) -> list[str]:
    fields = [field for field in model._meta.concrete_fields if _counts(field)]
    places = {field.name: _places(field) for field in fields if isinstance(field, models.ForeignKey)}
    rows = model._default_manager.order_by("pk")
    return [
        " ".join(f"{field.name}={_value(field, row, places)!r}" for field in fields)
        for row in rows  # one line a row
    ]


def _counts(field: models.Field) -> bool:
    named = f"{field.name} of {field.model._meta.label}"
    unstable = isinstance(field, TransactionIdField | models.BinaryField | models.UUIDField)
    own_number = field.primary_key and isinstance(field, models.AutoField)
    return not (own_number or unstable or field.name in COUNTED or named in ELSEWHERE)


def _places(field: models.ForeignKey) -> dict[Any, str]:
    """What a foreign key is called: events by their name, other rows by their place in their table."""
    target = field.related_model
    if target._meta.label == "events.Event":
        return dict(target._default_manager.values_list("pk", "name"))
    keys = target._default_manager.order_by("pk").values_list("pk", flat=True)
    return {key: f"{target._meta.object_name} {place}" for place, key in enumerate(keys, start=1)}


def _value(field: models.Field, row: models.Model, places: dict[str, dict[Any, str]]) -> Any:
    value = getattr(row, field.attname)
    if value is None:
        return None
    if field.name in places:
        return places[field.name][value]
    if isinstance(field, models.DateTimeField):
        return "a moment"
    if field.name == "source_ref" and row.source_kind == "cloud_transaction":
        return "…"
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "…" if name in NUMBERED and inner else _plain(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return NAMED.sub("…", MOMENT.sub("a moment", value)) if isinstance(value, str) else value
