"""`demo`: the sample cooperative, made by the verbs people use; run again, it changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from habitat.errors import HabitatError
from habitat.site.policies.demo import LOGINS, PASSWORD, PEOPLE
from habitat.site.workflows.demo import Demo


class Command(BaseCommand):
    help = "Make the sample cooperative (development settings only); prints the logins."

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        if not getattr(settings, "DEMO_ALLOWED", False):
            raise CommandError("The sample cooperative has known passwords: it is for development settings only.")
        quiet = options["verbosity"] == 0
        try:
            # Progress goes to stderr: the lines on stdout are what `make run` shows again at its end.
            made = Demo()
            with tqdm(made.steps(), disable=quiet or None, leave=False) as steps:
                for title, step in steps:
                    steps.set_description(title)
                    step()
        except HabitatError as refusal:
            raise CommandError(refusal.sentence) from refusal
        if not quiet:
            for remark in made.money.remarks:
                self.stderr.write(remark)
        emails = {person.subname: person.email for person in PEOPLE}
        for role, subname in LOGINS:
            self.stdout.write(f"{role.value:<11} {emails[subname]:<24} {PASSWORD}")
