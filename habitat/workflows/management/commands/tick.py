"""`manage.py tick`: the clock by hand, for a person or another scheduler."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from habitat.events.workflows import queue
from habitat.workflows.workflows import clock


class Command(BaseCommand):
    help = "Inserts the jobs that are due and wakes the workers; with --drain does all that waits, here and now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--drain", action="store_true", help="drain every queue in this process")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{clock.tick()} jobs fell due.")
        if options["drain"]:
            for name in queue.names():
                self.stdout.write(f"{name}: {queue.drain(name)} done.")
