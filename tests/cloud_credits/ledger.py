"""What the tests of the credit ledger ask again and again."""

from decimal import Decimal

from cloud_credits.models import CloudBalance, CloudTransaction, IdempotencyKey
from cloud_credits.reports.proofs import PROOFS
from habitat.events.models import Event
from treasury.models import JournalEntry, JournalLine

TABLES = (CloudTransaction, IdempotencyKey, JournalEntry, JournalLine, Event)


def row_counts() -> dict[str, int]:
    """How many rows every table of the ledger holds: a refusal leaves this unchanged."""
    return {model.__name__: model.objects.count() for model in TABLES}


def holds(member) -> tuple[Decimal, Decimal]:
    """Liquid and staked, straight from the row."""
    return CloudBalance.objects.values_list("liquid", "staked").get(member=member)


def account(code: str) -> Decimal:
    """Debits less credits of one account, straight from the lines."""
    lines = JournalLine.objects.filter(account__code=code).values_list("side", "amount")
    return sum((amount if side == "D" else -amount for side, amount in lines), Decimal(0))


def broken_proofs() -> list[str]:
    """The proofs that do not hold, with what they say."""
    results = [(proof.name, proof.run()) for proof in PROOFS]
    return [f"{name}: {result.message}" for name, result in results if not result.ok]
