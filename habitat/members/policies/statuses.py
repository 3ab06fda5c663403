"""The life of a membership: its states, its edges, and what each state may do (domain §2)."""

from enum import StrEnum
from typing import Final


class MemberKind(StrEnum):
    PERSON = "person"
    ORGANISATION = "organisation"
    SYSTEM = "system"


class MemberStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    INACTIVE = "inactive"
    WITHDRAWN = "withdrawn"
    EXPELLED = "expelled"


FIRST: Final = MemberStatus.PENDING

EDGES: Final[dict[MemberStatus, frozenset[MemberStatus]]] = {
    MemberStatus.PENDING: frozenset({MemberStatus.ACTIVE}),
    MemberStatus.ACTIVE: frozenset(
        {MemberStatus.SUSPENDED, MemberStatus.INACTIVE, MemberStatus.WITHDRAWN, MemberStatus.EXPELLED}
    ),
    MemberStatus.SUSPENDED: frozenset({MemberStatus.ACTIVE}),
    MemberStatus.INACTIVE: frozenset({MemberStatus.ACTIVE}),
    MemberStatus.WITHDRAWN: frozenset(),
    MemberStatus.EXPELLED: frozenset(),
}

# Only active members buy, receive, transfer, stake and vote.
MAY_TRADE: Final = frozenset({MemberStatus.ACTIVE})
# All but suspended ones may still redeem what they hold; a pending member holds nothing yet.
MAY_REDEEM: Final = frozenset(
    {MemberStatus.ACTIVE, MemberStatus.INACTIVE, MemberStatus.WITHDRAWN, MemberStatus.EXPELLED}
)
# Whoever holds credits may be refunded and may unstake at maturity.
MAY_UNSTAKE: Final = frozenset(MemberStatus) - {MemberStatus.PENDING}


def may_move(source: MemberStatus, target: MemberStatus) -> bool:
    """True when the membership may go from `source` to `target`."""
    return target in EDGES[source]


class SystemAccount(StrEnum):
    """The cooperative's own accounts in the credit ledger."""

    TECHNE = "techne"
    POOL = "pool"
    WATERSHED = "watershed"
