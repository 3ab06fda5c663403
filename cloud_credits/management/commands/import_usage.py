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
        parser.add_argument("--key", required=True, help="prefix of the service key the events belong to")

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
        self._say(path, last)

    def _key(self, prefix: str) -> ServiceKey:
        key = ServiceKey.objects.filter(prefix=prefix.removeprefix("hbt_").split("_")[0]).first()
        if key is None or Scope.METERING_WRITE not in key.scopes or not key.is_live(datetime.now(tz=UTC)):
            message = f"No living key with the prefix {prefix} may write metering."
            raise CommandError(message)
        return key

    def _say(self, path: Path, last: Progress) -> None:
        self.stdout.write(f"{last.accepted:,} accepted, {last.duplicates:,} already known, {last.refused:,} refused.")
        if last.refused:
            self.stdout.write(f"Why each was refused: {report_path(path)}")
