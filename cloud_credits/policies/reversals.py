"""How a booked transaction is undone: what is taken back, what is given back, and what becomes owed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cloud_credits.errors import NotReversible
from cloud_credits.policies.movements import (
    BALANCING_ACCOUNT,
    Holding,
    Movement,
    Purpose,
    TransactionState,
    TransactionType,
)
from habitat.money import cloud_to_usd
from treasury.policies.journal import Line

NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Undoing:
    """The corrections to book, and what `debtor` owes (CLOUD) because it was already spent.

    `owed_lines` carry the receivable when no correction does: nobody is given those credits back.
    """

    movements: list[Movement]
    owed: Decimal
    debtor: int | None
    owed_lines: list[Line]


def check_reversible(original: Movement, *, transaction_id: int, state: str) -> None:
    """Raises NotReversible and says why."""
    if original.reverses is not None:
        _refuse(transaction_id, "it is itself a reversal; post a correction instead")
    if original.is_lock:
        _refuse(transaction_id, "a stake and its release are undone only by each other")
    if original.type is TransactionType.BURN and original.purpose is Purpose.RECEIVABLE:
        _refuse(transaction_id, "it settled what the member owed")
    if original.purpose in {Purpose.PAYMENT, Purpose.DISPUTE}:
        _refuse(transaction_id, "money of a payment stands behind it; refund the payment instead")
    if state == TransactionState.REVERSED:
        _refuse(transaction_id, "it was already reversed")
    if state != TransactionState.COMPLETED:
        _refuse(transaction_id, f"it is {state}, so nothing has moved")


def undo(
    original: Movement,
    *,
    transaction_id: int,
    state: str,
    holdings: Mapping[int, Holding],
    techne: int,
    why: str,
) -> Undoing:
    """The corrections that undo `original`, given what both sides hold now. Raises NotReversible.

    Liquid credits only are taken back; the rest is owed. Source: domain §3 and the 1310 rows of §6. Techne is the
    cooperative itself: what it no longer holds it does not owe itself, it issues those credits anew to whoever gets
    them back (4110 or 5930 against 2220); and what somebody else spent is not created for it, it is only owed to it
    (1310 against 5930), since credits reach techne by invoices and grants only.
    """
    check_reversible(original, transaction_id=transaction_id, state=state)
    giver, holder = original.from_member, original.to_member
    taken = min(original.amount, holdings[holder].liquid) if holder is not None else Decimal(0)
    owed = original.amount - taken if holder is not None else Decimal(0)
    movements: list[Movement] = []
    if holder is None:
        movements.append(_correction(original, transaction_id, why, part=1, target=giver, amount=original.amount))
    elif taken:
        movements.append(_correction(original, transaction_id, why, part=1, source=holder, target=giver, amount=taken))
    owed_lines: list[Line] = []
    if owed and holder == techne:
        if giver is None:
            _refuse(transaction_id, "techne no longer holds these credits")
        movements.append(_correction(original, transaction_id, why, part=2, target=giver, amount=owed))
        return Undoing(movements=movements, owed=NOTHING, debtor=None, owed_lines=[])
    if owed and giver is not None and giver != techne:
        movements.append(
            _correction(original, transaction_id, why, part=2, target=giver, amount=owed, purpose=Purpose.RECEIVABLE)
        )
    elif owed:
        dollars = cloud_to_usd(owed)
        owed_lines = [
            Line.debit(BALANCING_ACCOUNT[Purpose.RECEIVABLE], dollars),
            Line.credit(BALANCING_ACCOUNT[original.purpose], dollars),
        ]
    return Undoing(movements=movements, owed=owed, debtor=holder if owed else None, owed_lines=owed_lines)


def _correction(
    original: Movement,
    transaction_id: int,
    why: str,
    *,
    part: int,
    amount: Decimal,
    source: int | None = None,
    target: int | None = None,
    purpose: Purpose | None = None,
) -> Movement:
    return Movement(
        type=TransactionType.CORRECTION,
        amount=amount,
        purpose=purpose or original.purpose,
        from_member=source,
        to_member=target,
        description=why,
        reference=f"transaction:{transaction_id}",
        reverses=transaction_id,
        reversal_part=part,
    )


def _refuse(transaction_id: int, why: str) -> None:
    raise NotReversible(transaction=transaction_id, why=why)
