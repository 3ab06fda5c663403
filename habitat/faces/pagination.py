"""Cursor pages for every list of the API: stable while rows arrive, cheap at any depth."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class CursorPages(CursorPagination):
    """`?cursor=`, `?limit=` (at most 200); newest first by id unless the view says otherwise."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Cursor | None:
        """None where the list begins. Raises NotFound for what was not written by us."""
        cursor: Any = super().decode_cursor(request)
        if cursor is not None and not self.is_ours(cursor):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def is_ours(self, cursor: Any) -> bool:
        """A list is ordered by a number, so a place in it is one."""
        return cursor.position is None or _is_number(cursor.position)


class MomentPages(CursorPages):
    """Newest first by the moment `moment` and, where many rows share one, by id.

    A place is both, so every row has its own: a list is read to its end however many rows are of one moment, and what
    arrives meanwhile moves nobody's place.
    """

    moment: str

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        return (f"-{self.moment}", "-id")

    def is_ours(self, cursor: Any) -> bool:
        """A place is a moment and an id, and rows are never counted off from it."""
        moment, _, number = (cursor.position or "").rpartition(",")
        return not cursor.offset and _is_moment(moment) and _is_number(number)

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """The page at the cursor. What is set here is read by the links that the parent writes."""
        self.request, self.base_url = request, request.build_absolute_uri()
        self.page_size = self.get_page_size(request)
        self.ordering = self.get_ordering(request, queryset, view)
        self.cursor = self.decode_cursor(request)
        place, goes_back = (self.cursor.position, self.cursor.reverse) if self.cursor else (None, False)
        rows = queryset.order_by(self.moment, "id") if goes_back else queryset.order_by(*self.ordering)
        if place is not None:
            rows = self._beyond(rows, place, goes_back=goes_back)
        found = list(rows[: self.page_size + 1])
        self.page = found[: self.page_size]
        # The links ask only whether there is more on a side: they mark their place by the page's own rows.
        more, came = len(found) > len(self.page), place is not None
        if goes_back:
            self.page.reverse()
        self.has_next, self.has_previous = (came, more) if goes_back else (more, came)
        self.next_position = self.previous_position = place
        return self.page

    def _beyond(self, rows: QuerySet[Any], place: str, *, goes_back: bool) -> QuerySet[Any]:
        moment, _, number = place.rpartition(",")
        # The first bound lets an index seek; the second settles ties within one moment.
        bound, tie = ("gte", "lte") if goes_back else ("lte", "gte")
        return rows.filter(**{f"{self.moment}__{bound}": moment}).exclude(
            **{self.moment: moment, f"id__{tie}": int(number)}
        )

    def _get_position_from_instance(self, instance: Any, ordering: Sequence[str]) -> str:
        return f"{getattr(instance, self.moment)},{instance.pk}"


def _is_number(place: str) -> bool:
    return place.isascii() and place.isdigit() and len(place) < 19


def _is_moment(place: str) -> bool:
    """With its zone, as Python writes one in UTC: at the ends of the calendar no other zone is asked to be moved."""
    try:
        return str(datetime.fromisoformat(place)) == place and place.endswith("+00:00")
    except ValueError:
        return False
