"""Roles as groups with explicit permissions: written from the floors' own lists, held by sign-ins."""

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from habitat.members.errors import PermissionUnknown
from habitat.members.models import User
from habitat.members.policies.roles import STAFF, Role


@transaction.atomic
def sync(grants: Mapping[Role, Iterable[str]]) -> None:
    """Make each role's group hold exactly the permissions given (`app.codename`), no more.

    The roof gathers every floor's list and calls this after `migrate`. A role that is not in `grants` is emptied.
    Raises PermissionUnknown when a name fits no permission; nothing changes then.
    """
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    wanted = {role: frozenset(grants.get(role, ())) for role in Role}
    unknown = sorted(frozenset().union(*wanted.values()) - known.keys())
    if unknown:
        raise PermissionUnknown(permissions=", ".join(unknown))
    for role, names in wanted.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set([known[name] for name in names])


def held_roles(user: User) -> frozenset[Role]:
    """The roles a sign-in holds now."""
    names = set(user.groups.values_list("name", flat=True))
    return frozenset(role for role in Role if role.value in names)


def trusted_roles(user: User) -> tuple[Role, ...]:
    """Those of them that open the back office, in the order of the list."""
    held = held_roles(user)
    return tuple(role for role in Role if role in held & STAFF)


def give(user: User, role: Role) -> None:
    """Inside an action that has locked the sign-in."""
    user.groups.add(Group.objects.get(name=role.value))
    _refresh_staff(user)


def take(user: User, role: Role) -> None:
    """Inside an action that has locked the sign-in."""
    user.groups.remove(Group.objects.get(name=role.value))
    _refresh_staff(user)


def _refresh_staff(user: User) -> None:
    is_staff = bool(held_roles(user) & STAFF)
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])
