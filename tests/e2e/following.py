"""The served house goes by the clock that a test moves: its own Python too, and it remembers nothing of another day.

Only `tests/e2e/travelling.py` names this, and it starts on a test's own database alone.
"""

import threading
from collections.abc import Callable
from datetime import datetime

import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest, HttpResponse

from cloud_credits.reports import rate_cards
from habitat import clock
from tests.database import CLONE


class FollowingMiddleware:
    """Sets Python's clock by the database's before each request. Raises ImproperlyConfigured on a house's own books."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        name = connection.settings_dict["NAME"]
        if not name.startswith(CLONE):
            raise ImproperlyConfigured(f"{name} is no test's own database: its clock is followed by nobody.")
        self._get_response = get_response
        self._lock = threading.Lock()
        self._moment: datetime | None = None
        self._traveller: time_machine.travel | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self._follow(clock.now())
        return self._get_response(request)

    def _follow(self, moment: datetime) -> None:
        with self._lock:
            if moment == self._moment:
                return
            if self._traveller is not None:
                self._traveller.stop()
            self._moment = moment
            self._traveller = time_machine.travel(moment, tick=False)
            self._traveller.start()
            rate_cards.forget()
