"""What the API's readers ask for in the address: whose data, at which moment, of which period."""

from datetime import UTC, date, datetime, time

from django.http import Http404
from rest_framework.request import Request

from cloud_credits.errors import TimeInvalid
from cloud_credits.reports.member_usage import Month, month_of


def member_id_of(request: Request, permission: str) -> int:
    """The reader's own membership, or `?member=` for who holds `permission`. Somebody else's is not found."""
    own = getattr(request.user, "member", None)
    asked = request.query_params.get("member", "")
    if not asked:
        if own is None:
            raise Http404
        return int(own.pk)
    if not (asked.isascii() and asked.isdigit() and len(asked) < 19):
        raise Http404
    if (own is not None and own.pk == int(asked)) or request.user.has_perm(permission):
        return int(asked)
    raise Http404


def moment_of(request: Request, name: str) -> datetime | None:
    """`?at=2026-04-01T00:00:00Z`. Raises TimeInvalid without a zone or for nonsense."""
    given = request.query_params.get(name)
    if not given:
        return None
    try:
        # A plus sign in an address arrives as a blank.
        at = datetime.fromisoformat(given.strip().replace(" ", "+") if "T" in given else given)
        if at.tzinfo is None:
            raise TimeInvalid(given=given[:60], field=name)
        # In UTC from here on: PostgreSQL knows fewer time zones than Python, and the first and last day have none.
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TimeInvalid(given=given[:60], field=name) from None


def day_of(request: Request, name: str) -> date:
    """`?date=2026-04-01`, a UTC day; today where it is missing. Raises TimeInvalid."""
    given = request.query_params.get(name)
    if not given:
        return datetime.now(tz=UTC).date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise TimeInvalid(given=given[:60], field=name) from None


def period_of(request: Request, name: str = "period") -> Month:
    """`?period=2026-04`, a UTC month; the running one where it is missing. Raises TimeInvalid."""
    given = request.query_params.get(name)
    if not given:
        today = datetime.now(tz=UTC)
        return Month(today.year, today.month)
    try:
        return month_of(given)
    except (ValueError, OverflowError):
        raise TimeInvalid(given=given[:60], field=name) from None


def end_of(day: date) -> datetime:
    """The last moment of a UTC day that a card can be asked for."""
    return datetime.combine(day, time.max, tzinfo=UTC)
