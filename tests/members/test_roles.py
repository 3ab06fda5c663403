"""Roles: explicit permissions, who may give them, and what ends them."""

import pytest
from django.contrib.auth.models import Group

from habitat.controls.policies.roles import PERMISSIONS as CONTROLS
from habitat.errors import HabitatError, NotAllowed, ReasonRequired
from habitat.members.actions import members, roles
from habitat.members.errors import (
    EmailInvalid,
    EmailTaken,
    KindNotOpen,
    LastAdministrator,
    NameRequired,
    NoSignIn,
    OwnMembership,
    PermissionUnknown,
    RoleHeld,
    RoleNeedsActiveMember,
    RoleNotHeld,
    RoleUnknown,
)
from habitat.members.models import Member, RoleHistory, User
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import PERMISSIONS, STAFF, Role
from habitat.members.reports.actors import NOBODY, actor_of
from tests.members import people

pytestmark = pytest.mark.django_db

MATRIX = {
    "members.view_member": {Role.STEWARD, Role.OPERATIONS, Role.ADMIN},
    "members.add_member": {Role.OPERATIONS, Role.ADMIN},
    "members.change_member": {Role.OPERATIONS, Role.ADMIN},
    "members.change_status": {Role.OPERATIONS, Role.ADMIN},
    "members.view_user": {Role.OPERATIONS, Role.ADMIN},
    "members.manage_roles": {Role.ADMIN},
    "members.delete_member": set(),
    "auth.view_group": {Role.ADMIN},
    "auth.change_group": set(),
    "controls.view_setting": {Role.STEWARD, Role.OPERATIONS, Role.ADMIN},
    "controls.change_setting": {Role.OPERATIONS, Role.ADMIN},
    "controls.view_approval": {Role.OPERATIONS, Role.ADMIN},
    "controls.view_alert": {Role.STEWARD, Role.OPERATIONS, Role.ADMIN},
    "controls.change_alert": {Role.OPERATIONS, Role.ADMIN},
    "controls.view_servicekey": {Role.OPERATIONS, Role.ADMIN},
    "controls.add_servicekey": {Role.ADMIN},
    "controls.revoke_servicekey": {Role.ADMIN},
}


@pytest.mark.parametrize("role", list(Role))
def test_matrix__each_role_holds_exactly(role: Role) -> None:
    member = people.trusted(role) if role in STAFF else people.active()
    people.sync_roles()
    actor = people.acting_as(member)
    held = {name for name, holders in MATRIX.items() if role in holders}
    assert {name for name in MATRIX if actor.may(name)} == held
    assert actor.permissions == held
    assert User.objects.get(pk=member.user_id).is_staff is (role in STAFF)


def test_matrix__covers_what_these_floors_grant() -> None:
    granted = {name for lists in (PERMISSIONS, CONTROLS) for names in lists.values() for name in names}
    assert granted <= set(MATRIX)


def test_sync__makes_groups_hold_exactly_that() -> None:
    roles.sync({Role.MEMBER: ["members.view_member"], Role.ADMIN: ["members.add_member"]})
    roles.sync({Role.ADMIN: ["members.view_user"]})
    assert not Group.objects.get(name="member").permissions.exists()
    assert [p.codename for p in Group.objects.get(name="admin").permissions.all()] == ["view_user"]


def test_sync__unknown_permission_changes_nothing() -> None:
    roles.sync({Role.ADMIN: ["members.view_user"]})
    with pytest.raises(PermissionUnknown, match=r"members\.fly"):
        roles.sync({Role.ADMIN: ["members.fly"]})
    assert [p.codename for p in Group.objects.get(name="admin").permissions.all()] == ["view_user"]


def test_grant__history_says_who_and_why() -> None:
    administrator, member = people.trusted(Role.ADMIN), people.active()
    members.grant_role(member=member, role="steward", reason="elected", acting=people.acting_as(administrator))
    last = RoleHistory.objects.filter(user_id=member.user_id).first()
    assert last is not None
    assert (last.pgh_label, last.group.name) == ("given", "steward")
    assert (last.pgh_context["actor"], last.pgh_context["reason"]) == (f"member:{administrator.pk}", "elected")


def test_revoke__closes_the_back_office_with_the_last_trusted_role() -> None:
    member = people.trusted(Role.STEWARD)
    members.grant_role(member=member, role=Role.OPERATIONS, reason="also", acting=SYSTEM)
    members.revoke_role(member=member, role=Role.STEWARD, reason="term over", acting=SYSTEM)
    assert User.objects.get(pk=member.user_id).is_staff
    members.revoke_role(member=member, role=Role.OPERATIONS, reason="term over", acting=SYSTEM)
    assert not User.objects.get(pk=member.user_id).is_staff


def test_suspension__takes_trusted_roles_and_says_why() -> None:
    member = people.trusted(Role.OPERATIONS)
    members.suspend(member=member, reason="lost laptop", acting=SYSTEM)
    assert roles.held_roles(member.user) == {Role.MEMBER}
    last = RoleHistory.objects.filter(user_id=member.user_id).first()
    assert last is not None
    assert (last.pgh_label, last.pgh_context["reason"]) == ("taken", "lost laptop")


def test_administrator__the_last_one_stays() -> None:
    only = people.trusted(Role.ADMIN)
    for act in (
        lambda: members.revoke_role(member=only, role=Role.ADMIN, reason="x", acting=SYSTEM),
        lambda: members.suspend(member=only, reason="x", acting=SYSTEM),
    ):
        with pytest.raises(LastAdministrator):
            act()
        assert Member.objects.get(pk=only.pk).status == "active"
        assert Role.ADMIN in roles.held_roles(only.user)
    people.trusted(Role.ADMIN, "Second")
    members.revoke_role(member=only, role=Role.ADMIN, reason="x", acting=SYSTEM)
    assert Role.ADMIN not in roles.held_roles(only.user)


@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        ("unknown", RoleUnknown),
        ("held", RoleHeld),
        ("blank", ReasonRequired),
        ("own", OwnMembership),
        ("pending", RoleNeedsActiveMember),
        ("no sign-in", NoSignIn),
        ("not allowed", NotAllowed),
    ],
)
def test_grant__refusal_changes_nothing(case: str, refusal: type[HabitatError]) -> None:
    administrator, member = people.trusted(Role.ADMIN), people.active()
    given: dict[str, object] = {
        "member": member,
        "role": "steward",
        "reason": "x",
        "acting": people.acting_as(administrator),
    }
    given |= {
        "unknown": {"role": "king"},
        "held": {"role": "member"},
        "blank": {"reason": " "},
        "own": {"member": administrator},
        "pending": {"member": people.pending("Pia")},
        "no sign-in": {"member": people.active("Org", kind="organisation", email=None)},
        "not allowed": {"acting": people.acting_as(people.trusted(Role.OPERATIONS))},
    }[case]
    rows = RoleHistory.objects.count()
    with pytest.raises(refusal):
        members.grant_role(**given)  # type: ignore[arg-type]
    assert RoleHistory.objects.count() == rows


def test_revoke__role_not_held() -> None:
    with pytest.raises(RoleNotHeld):
        members.revoke_role(member=people.active(), role=Role.ADMIN, reason="x", acting=SYSTEM)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"kind": "system"}, KindNotOpen),
        ({"kind": "robot"}, KindNotOpen),
        ({"display_name": " \n"}, NameRequired),
        ({"display_name": "x" * 121}, NameRequired),
        ({"email": "nonsense"}, EmailInvalid),
        ({"email": "Taken@Example.org"}, EmailTaken),
    ],
)
def test_register__refusal_writes_nothing(given: dict[str, str], refusal: type[HabitatError]) -> None:
    people.pending("First", email="taken@example.org")
    before = (Member.objects.count(), User.objects.count())
    with pytest.raises(refusal):
        members.register(
            **{"kind": "person", "display_name": "Ada", "email": "ada@example.org"} | given,  # type: ignore[arg-type]
            acting=SYSTEM,
        )
    assert (Member.objects.count(), User.objects.count()) == before


def test_register__is_pending_and_holds_the_member_role() -> None:
    member = people.pending("Ada", is_investor=True)
    assert (member.status, member.is_investor) == ("pending", True)
    assert roles.held_roles(member.user) == {Role.MEMBER}


def test_actor__who_is_nobody() -> None:
    user = User.objects.build(email="alone@example.org", password=None)
    user.save()
    assert actor_of(user) == NOBODY
    assert not NOBODY.may("members.view_member")
