"""A member chooses what to hear and how."""

from collections.abc import Mapping

from django.db import transaction

from habitat.errors import NotAllowed
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.notifications.errors import AlwaysTold
from habitat.notifications.models import Preference
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import type_of


@transaction.atomic
def choose(*, member: Member, wanted: Mapping[tuple[str, Channel], bool], acting: Actor) -> None:
    """Stores a choice for each (type, channel) given; the others stay. Raises NotAllowed, UnknownNotificationType,
    AlwaysTold."""
    if not acting.is_member(member.pk):
        raise NotAllowed(permission="being the member")
    for (code, channel), yes in sorted(wanted.items()):
        kind = type_of(code)
        if not yes and channel in kind.always:
            raise AlwaysTold(title=kind.title, channel=Channel(channel).label.lower(), why=kind.why_always)
    rows = [
        Preference(member=member, type=type_of(code).code, channel=Channel(channel).value, wanted=yes)
        for (code, channel), yes in sorted(wanted.items())
    ]
    Preference.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["member", "type", "channel"], update_fields=["wanted"]
    )
