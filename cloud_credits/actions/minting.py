"""Whether credits may be made now: what every movement that makes them asks of treasury first."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from cloud_credits.policies.movements import Movement, TransactionType
from habitat.members.policies.actors import Actor
from treasury.locks import mint_switch, mint_switch_exclusive
from treasury.reports.backing import mint_allowed


@transaction.atomic(savepoint=False)
def admit(movements: Sequence[Movement], *, acting: Actor) -> None:
    """Takes the mint switch for a batch that makes credits: in share for money that came in, else alone.

    A verb that takes other locks before `movements.apply` calls this first. Raises MintingSuspended, and
    BackingWouldBreak for credits without new cash that would not be covered (domain §6).
    """
    more = sum((movement.amount for movement in movements if movement.is_without_cash), Decimal(0))
    if not more and not any(movement.type is TransactionType.MINT for movement in movements):
        return
    switch = mint_switch_exclusive() if more else mint_switch()
    refusal = mint_allowed(new_cash=not more, amount=more, switch=switch)
    if refusal is not None:
        raise refusal
