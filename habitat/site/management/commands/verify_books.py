"""`verify_books`: proves every invariant of the house from scratch, one line each; exit 1 on the first break."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from habitat.members.policies.actors import SYSTEM
from habitat.site.reports.verification import GUARDS, Finding
from habitat.site.workflows.verification import verify


class Command(BaseCommand):
    help = "Prove the books: every entry, balance, sequence, price, event, hash and guard, from scratch."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="go on after a break and show every line")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        broken = proved = 0
        for finding in verify(go_on=options["all"], acting=SYSTEM):
            result = finding.result
            word = self.style.SUCCESS("ok    ") if result.ok else self.style.ERROR("BROKEN")
            said = f": {result.message}" if _adds(finding) else ""
            self.stdout.write(f"{word} {result.counted:>12,}  {finding.floor:<13} {finding.proof}{said}")
            proved += result.ok
            broken += not result.ok
        if broken:
            self.stdout.write(f"{broken} broken, {proved} hold.")
            sys.exit(1)
        self.stdout.write(f"All {proved} hold.")


def _adds(finding: Finding) -> bool:
    """What broke is always said; of what holds, only what a guard found beside it."""
    return not finding.result.ok or (finding.floor == GUARDS and finding.result.message != finding.proof)
