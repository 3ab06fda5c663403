"""`manage.py rebuild_stripe_mirror CUSTOMER …`: customers, cards and receipts as Stripe shows them now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from habitat.errors import HabitatError
from habitat.members.policies.actors import SYSTEM
from treasury.reports.stripe_documents import customers
from treasury.workflows.stripe_mirror import rebuild


class Command(BaseCommand):
    help = "Fills the mirror of Stripe's objects again for a customer or a member. It books nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", nargs="*", help="Stripe's ids of customers (cus_…)")
        parser.add_argument("--member", type=int, help="every customer the mirror knows of this member")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = [*options["customer"], *(customers(options["member"]) if options["member"] else ())]
        if not asked:
            raise CommandError("Name a customer, or a member whose customer the mirror knows.")
        for customer_id in asked:
            try:
                written = rebuild(customer_id=customer_id, acting=SYSTEM)
            except HabitatError as error:
                raise CommandError(f"{customer_id}: {error.sentence}") from error
            self.stdout.write(f"{customer_id}: {written} objects")
