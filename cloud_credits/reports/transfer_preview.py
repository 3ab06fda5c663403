"""What a transfer would do, before anybody confirms it: the same rules as the action, and nothing written."""

from dataclasses import dataclass
from decimal import Decimal

from cloud_credits.errors import NoCloudIdentity
from cloud_credits.models import CloudBalance
from cloud_credits.policies.movements import Holding, Movement, Purpose, TransactionType, check_statuses, settle
from cloud_credits.policies.transfers import check_sides
from habitat.members.models import Member
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import Money, cloud_to_usd, require_cloud


@dataclass(frozen=True, slots=True)
class TransferPreview:
    """Amounts in CLOUD, `usd` exact in USD."""

    sender: Member
    recipient: Member
    amount: Decimal
    usd: Decimal
    liquid_before: Decimal
    liquid_after: Decimal


def preview(*, sender: Member, recipient: Member, amount: Money) -> TransferPreview:
    """Raises what `actions.transfers.transfer` would raise at this moment; a later change may still refuse it."""
    quantity = require_cloud(amount)
    check_sides(sender=sender, recipient=recipient)
    movement = Movement(
        type=TransactionType.TRANSFER,
        amount=quantity,
        purpose=Purpose.TRANSFER,
        from_member=sender.pk,
        to_member=recipient.pk,
        from_statuses=MAY_TRADE,
        to_statuses=MAY_TRADE,
    )
    sides = (sender, recipient)
    check_statuses([movement], {member.pk: (member.status, member.display_name) for member in sides})
    held = {balance.member_id: balance for balance in CloudBalance.objects.filter(member__in=sides)}
    holdings: dict[int, Holding] = {}
    for member in sides:
        balance = held.get(member.pk)
        if balance is None:
            raise NoCloudIdentity(holder=member.display_name)
        holdings[member.pk] = Holding(balance.liquid, balance.staked, balance.version, member.display_name)
    [settled] = settle([movement], holdings)
    before = holdings[sender.pk].liquid
    after = settled.from_after.liquid if settled.from_after else before
    return TransferPreview(sender, recipient, quantity, cloud_to_usd(quantity), before, after)
