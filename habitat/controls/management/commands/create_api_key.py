"""Makes a service key and prints its secret, once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from habitat.controls.actions.service_keys import create
from habitat.controls.policies.scopes import Scope
from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM


class Command(BaseCommand):
    help = "Make a service key and print its secret. It is shown once and stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="which service it is for")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            dest="scopes",
            metavar="SCOPE",
            help=f"what it may open; repeat for more: {', '.join(Scope)}",
        )
        parser.add_argument("--expires-days", type=int, default=None, help="days until it stops working")

    def handle(self, *args: Any, **options: Any) -> None:
        days: int | None = options["expires_days"]
        try:
            end = timezone.now() + timedelta(days=days) if days is not None else None
            key, secret = create(name=options["name"], scopes=options["scopes"], expires_at=end, acting=SYSTEM)
        except HabitatError as error:
            raise CommandError(error.sentence) from error
        except OverflowError as error:
            raise CommandError("That many days lie beyond the calendar.") from error
        self.stdout.write(secret)
        self.stderr.write(f"{key.name}: {', '.join(key.scopes)}, until {key.expires_at:%Y-%m-%d}. Shown only now.")
