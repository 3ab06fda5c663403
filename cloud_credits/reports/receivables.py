"""What operations see before they settle a debt: what its member can spend, and which wire somebody means."""

from decimal import Decimal
from typing import Final

from cloud_credits.models import CloudBalance
from treasury.models import BankLine, Payment
from treasury.policies.payments import Provider

# Eighteen digits fit a bigint.
LONGEST_NUMBER: Final = 18


def liquid_of(member_id: int) -> Decimal:
    """CLOUD that a member can spend; zero without a cloud identity."""
    found = CloudBalance.objects.filter(member_id=member_id).values_list("liquid", flat=True).first()
    return found or Decimal(0)


def wire_named(number: str, *, by_line: bool) -> Payment | None:
    """A payment that came to the bank, by its own number or by its bank line's; None for anything else."""
    if not (number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER):
        return None
    wires = Payment.objects.filter(provider=Provider.BANK.value).select_related("member")
    if not by_line:
        return wires.filter(pk=int(number)).first()
    reference = BankLine.objects.filter(pk=int(number)).values_list("line_id", flat=True).first()
    return wires.filter(reference=reference).first() if reference else None
