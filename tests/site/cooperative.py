"""A small cooperative with something of everything the proofs look at, made by the verbs."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import psycopg
from django.core.management import call_command
from django.utils import timezone

from cloud_credits.actions import chain, invoices
from cloud_credits.actions.grants import grant
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.policies.invoices import Item
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from habitat.site.workflows.reconciliation import reconcilers
from tests.cloud_credits.metered import make_key, meter
from tests.factories import actor, fund, key, make_member, system_member
from tests.horizon import settled
from treasury.actions.sealing import seal_account_days


def make_cooperative() -> None:
    """Alice and Bob hold, give, lock and use credits; techne holds some; days and chain are sealed."""
    alice, bob = make_member("Alice", credits="100", is_investor=True), make_member("Bob", credits="40")
    pool, techne = system_member(SystemAccount.POOL), system_member(SystemAccount.TECHNE)
    fund(pool, "30")
    grant(giver=pool, recipient=techne, amount=cloud("5"), reason="hosting", idempotency_key=key(), acting=SYSTEM)
    transfer(sender=alice, recipient=bob, amount=cloud("10"), idempotency_key=key(), acting=actor(alice))
    stake(member=alice, amount=cloud("20"), days=90, idempotency_key=key(), acting=actor(alice))
    pay_invoice(alice)
    metering = make_key()
    meter(alice, metering)
    meter(bob, metering, primitive="transfer", unit="gigabytes", quantity="7")
    for reconciler in reconcilers().values():
        reconciler.run(as_of=timezone.now(), acting=SYSTEM)
    settled()
    seal_account_days(before=timezone.now().date() + timedelta(days=1), acting=SYSTEM)
    chain.seal()


def pay_invoice(member: Member) -> None:
    """Two hours of work, sent and paid."""
    item = Item(description="Two hours of work", quantity=Decimal(2), price=Decimal("1.5"))
    invoice = invoices.draft(member=member, title="Website", items=[item], acting=SYSTEM)
    invoices.send(invoice=invoice, acting=SYSTEM)
    invoices.pay(invoice=invoice, idempotency_key=key(), acting=actor(member))


def verify_books(*options: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    out = StringIO()
    try:
        call_command("verify_books", *options, "--no-color", stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def broken(output: str) -> list[str]:
    """The broken lines without their count."""
    return [" ".join(line.split()[2:]) for line in output.splitlines() if line.startswith("BROKEN")]


@contextmanager
def behind_the_guards(dsn: str):
    """A superuser for whom no trigger and no foreign key fires."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
