"""What services may subscribe to about credits, and how a fact of ours is put for them: camelCase, ids as strings."""

from typing import Any, Final

from habitat.notifications.policies.webhooks import WebhookType

BALANCE_UPDATED: Final = "balance.updated"

# The name of each fact that is told as it is → the type services know.
TOLD: Final[dict[str, str]] = {
    "invoice.created": "invoice.created",
    "invoice.paid": "invoice.paid",
    "invoice.overdue": "invoice.overdue",
    "invoice.voided": "invoice.voided",
    "invoice.refunded": "invoice.refunded",
    "rate_card.proposed": "rate_card.proposed",
    "rate_card.voting_opened": "rate_card.voting_opened",
    "cloud.rate_card_approved": "rate_card.approved",
    "rate_card.rejected": "rate_card.rejected",
    "rate_card.withdrawn": "rate_card.withdrawn",
    "rate_card.lapsed": "rate_card.lapsed",
    "rate_card.returned": "rate_card.returned",
    "rate_card.in_force": "rate_card.in_force",
}
TYPES: Final = (
    WebhookType(BALANCE_UPDATED, "A member's balance moved"),
    *(WebhookType(name, name.replace("_", " ").replace(".", ": ")) for name in sorted(set(TOLD.values()))),
)
# Members' numbers whose keys do not say that they are ids.
_IDS: Final = frozenset({"to", "from", "payer"})


def put(fact: dict[str, Any]) -> dict[str, Any]:
    """The fact's fields as an API carries them."""
    return {_camel(name): _value(name, value) for name, value in fact.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _value(name: str, value: Any) -> Any:
    is_id = name in _IDS or name.endswith("_id")
    return str(value) if is_id and isinstance(value, int) and not isinstance(value, bool) else value
