"""Cursor pages for every list of the API: stable while rows arrive, cheap at any depth."""

from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, QuerySet
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
    _is_by_moment = False

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """The ordering, and with its first field what a place in the list is."""
        ordering: tuple[str, ...] = super().get_ordering(request, queryset, view)
        name = ordering[0].removeprefix("-")
        self._is_by_moment = name != "pk" and isinstance(queryset.model._meta.get_field(name), DateTimeField)
        return ordering

    def decode_cursor(self, request: Request) -> Cursor | None:
        """A list is ordered by a number or by a moment, so a place in it is one: anything else was not written by
        us."""
        cursor: Any = super().decode_cursor(request)
        place = cursor.position if cursor is not None else None
        if place is not None and not (_is_moment(place) if self._is_by_moment else _is_number(place)):
            raise NotFound(self.invalid_cursor_message)
        return cursor


def _is_number(place: str) -> bool:
    return place.isascii() and place.isdigit() and len(place) < 19


def _is_moment(place: str) -> bool:
    """With its zone, as Python writes one in UTC: at the ends of the calendar no other zone is asked to be moved."""
    try:
        return str(datetime.fromisoformat(place)) == place and place.endswith("+00:00")
    except ValueError:
        return False
