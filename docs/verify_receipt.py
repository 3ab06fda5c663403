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
from decimal import ROUND_HALF_UP, Decimal, getcontext
from typing import Any

FORMAT = "habitat-usage-receipt-1"
ADOPTED = {"approved", "active", "superseded"}
PLACES = Decimal("0.00000001")
SMALLEST = PLACES
USD_PER_CLOUD = Decimal(10)
# No number of a receipt or a card has more digits before or after its point.
MOST_DIGITS = 40

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
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
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
    if card["contentHash"] != receipt["rateCardHash"]:
        yield f"the card's hash is {card['contentHash']}, the receipt says {receipt['rateCardHash']}"
    yield from paper_says(card)
    rates = {line["primitive"]: line for line in card["rates"]}
    line = rates.get(receipt["primitive"])
    if line is None:
        yield f"the card has no price for {receipt['primitive']}"
    elif (number(line, "rate"), line["unit"]) != (number(receipt, "rate"), receipt["unit"]):
        yield f"the card says {line['rate']} a {line['unit']}, the receipt {receipt['rate']} a {receipt['unit']}"


def paper_says(card: Json) -> Iterator[str]:
    """The card's hash is that of the text that was put before the members, and the card says what that text says."""
    digest = "0x" + keccak256(card["canonical"].encode()).hex()
    if digest != card["contentHash"]:
        yield f"the card's hash is {card['contentHash']}, its canonical text gives {digest}"
    paper = json.loads(card["canonical"])
    if (paper["version"], paper["effectiveAt"]) != (card["version"], f"{card['effectiveDate']}T00:00:00Z"):
        yield f"the hashed text is of v{paper['version']} from {paper['effectiveAt']}, not of this card"
    for line in card["rates"]:
        hashed = paper["primitives"][line["primitive"]]
        if (number(hashed, "rateCloud"), hashed["unit"]) != (number(line, "rate"), line["unit"]):
            said = f"{hashed['rateCloud']} a {hashed['unit']}"
            yield f"{line['primitive']} is {said} in the hashed text, not {line['rate']}"


def keccak256(data: bytes) -> bytes:
    """Keccak as Ethereum uses it (rate 1088, padding 0x01): the SHA-3 of the standard library pads otherwise."""
    rate, lanes = 136, [0] * 25
    padded = bytearray(data) + bytes(rate - len(data) % rate)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    for start in range(0, len(padded), rate):
        for index in range(rate // 8):
            at = start + 8 * index
            lanes[index] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]: 24 rounds over 5 × 5 lanes; lane (x, y) stands at x + 5y. The constants come from a shift
    register, as the specification defines them."""
    register = 1
    for _ in range(24):
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[x - 1] ^ turned(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[index % 5] for index, lane in enumerate(lanes)]
        x, y, moved = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lanes[x + 5 * y], moved = turned(moved, (step + 1) * (step + 2) // 2), lanes[x + 5 * y]
        rows = [lanes[start : start + 5] for start in range(0, 25, 5)]
        lanes = [row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) for row in rows for x in range(5)]
        for power in range(7):
            lanes[0] ^= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 * (register >> 7))
    return lanes


def turned(lane: int, by: int) -> int:
    by %= 64
    return (lane << by | lane >> (64 - by)) & 0xFFFFFFFFFFFFFFFF


def number(holder: Json, name: str) -> Decimal:
    """An exact number: JSON carries them as text, so that none loses a digit."""
    if not isinstance(holder[name], str):
        raise TypeError(f"{name} is no text")
    value = Decimal(holder[name])
    if not value.is_finite() or abs(value.adjusted()) > MOST_DIGITS:
        raise ValueError(f"{name} is no number")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
