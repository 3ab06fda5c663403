"""`manage.py consume_events`: takes deliveries from RabbitMQ until told to stop."""

import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from habitat.events.workflows import relay


class Command(BaseCommand):
    help = "Takes event deliveries from the RabbitMQ that EVENT_BUS_URL names, until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EVENT_BUS_URL:
            raise CommandError("EVENT_BUS_URL is not set: deliveries go through the task queue (manage.py qcluster).")
        stop = threading.Event()

        def finish(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, finish)
        signal.signal(signal.SIGINT, finish)
        self.stdout.write("Taking events from the bus.")
        relay.consume(lambda: not stop.is_set())
