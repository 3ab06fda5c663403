"""Whom to tell of a rate card."""

from cloud_credits.models import RateCard, RateCardBallot, RateCardElector
from cloud_credits.policies.rate_cards import CardState
from habitat.clock import now
from habitat.members.models import Member
from habitat.members.policies.statuses import MemberKind, MemberStatus


def everybody() -> list[int]:
    """Every member with a cloud identity (domain §4, propose), by number; the house's own accounts read nothing."""
    holders = Member.objects.filter(ens_subname__isnull=False).exclude(kind=MemberKind.SYSTEM.value)
    return list(holders.order_by("pk").values_list("pk", flat=True))


def not_voted(*, card_id: int, version: int) -> list[int]:
    """The electors of a card's vote who may cast a ballot and have cast none: a suspended one may not (domain §2);
    nobody once there is no vote to cast it in."""
    voting = RateCard.objects.filter(pk=card_id, version=version, state=CardState.VOTING.value, closes_at__gt=now())
    if not voting.exists():
        return []
    roll = RateCardElector.objects.filter(
        card_id=card_id, version=version, at_opening=True, member__status=MemberStatus.ACTIVE.value
    )
    voted = RateCardBallot.objects.filter(card_id=card_id, elector__version=version).values("elector_id")
    return list(roll.exclude(pk__in=voted).order_by("member_id").values_list("member_id", flat=True))
