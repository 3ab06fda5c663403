"""Form-encoded bodies with nested brackets, and what their strings mean."""

import re
from collections.abc import Iterable
from typing import Any

from treasury.sandbox.stripe.errors import StripeError, invalid, required

Params = dict[str, Any]
PARTS = re.compile(r"\[([^\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> Params:
    """`a[b][0][c]=1` as {"a": {"b": [{"c": "1"}]}}."""
    tree: Params = {}
    for name, value in pairs:
        path = [name.split("[", 1)[0], *PARTS.findall(name)]
        at = tree
        for part, following in zip(path, [*path[1:], None], strict=True):
            key = part or str(len(at))
            if following is None:
                at[key] = value
            else:
                child = at.setdefault(key, {})
                if not isinstance(child, dict):
                    raise StripeError(f"Invalid parameter: {name}", param=name)
                at = child
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(child) for name, child in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def integer(params: Params, name: str, default: int | None = None) -> int:
    """A whole number, in the currency's smallest unit where it is money."""
    value = params.get(name)
    if value is None or value == "":
        if default is None:
            raise required(name)
        return default
    if not re.fullmatch(r"-?\d{1,15}", str(value)):
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def boolean(params: Params, name: str, default: bool = False) -> bool:
    value = params.get(name)
    if value in (None, ""):
        return default
    if value not in ("true", "false"):
        raise invalid(name, f"Invalid boolean: {value}")
    return value == "true"


def text(params: Params, name: str) -> str | None:
    """A string; an empty one unsets."""
    return params.get(name) or None


def metadata(params: Params, before: dict[str, str] | None = None) -> dict[str, str]:
    """Metadata after a request: named keys are set, those given empty are removed, an empty hash clears all."""
    given = params.get("metadata")
    if given is None:
        return dict(before or {})
    if given == "":
        return {}
    if isinstance(given, list):  # keys that are numbers
        given = {str(number): value for number, value in enumerate(given)}
    if not isinstance(given, dict):
        raise invalid("metadata", "Invalid hash")
    merged = {**(before or {}), **{str(name): str(value) for name, value in given.items()}}
    return {name: value for name, value in merged.items() if value != ""}


def amount(params: Params, name: str = "amount") -> int:
    """An amount of US dollars in cents that Stripe would charge: 0.50 to 999,999.99."""
    cents = integer(params, name)
    check_amount(cents, name)
    return cents


def check_amount(cents: int, name: str) -> None:
    if cents < 50:
        raise StripeError("Amount must be at least $0.50 usd", code="amount_too_small", param=name)
    if cents > 99_999_999:
        raise StripeError("Amount must be no more than $999,999.99", code="amount_too_large", param=name)


def currency(params: Params, name: str = "currency") -> str:
    value = params.get(name)
    if not value:
        raise required(name)
    if str(value).lower() != "usd":
        raise StripeError(
            f"Invalid currency: {value}. This account takes usd only.", code="currency_not_supported", param=name
        )
    return "usd"


def dollars(cents: int) -> str:
    """Cents as dollars, exact: -1234 is "-12.34"."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"
