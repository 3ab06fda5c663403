"""Every row lock of this floor, in one order: members by id, then sign-ins by id, then the administrators' group."""

from django.contrib.auth.models import Group

from habitat.members.models import Member, User


def member(member_id: int) -> Member:
    """The member's row, locked against other changes; foreign keys to it stay free to arrive."""
    return Member.objects.select_for_update(of=("self",), no_key=True).get(pk=member_id)


def user(user_id: int) -> User:
    """The sign-in's row, locked against other changes."""
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)


def role_group(name: str) -> Group:
    """The role's group, so that two people cannot each remove the other as the last holder."""
    return Group.objects.select_for_update(of=("self",), no_key=True).get(name=name)
