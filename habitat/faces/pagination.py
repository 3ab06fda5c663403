"""Cursor pages for every list of the API: stable while rows arrive, cheap at any depth."""

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """`?cursor=`, `?limit=` (at most 200); newest first by id unless the view says otherwise."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
