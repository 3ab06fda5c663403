"""Cursor pages for every list of the API: stable while rows arrive, cheap at any depth."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class CursorPages(CursorPagination):
    """`?cursor=`, `?limit=` (at most 200); newest first by id unless the view says otherwise."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Every list is ordered by a number, so a place in it is one: anything else was not written by us."""
        cursor: Any = super().decode_cursor(request)
        place = cursor.position if cursor is not None else None
        if place is not None and not (place.isascii() and place.isdigit() and len(place) < 19):
            raise NotFound(self.invalid_cursor_message)
        return cursor
