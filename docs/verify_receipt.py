#!/usr/bin/env python3
"""Checks a usage receipt against the published rate card, with Python's standard library alone.

    python3 verify_receipt.py RECEIPT.json CARD.json

RECEIPT.json is the answer of `GET /api/usage/{id}/receipt`. CARD.json is the answer of
`GET /api/rate-cards/{version}/`, or the page of `GET /api/rate-cards/`: then it is also checked that no other
adopted card was in force on the day. Exit status 0: right. 1: wrong, with every reason. 2: not readable.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, getcontext
from typing import Any

FORMAT = "habitat-usage-receipt-1"
ADOPTED = {"approved", "active", "superseded"}
PLACES = Decimal("0.00000001")
SMALLEST = PLACES
USD_PER_CLOUD = Decimal(10)

Json = dict[str, Any]


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        getcontext().prec = 80
        answer, published = (read(path) for path in arguments)
        receipt, cards = answer["receipt"], published.get("results", [published])
        wrong = [*hashes(answer), *arithmetic(receipt), *card_says(receipt, cards)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        print(f"Not readable: {type(error).__name__}: {error}")
        return 2
    for reason in wrong:
        print(f"WRONG: {reason}")
    if not wrong:
        print(
            f"Right: {receipt['quantity']} {receipt['unit']} × {receipt['rate']} CLOUD (card "
            f"v{receipt['rateCardVersion']}) = {receipt['cloudCost']} CLOUD; {answer['hash']}"
        )
    return 1 if wrong else 0


def read(path: str) -> Json:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def hashes(answer: Json) -> Iterator[str]:
    """The receipt's own bytes: sorted keys, no spaces, UTF-8; SHA-256."""
    receipt = answer["receipt"]
    if receipt["format"] != FORMAT:
        yield f"the format is {receipt['format']}, this checks {FORMAT}"
    canonical = json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    if digest != answer["hash"]:
        yield f"the hash is {answer['hash']}, the receipt gives {digest}"
    if answer.get("canonical", canonical) != canonical:
        yield "the canonical text is not that of the receipt"


def arithmetic(receipt: Json) -> Iterator[str]:
    """quantity × rate, half-up to eight decimals, at least 0.00000001 CLOUD; ten dollars a CLOUD."""
    quantity, rate, cost = (number(receipt, name) for name in ("quantity", "rate", "cloudCost"))
    due = max((quantity * rate).quantize(PLACES, rounding=ROUND_HALF_UP), SMALLEST)
    if quantity <= 0 or rate <= 0:
        yield "quantity and rate are more than zero"
    if due != cost:
        yield f"{quantity} × {rate} costs {due:f} CLOUD, the receipt says {cost:f}"
    if number(receipt, "usdValue") != cost * USD_PER_CLOUD:
        yield f"{cost:f} CLOUD are {cost * USD_PER_CLOUD:f} USD, the receipt says {receipt['usdValue']}"


def card_says(receipt: Json, cards: list[Json]) -> Iterator[str]:
    """The rate is the published one, of the card in force at 00:00 UTC of the day the usage ended."""
    day = datetime.fromisoformat(receipt["meteredAt"].replace("Z", "+00:00")).astimezone(UTC).date()
    named = [card for card in cards if card["version"] == receipt["rateCardVersion"]]
    if not named:
        yield f"card v{receipt['rateCardVersion']} is not among the published cards given"
        return
    card = named[0]
    if card["state"] not in ADOPTED:
        yield f"card v{card['version']} is {card['state']}: it prices nothing"
    begun = [each for each in cards if each["state"] in ADOPTED and date.fromisoformat(each["effectiveDate"]) <= day]
    if date.fromisoformat(card["effectiveDate"]) > day:
        yield f"card v{card['version']} begins on {card['effectiveDate']}, the usage ended on {day}"
    elif begun and max(begun, key=lambda each: each["effectiveDate"]) is not card:
        yield f"another card than v{card['version']} was in force on {day}"
    if (card.get("contentHash") or None) != receipt["rateCardHash"]:
        yield f"the card's hash is {card.get('contentHash')}, the receipt says {receipt['rateCardHash']}"
    rates = {line["primitive"]: line for line in card["rates"]}
    line = rates.get(receipt["primitive"])
    if line is None:
        yield f"the card has no price for {receipt['primitive']}"
    elif (number(line, "rate"), line["unit"]) != (number(receipt, "rate"), receipt["unit"]):
        yield f"the card says {line['rate']} a {line['unit']}, the receipt {receipt['rate']} a {receipt['unit']}"


def number(holder: Json, name: str) -> Decimal:
    """An exact number: JSON carries them as text, so that none loses a digit."""
    if not isinstance(holder[name], str):
        raise TypeError(f"{name} is no text")
    value = Decimal(holder[name])
    if not value.is_finite():
        raise ValueError(f"{name} is no number")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
