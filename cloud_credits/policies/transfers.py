"""Between whom a plain transfer may go, and how long its memo may be."""

from typing import Final, Protocol

from cloud_credits.errors import SelfTransfer, TechneMakesNoTransfers, TechneTakesNoTransfers
from habitat.members.policies.statuses import SystemAccount

LONGEST_MEMO: Final = 2000


class Side(Protocol):
    """What the rule asks of a member."""

    pk: int
    system_code: str | None


def check_sides(*, sender: Side, recipient: Side) -> None:
    """Two members, neither of them techne: it gives by grants and takes by invoices and grants (domain §3).

    Raises SelfTransfer, TechneTakesNoTransfers, TechneMakesNoTransfers.
    """
    if sender.pk == recipient.pk:
        raise SelfTransfer(field="recipient")
    if recipient.system_code == SystemAccount.TECHNE:
        raise TechneTakesNoTransfers(field="recipient")
    if sender.system_code == SystemAccount.TECHNE:
        raise TechneMakesNoTransfers(field="sender")
