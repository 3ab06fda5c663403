"""From a signed-in user to the actor that actions are told."""

from django.contrib.auth.models import AnonymousUser

from habitat.members.models import Member, User
from habitat.members.policies.actors import Actor, ActorKind
from habitat.members.policies.statuses import MemberStatus

# Signed in, but nobody's membership, or nobody at all: may do nothing.
NOBODY = Actor(kind=ActorKind.MEMBER, id=0, name="Nobody")


def actor_of(user: User | AnonymousUser) -> Actor:
    """The member behind a sign-in, with the permissions of their roles.

    A member who is not active holds no permission, whatever the groups say; a sign-in without a member is nobody.
    """
    if not isinstance(user, User):
        return NOBODY
    member = Member.objects.filter(user=user).first()
    if member is None:
        return NOBODY
    active = member.status == MemberStatus.ACTIVE and user.is_active
    permissions = frozenset(user.get_all_permissions()) if active else frozenset()
    return Actor(kind=ActorKind.MEMBER, id=member.pk, name=member.display_name, permissions=permissions)
