"""CLOUD and USD: the two currencies, the peg between them, exact parsing, and the one rounding function."""

import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from typing import Final

from moneyed import USD, Currency, Money
from moneyed.classes import CURRENCIES, add_currency

from habitat.errors import AmountNotPositive, AmountTooLarge, NotANumber, TooManyDecimals, WrongCurrency

__all__ = [
    "CENT_PLACES", "CLOUD", "CLOUD_PLACES", "DOWN", "EXACT_DIGITS", "HALF_UP", "LARGEST_CLOUD",
    "LARGEST_QUANTITY", "LARGEST_USD", "QUANTITY_PLACES", "RATE_PLACES", "SMALLEST_CLOUD", "UP", "USD",
    "USD_BOOK_PLACES", "Money", "cents", "cloud", "cloud_to_usd", "parse_amount", "parse_decimal", "plain",
    "product", "require_cloud", "rounded", "usd", "usd_to_cloud",
]  # fmt: skip

CLOUD: Final[Currency] = CURRENCIES.get("CLOUD") or add_currency(
    code="CLOUD", numeric=None, sub_unit=100_000_000, name="CLOUD credit", countries=[]
)

# One CLOUD is ten US dollars, for ever (domain §1). There is no setting for this.
USD_PER_CLOUD: Final = Decimal(10)

CLOUD_PLACES: Final = 8
USD_BOOK_PLACES: Final = 8
CENT_PLACES: Final = 2
QUANTITY_PLACES: Final = 6
RATE_PLACES: Final = 8

SMALLEST_CLOUD: Final = Decimal("0.00000001")
# NUMERIC(20, 8) holds twelve digits before the point; a CLOUD amount must also fit the books times ten.
LARGEST_USD: Final = Decimal("999999999999.99999999")
LARGEST_CLOUD: Final = Decimal("99999999999.99999999")
LARGEST_QUANTITY: Final = Decimal("999999999999.999999")

HALF_UP: Final = ROUND_HALF_UP
DOWN: Final = ROUND_DOWN
UP: Final = ROUND_UP

# Products of NUMERIC(20, 8) and NUMERIC(18, 6) have up to 38 digits; Decimal's own default keeps only 28.
EXACT_DIGITS: Final = 80

_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})", re.ASCII)


def rounded(value: Decimal, places: int, mode: str = HALF_UP) -> Decimal:
    """`value` to `places` decimals. The only rounding in the house; half-up unless the rule says otherwise."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return value.quantize(Decimal(1).scaleb(-places), rounding=mode)


def product(first: Decimal, second: Decimal) -> Decimal:
    """The exact product: no digit is dropped."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return first * second


def cloud(value: Decimal | int | str) -> Money:
    """A CLOUD amount. Raises what `parse_decimal` raises; sign is not judged here."""
    return Money(parse_decimal(value, places=CLOUD_PLACES, largest=LARGEST_CLOUD), CLOUD)


def usd(value: Decimal | int | str) -> Money:
    """A USD amount, exact to eight decimals."""
    return Money(parse_decimal(value, places=USD_BOOK_PLACES, largest=LARGEST_USD), USD)


def cloud_to_usd(amount: Decimal) -> Decimal:
    """CLOUD to USD at the peg: exact, always."""
    return product(amount, USD_PER_CLOUD)


def usd_to_cloud(amount: Decimal) -> Decimal:
    """USD to CLOUD at the peg. Raises TooManyDecimals when the ninth decimal would be lost."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        converted = amount / USD_PER_CLOUD
    return parse_decimal(converted, places=CLOUD_PLACES, largest=LARGEST_CLOUD)


def cents(amount: Decimal) -> Decimal:
    """USD as shown to people: half-up to cents. For the edge only, never for the books."""
    return rounded(amount, CENT_PLACES)


def parse_decimal(value: object, *, places: int, largest: Decimal, field: str | None = None) -> Decimal:
    """The exact Decimal of `value`, with at most `places` decimals and at most `largest` in size.

    Raises NotANumber (NaN, infinity, exponents, stray characters), TooManyDecimals (never rounds: domain §1),
    AmountTooLarge.
    """
    number = _exact(value, field)
    if abs(number) > largest:
        raise AmountTooLarge(given=_shown(value), largest=largest, field=field)
    exponent = number.normalize().as_tuple().exponent if number else 0
    if isinstance(exponent, int) and -exponent > places:
        raise TooManyDecimals(given=_shown(value), places=places, field=field)
    return rounded(number, places)


def parse_amount(value: Decimal | int | str, *, field: str = "amount") -> Money:
    """A CLOUD amount someone typed or sent: positive, at most eight decimals, at most what the books hold."""
    number = parse_decimal(value, places=CLOUD_PLACES, largest=LARGEST_CLOUD, field=field)
    if number <= 0:
        raise AmountNotPositive(given=_shown(value), field=field)
    return Money(number, CLOUD)


def require_cloud(amount: Money, *, field: str = "amount") -> Decimal:
    """The Decimal inside a positive CLOUD Money. Raises WrongCurrency and what `parse_amount` raises."""
    if amount.currency != CLOUD:
        raise WrongCurrency(expected="CLOUD", given=str(amount.currency), field=field)
    return Decimal(parse_amount(amount.amount, field=field).amount)


def plain(number: Decimal) -> str:
    """`number` as JSON and receipts carry it: no exponent, no trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exact(value: object, field: str | None) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise NotANumber(given=_shown(value), field=field)
    if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value.strip()):
        raise NotANumber(given=_shown(value), field=field)
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite():
        raise NotANumber(given=_shown(value), field=field)
    if number.adjusted() > EXACT_DIGITS // 2 or len(number.as_tuple().digits) > EXACT_DIGITS:
        raise AmountTooLarge(given=_shown(value), largest=LARGEST_USD, field=field)
    return number


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
