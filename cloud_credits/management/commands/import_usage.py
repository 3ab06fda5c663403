"""`manage.py import_usage FILE --key PREFIX`: a file of metering events, through the same door as a service."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cloud_credits.actions.import_usage import Progress, import_usage, report_path
from cloud_credits.policies.metering_batch import MOST_EVENTS
from habitat.controls.models import ServiceKey
from habitat.controls.policies.scopes import Scope
from habitat.controls.reports.service_keys import actor_of
from habitat.errors import HabitatError


class Command(BaseCommand):
    help = "Records a CSV or NDJSON file of metering events. Stop it at any time: the next run goes on from there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a .csv with a header line, or .ndjson with one event a line")
        parser.add_argument(
            "--rows-at-once",
            type=int,
            default=MOST_EVENTS,
            choices=range(1, MOST_EVENTS + 1),
            metavar=f"1…{MOST_EVENTS}",
            help="rows that are read and committed together (default: as many as one batch may have)",
        )
        parser.add_argument(
            "--key", help="prefix of the service key the events belong to; may be left out where only one may meter"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        key = self._key(options["key"])
        if not path.is_file():
            message = f"There is no file {path}."
            raise CommandError(message)
        try:
            with tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=path.name, file=self.stderr) as bar:
                progress = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=options["rows_at_once"])
                for last in progress:
                    bar.update(last.offset - bar.n)
                    # As text: tqdm rounds numbers to three digits.
                    bar.set_postfix(accepted=f"{last.accepted:,}", refused=f"{last.refused:,}", refresh=False)
        except HabitatError as refusal:
            raise CommandError(refusal.sentence) from refusal
        self.stdout.write(f"Metered by {key}.")
        self._say(path, last)

    def _key(self, prefix: str | None) -> ServiceKey:
        """The key of this prefix, or the only living one that may meter: events are never put under a guessed name."""
        now = datetime.now(tz=UTC)
        living = [key for key in ServiceKey.objects.all() if key.opens(Scope.METERING_WRITE) and key.is_live(now)]
        if prefix is not None:
            wanted = prefix.removeprefix("hbt_").split("_")[0]
            living = [key for key in living if key.prefix == wanted]
        if not living:
            which = f"with the prefix {prefix} " if prefix is not None else ""
            message = f"No living key {which}may write metering."
            raise CommandError(message)
        if len(living) > 1:
            names = ", ".join(map(str, living))
            message = f"Say with --key whose events these are: {names}."
            raise CommandError(message)
        return living[0]

    def _say(self, path: Path, last: Progress) -> None:
        self.stdout.write(f"{last.accepted:,} accepted, {last.duplicates:,} already known, {last.refused:,} refused.")
        if last.refused:
            self.stdout.write(f"Why each was refused: {report_path(path)}")
