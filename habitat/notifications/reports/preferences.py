"""What a member wants to hear, and how: their choices over the defaults, and over both what always reaches them."""

from collections.abc import Iterable
from dataclasses import dataclass

from habitat.notifications.models import Preference
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import NotificationType, types


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind of notice and whether it comes by each channel."""

    type: NotificationType
    wanted: dict[Channel, bool]


def choices(member_id: int) -> list[Choice]:
    """Every kind, by title, with what holds for the member."""
    chosen = {(row.type, Channel(row.channel)): row.wanted for row in Preference.objects.filter(member_id=member_id)}
    return [
        Choice(kind, {channel: kind.goes_by(channel, chosen.get((kind.code, channel))) for channel in Channel})
        for kind in types()
    ]


def channels(member_id: int, kind: NotificationType) -> set[Channel]:
    """The channels by which notices of this kind reach the member."""
    chosen = {
        Channel(row.channel): row.wanted for row in Preference.objects.filter(member_id=member_id, type=kind.code)
    }
    return {channel for channel in Channel if kind.goes_by(channel, chosen.get(channel))}


def channels_of_many(member_ids: Iterable[int], kind: NotificationType) -> dict[int, set[Channel]]:
    """The same for many members, in one read."""
    chosen = {
        (member_id, Channel(channel)): wanted
        for member_id, channel, wanted in Preference.objects.filter(
            member_id__in=member_ids, type=kind.code
        ).values_list("member_id", "channel", "wanted")
    }
    return {
        member_id: {channel for channel in Channel if kind.goes_by(channel, chosen.get((member_id, channel)))}
        for member_id in member_ids
    }
