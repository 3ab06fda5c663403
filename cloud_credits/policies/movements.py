"""What each type of credit transaction does, as pure functions: participants, balances, sequences and postings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from cloud_credits.errors import InsufficientBalance, InsufficientStake, MemberNotActive
from habitat.members.policies.statuses import MemberStatus
from habitat.money import cloud_to_usd, plain
from treasury.policies.journal import Line


class TransactionType(StrEnum):
    MINT = "mint"
    TRANSFER = "transfer"
    REDEMPTION = "redemption"
    BURN = "burn"
    STAKE = "stake"
    UNSTAKE = "unstake"
    CORRECTION = "correction"


class TransactionState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    REVERSED = "reversed"


EDGES: Final[dict[TransactionState, frozenset[TransactionState]]] = {
    TransactionState.PENDING: frozenset({TransactionState.PROCESSING, TransactionState.FAILED}),
    TransactionState.PROCESSING: frozenset({TransactionState.COMPLETED, TransactionState.FAILED}),
    TransactionState.COMPLETED: frozenset({TransactionState.REVERSED}),
    TransactionState.FAILED: frozenset(),
    TransactionState.REVERSED: frozenset(),
}
# Rows that moved balances: a replay runs over both.
BOOKED: Final = frozenset({TransactionState.COMPLETED, TransactionState.REVERSED})


class Purpose(StrEnum):
    """Why credits moved: it names the account that balances 2220 and 1130 (domain §6, posting table)."""

    TRANSFER = "transfer"
    STAKING = "staking"
    PAYMENT = "payment"
    DISPUTE = "dispute"
    REDEMPTION = "redemption"
    INVOICE = "invoice"
    MANUAL = "manual"
    GRANT = "grant"
    RECEIVABLE = "receivable"
    STAKING_SHARE = "staking_share"
    PATRONAGE = "patronage"


BALANCING_ACCOUNT: Final[dict[Purpose, str]] = {
    Purpose.PAYMENT: "2240",
    Purpose.DISPUTE: "1116",
    Purpose.REDEMPTION: "4420",
    Purpose.INVOICE: "4110",
    Purpose.MANUAL: "5930",
    Purpose.GRANT: "5930",
    Purpose.RECEIVABLE: "1310",
    Purpose.STAKING_SHARE: "2230",
    Purpose.PATRONAGE: "2320",
}
# Credits made for one of these come without new cash. A reversal only restores what was owed before.
WITHOUT_CASH: Final = frozenset({Purpose.MANUAL, Purpose.GRANT, Purpose.STAKING_SHARE, Purpose.PATRONAGE})
OUTSTANDING: Final = "2220"
HELD_BY_TECHNE: Final = "1130"


@dataclass(frozen=True, slots=True)
class Movement:
    """One credit transaction about to be booked. Amount is CLOUD, positive; members are ids.

    `entry_key` names the journal entry: movements that share one share a summarised entry.
    """

    type: TransactionType
    amount: Decimal
    purpose: Purpose
    from_member: int | None = None
    to_member: int | None = None
    description: str = ""
    reference: str = ""
    entry_key: str = ""
    reverses: int | None = None
    reversal_part: int | None = None
    # Which memberships may stand on each side; None where operations act whatever the status.
    from_statuses: frozenset[MemberStatus] | None = None
    to_statuses: frozenset[MemberStatus] | None = None

    def admitting(
        self,
        *,
        from_statuses: frozenset[MemberStatus] | None = None,
        to_statuses: frozenset[MemberStatus] | None = None,
    ) -> "Movement":
        """This movement with the memberships that may stand on its sides."""
        return replace(self, from_statuses=from_statuses, to_statuses=to_statuses)

    @property
    def is_lock(self) -> bool:
        """Stakes and unstakes move credits inside one balance."""
        return self.type in {TransactionType.STAKE, TransactionType.UNSTAKE}

    @property
    def is_without_cash(self) -> bool:
        """Whether it makes credits for which no money came in (domain §6: manual, patronage, staking)."""
        return self.outstanding_change > 0 and self.purpose in WITHOUT_CASH and self.reverses is None

    @property
    def outstanding_change(self) -> Decimal:
        """CLOUD the cooperative owes more (positive) or less after this."""
        if self.is_lock:
            return Decimal(0)
        return (self.amount if self.to_member else Decimal(0)) - (self.amount if self.from_member else Decimal(0))


@dataclass(frozen=True, slots=True)
class Holding:
    """One balance at one moment: CLOUD liquid and staked, and the sequence of its last transaction."""

    liquid: Decimal
    staked: Decimal
    sequence: int
    holder: str = "This member"

    def moved(self, *, liquid: Decimal, staked: Decimal) -> "Holding":
        """This holding one transaction later. Raises InsufficientBalance or InsufficientStake."""
        if self.liquid + liquid < 0:
            raise InsufficientBalance(holder=self.holder, available=plain(self.liquid), needed=plain(-liquid))
        if self.staked + staked < 0:
            raise InsufficientStake(holder=self.holder, available=plain(self.staked), needed=plain(-staked))
        return replace(self, liquid=self.liquid + liquid, staked=self.staked + staked, sequence=self.sequence + 1)


@dataclass(frozen=True, slots=True)
class Settled:
    """A movement with both sides' holdings after it; a lock has the same holding on both sides."""

    movement: Movement
    from_after: Holding | None
    to_after: Holding | None


def settle(movements: Sequence[Movement], holdings: Mapping[int, Holding]) -> list[Settled]:
    """Plays the movements in order over the holdings; raises at the first that a holder cannot cover."""
    now = dict(holdings)
    return [_step(movement, now) for movement in movements]


def check_statuses(movements: Sequence[Movement], standing: Mapping[int, tuple[str, str]]) -> None:
    """Each side is in a status its movement allows. `standing` is (status, name) by member id.

    Raises MemberNotActive. Rule: domain §2.
    """
    for movement in movements:
        sides = (
            (movement.from_member, movement.from_statuses),
            (movement.to_member, movement.to_statuses),
        )
        for member, allowed in sides:
            if member is None or allowed is None:
                continue
            status, name = standing[member]
            if status not in allowed:
                raise MemberNotActive(holder=name, status=status)


def _step(movement: Movement, now: dict[int, Holding]) -> Settled:
    amount = movement.amount
    source, target = movement.from_member, movement.to_member
    if movement.is_lock:
        if source is None:
            message = "a stake or unstake has one member on both sides"
            raise ValueError(message)
        sign = -1 if movement.type is TransactionType.STAKE else 1
        now[source] = now[source].moved(liquid=sign * amount, staked=-sign * amount)
        return Settled(movement, now[source], now[source])
    if source is not None:
        now[source] = now[source].moved(liquid=-amount, staked=Decimal(0))
    if target is not None:
        now[target] = now[target].moved(liquid=amount, staked=Decimal(0))
    return Settled(
        movement,
        now[source] if source is not None else None,
        now[target] if target is not None else None,
    )


def posting(movements: Sequence[Movement], *, techne: int) -> list[Line]:
    """Journal lines, in USD, of one or more movements summarised; empty when the books do not change.

    2220 follows what is outstanding and 1130 what techne holds, each at ten dollars a credit; the purpose's
    account takes the rest. So 2220 = 10 × outstanding and 1130 = 10 × techne's balance hold by construction
    (domain §6).
    """
    change: dict[str, Decimal] = {}
    for movement in movements:
        owed = cloud_to_usd(movement.outstanding_change)
        held = cloud_to_usd(_techne_change(movement, techne))
        _add(change, OUTSTANDING, -owed)
        _add(change, HELD_BY_TECHNE, held)
        rest = owed - held
        if rest:
            _add(change, BALANCING_ACCOUNT[movement.purpose], rest)
    return [
        Line.debit(account, amount) if amount > 0 else Line.credit(account, -amount)
        for account, amount in sorted(change.items())
        if amount
    ]


def _techne_change(movement: Movement, techne: int) -> Decimal:
    if movement.is_lock:
        return Decimal(0)
    gained = movement.amount if movement.to_member == techne else Decimal(0)
    lost = movement.amount if movement.from_member == techne else Decimal(0)
    return gained - lost


def members_of(fact: Mapping[str, Any]) -> list[int]:
    """The members whose balances a fact of this floor moved; a batch names each in its `ranges`."""
    named = [fact.get(key) for key in ("member_id", "from_member_id", "to_member_id")]
    named += [part["member_id"] for part in fact.get("ranges") or ()]
    return sorted({member_id for member_id in named if member_id is not None})


def _add(change: dict[str, Decimal], account: str, amount: Decimal) -> None:
    change[account] = change.get(account, Decimal(0)) + amount
