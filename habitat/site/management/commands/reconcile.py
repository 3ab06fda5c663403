"""`reconcile`: compares the books with the bank, Stripe and the backing; exit 1 while something does not agree."""

import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM
from habitat.site.workflows.reconciliation import PLANNED, reconcile, reconcilers


class Command(BaseCommand):
    help = "Compare the books with the world outside, keep each run, open and close exceptions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=[*reconcilers(), *PLANNED, "all"])
        parser.add_argument("--on", type=date.fromisoformat, help="as of the end of this UTC day (YYYY-MM-DD)")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        found = 0
        try:
            for reconciler, done in reconcile(options["name"], on=options["on"], acting=SYSTEM):
                word = self.style.ERROR("DIFFERS") if done.found else self.style.SUCCESS("agrees ")
                self.stdout.write(f"{word} {done.found:>6,}  {reconciler.name:<8} run {done.run_id}: {reconciler.help}")
                for sentence in done.sentences:
                    self.stdout.write(f"                {sentence}")
                found += done.found
        except HabitatError as refusal:
            raise CommandError(refusal.sentence) from refusal
        if found:
            sys.exit(1)
