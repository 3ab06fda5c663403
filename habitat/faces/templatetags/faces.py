"""How amounts, times, states and fields look on every page. A built-in library: no page needs to load it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from moneyed import Money

from habitat.faces import navigation
from habitat.money import cents, cloud_to_usd, plain

register = template.Library()

MINUS = "\u2212"
WAITING_WORDS = frozenset(
    {
        "pending",
        "processing",
        "requested",
        "proposed",
        "voting",
        "delivering",
        "waiting",
        "draft",
        "payment received",
        "received",
        "asked",
        "burned",
        "sent",
        "owed",
        "low",
        "to pay",
        "opening",
        "starting",
        "paused",
        "scheduled",
        "counting",
    }
)
GOOD_WORDS = frozenset(
    {
        "completed",
        "active",
        "approved",
        "delivered",
        "granted",
        "open",
        "in force",
        "paid",
        "synced",
        "minted",
        "settled",
        "healthy",
        "on",
    }
)
BAD_WORDS = frozenset(
    {
        "failed",
        "dead",
        "rejected",
        "refused",
        "suspended",
        "expelled",
        "diverged",
        "stuck",
        "slashed",
        "revoked",
        "overdue",
        "shortfall",
        "unknown",
    }
)


def number_of(amount: Decimal | Money | int | str | None) -> Decimal | None:
    """The exact Decimal behind what a template holds; None stays None."""
    if amount is None or amount == "":
        return None
    if isinstance(amount, Money):
        return Decimal(amount.amount)
    return Decimal(amount)


def grouped(number: Decimal) -> str:
    """Every digit kept, trailing zeros dropped, thousands apart, a true minus sign."""
    whole, point, fraction = plain(abs(number)).partition(".")
    sign = MINUS if number < 0 else ""
    return f"{sign}{int(whole):,}{point}{fraction}"


@register.filter
def cloud(amount: Decimal | Money | int | str | None) -> str:
    """`1250.50000000` → `1,250.5`: exact, never rounded. The unit is written beside it."""
    number = number_of(amount)
    return "" if number is None else grouped(number)


@register.filter
def usd(amount: Decimal | Money | int | str | None) -> str:
    """USD to cents, half-up (domain §1: at the edge only): `2.505` → `$2.51`."""
    number = number_of(amount)
    if number is None:
        return ""
    shown = cents(number)
    return f"{MINUS if shown < 0 else ''}${abs(shown):,.2f}"


@register.filter
def in_usd(amount: Decimal | Money | int | str | None) -> str:
    """A CLOUD amount as dollars at the peg, to cents: `1.25` → `$12.50`."""
    number = number_of(amount)
    return "" if number is None else usd(cloud_to_usd(number))


@register.filter
def signed(amount: Decimal | Money | int | str | None) -> str:
    """As `cloud`, with a plus before what comes in."""
    number = number_of(amount)
    if number is None:
        return ""
    return f"+{grouped(number)}" if number > 0 else grouped(number)


@register.filter
def when(moment: datetime | date | None) -> SafeString | str:
    """A moment in UTC that the page's script turns into the reader's zone; a day stays a UTC day."""
    if moment is None or moment == "":
        return ""
    if not isinstance(moment, datetime):
        return format_html('<time datetime="{}">{}</time>', moment.isoformat(), moment.isoformat())
    return format_html('<time datetime="{}" data-when>{}</time>', _stamp(moment), _in_utc(moment))


@register.filter
def deadline(moment: datetime | None) -> SafeString | str:
    """A moment that somebody must not miss: as `when`, but the reader's zone is named too."""
    if moment is None:
        return ""
    return format_html('<time datetime="{}" data-when="zone">{}</time>', _stamp(moment), _in_utc(moment))


@register.simple_tag
def countdown(until: datetime, now: datetime, past: str = "now") -> SafeString:
    """How long it is until a moment, in its two largest units; the page's script counts on."""
    words = f"in {_apart(until - now)}" if until > now else past
    return format_html('<span data-until="{}" data-past="{}">{}</span>', _stamp(until), past, words)


def _stamp(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def _in_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _apart(left: timedelta) -> str:
    """`3 days and 4 hours`: two units that follow each other, the larger one not zero."""
    seconds, counts = int(left.total_seconds()), []
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number, seconds = divmod(seconds, size)
        counts.append((number, name))
    first = next((index for index, (number, _) in enumerate(counts) if number), len(counts))
    words = [f"{number} {name}{'' if number == 1 else 's'}" for number, name in counts[first : first + 2] if number]
    return " and ".join(words) or "less than a minute"


@register.filter
def status(word: str | None) -> SafeString | str:
    """A state as a word, a colour and a shape. Unknown words are shown in the quiet colour."""
    if not word:
        return ""
    key = str(word).lower().replace("_", " ")
    tones = (("wait", WAITING_WORDS), ("ok", GOOD_WORDS), ("bad", BAD_WORDS))
    tone = next((tone for tone, words in tones if key in words), "quiet")
    return format_html('<span class="status status--{}">{}</span>', tone, key)


@register.simple_tag(takes_context=True)
def menu(context: Context) -> list[navigation.ShownItem]:
    """The menu for this reader; empty on an error page that has no request."""
    request = context.get("request")
    return navigation.shown(request) if request is not None and hasattr(request, "user") else []


@register.inclusion_tag("faces/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """One form field: label, widget, help and error, tied together for screen readers."""
    widget = bound.field.widget
    return {
        "field": bound,
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": widget.use_fieldset,
        "optional": not bound.field.required and not isinstance(widget, CheckboxInput),
    }


@register.inclusion_tag("faces/fields.html")
def fields(form: Any) -> dict[str, Any]:
    """A whole form's insides: what is wrong with all of it, hidden fields, then every field."""
    return {"form": form}
