"""Counts what requests in a member's name cost the house: CPU time and bytes, added up in the process."""

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty

from cloud_credits.actions.self_metering import count
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.settings import CHARGE_API, CHARGE_PAGES
from habitat.controls.reports import settings
from habitat.members.policies.actors import SYSTEM

logger = logging.getLogger(__name__)

# Never in a member's name, or never charged: files, health, sign-in and the back office's own work.
FREE_PATHS: Final = ("/static/", "/api/health", "/admin/", "/accounts/", "/help/", "/favicon")
API_PATHS: Final = ("/api/", "/graphql/")

Counts = dict[tuple[int, Primitive], int]


class Meter:
    """One process's counts since its last flush. A fork starts with none: the parent keeps its own.

    A flush that failed keeps its batch and number, and sends them again as they are: the database counts a batch
    once. What a killed process had not flushed is lost: at most one flush interval.
    """

    def __init__(self) -> None:
        self.charges_api = False
        self.charges_pages = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._open: Counts = {}
        self._batch: Counts = {}
        self._sequence = 0
        self._process = uuid.uuid4()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def after_fork(self) -> None:
        """In the child: other locks, another process id, nothing counted, its own thread when first needed."""
        self._begin()

    def add(self, user_id: int, *, cpu: int, size: int) -> None:
        """`cpu` in nanoseconds, `size` in bytes. Touches memory only."""
        with self._lock:
            for key, amount in (((user_id, Primitive.COMPUTE), cpu), ((user_id, Primitive.TRANSFER), size)):
                self._open[key] = self._open.get(key, 0) + amount

    def flush(self) -> None:
        """Writes what was counted. Raises what the database raises; nothing is lost or counted twice then."""
        with self._flush_lock:
            if not self._batch:
                with self._lock:
                    self._batch, self._open = self._open, {}
                self._sequence += 1
            if self._batch:
                count(process=self._process, sequence=self._sequence, counts=self._batch, acting=SYSTEM)
                self._batch = {}

    def learn_what_is_charged(self) -> None:
        """Reads the two settings; between readings a change waits at most one flush interval."""
        self.charges_api = bool(settings.value(CHARGE_API))
        self.charges_pages = bool(settings.value(CHARGE_PAGES))

    def start(self) -> None:
        """The process's flushing thread, once; none where the interval is 0."""
        if self._thread is not None or not django_settings.SELF_METERING_FLUSH_SECONDS:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="self-metering", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """A last flush when the process ends of itself."""
        if self._thread is not None and not self._stopped.is_set():
            self._stopped.set()
            self._work()

    def _run(self) -> None:
        self._work()
        while not self._stopped.wait(django_settings.SELF_METERING_FLUSH_SECONDS):
            self._work()

    def _work(self) -> None:
        try:
            self.learn_what_is_charged()
            self.flush()
        except Exception:
            # The next round tries again with the same batch; requests never wait for this.
            logger.exception("self-metering could not flush")
        finally:
            connection.close()


METER: Final = Meter()
os.register_at_fork(after_in_child=METER.after_fork)
atexit.register(METER.stop)


class SelfMeteringMiddleware:
    """Measures each request made in a member's name. No query, no lock held while the request runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        METER.start()
        if not self._is_charged(request.path):
            return self.get_response(request)
        began = time.thread_time_ns()
        response = self.get_response(request)
        user_id = _member_user(request)
        if user_id is None:
            return response
        sent = _request_size(request) + _head_size(response)
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = _counted(response.streaming_content, user_id)
        else:
            sent += len(getattr(response, "content", b""))
        METER.add(user_id, cpu=time.thread_time_ns() - began, size=sent)
        return response

    @staticmethod
    def _is_charged(path: str) -> bool:
        if path.startswith(FREE_PATHS):
            return False
        return METER.charges_api if path.startswith(API_PATHS) else METER.charges_pages


def _member_user(request: HttpRequest) -> int | None:
    """Whose request it was; None where nobody asked who it is, for a service, and for somebody not signed in."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject):
        if user._wrapped is empty:
            return None
        user = user._wrapped
    return user.pk if isinstance(user, get_user_model()) and user.is_authenticated else None


def _request_size(request: HttpRequest) -> int:
    """Bytes of the request as sent: its line, its headers and its body."""
    headers = sum(len(name) + len(str(value)) for name, value in request.META.items() if name.startswith("HTTP_"))
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    body = int(length) if length.isdecimal() else 0
    return len(request.method or "") + len(request.get_full_path()) + headers + body


def _head_size(response: HttpResponseBase) -> int:
    return sum(len(name) + len(value) + 4 for name, value in response.items())


def _counted(parts: Any, user_id: int) -> Iterator[bytes]:
    """The parts as they are, counted as they leave."""
    began = time.thread_time_ns()
    for part in parts:
        METER.add(user_id, cpu=time.thread_time_ns() - began, size=len(part))
        yield part
        began = time.thread_time_ns()
