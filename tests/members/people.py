"""People for tests, made through the same actions as everybody."""

from itertools import count

from django.contrib.auth.models import Permission

from habitat.members.actions import members, roles
from habitat.members.models import Member, User
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.roles import Role
from habitat.members.reports.actors import actor_of

PASSWORD = "correct horse battery staple"
_numbers = count(1)


def pending(name: str = "Ada", **fields: object) -> Member:
    """A registered member with a sign-in of their own."""
    email = f"{name.lower()}{next(_numbers)}@example.org"
    chosen = {"kind": "person", "display_name": name, "email": email, "password": PASSWORD} | fields
    return members.register(**chosen, acting=SYSTEM)  # type: ignore[arg-type]


def active(name: str = "Ada", **fields: object) -> Member:
    return members.admit(member=pending(name, **fields), reason="accepted", acting=SYSTEM)


def trusted(role: Role, name: str = "Olga") -> Member:
    """An active member with a role, whose permissions are this floor's and the controls'."""
    sync_roles()
    member = active(name)
    members.grant_role(member=member, role=role, reason="elected", acting=SYSTEM)
    return Member.objects.get(pk=member.pk)


def acting_as(member: Member) -> Actor:
    """The actor behind a member, read afresh."""
    return actor_of(User.objects.get(pk=member.user_id))


def sync_roles() -> None:
    """Give the groups the permissions of the floors that these tests are about."""
    from habitat.controls.policies.roles import PERMISSIONS as CONTROLS
    from habitat.members.policies.roles import PERMISSIONS as MEMBERS

    if not Permission.objects.filter(group__name=Role.ADMIN.value).exists():
        roles.sync({role: (*MEMBERS[role], *CONTROLS[role]) for role in Role})
