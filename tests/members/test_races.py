"""People acting at the same moment: one outcome, whoever comes first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from habitat.errors import HabitatError
from habitat.members.actions import members, roles
from habitat.members.models import Member, MemberHistory, User
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[str]:
    start = Barrier(len(acts))

    def one(act: Callable[[], object]) -> str:
        try:
            start.wait()
            act()
        except HabitatError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(one, acts))


def test_administrators__two_cannot_remove_each_other() -> None:
    first, second = people.trusted(Role.ADMIN, "First"), people.trusted(Role.ADMIN, "Second")
    answers = at_once(
        lambda: members.revoke_role(member=first, role=Role.ADMIN, reason="x", acting=SYSTEM),
        lambda: members.revoke_role(member=second, role=Role.ADMIN, reason="x", acting=SYSTEM),
    )
    assert answers == ["done", "last_administrator"]
    assert User.objects.filter(groups__name="admin").count() == 1


def test_suspension__by_eight_people_happens_once() -> None:
    member = people.active()
    act = lambda: members.suspend(member=member, reason="x", acting=SYSTEM)  # noqa: E731 - one act, eight times
    assert at_once(*[act] * 8) == ["done"] + ["member_status_refused"] * 7
    assert Member.objects.get(pk=member.pk).status == "suspended"
    assert MemberHistory.objects.filter(pgh_obj=member, status="suspended").count() == 1


def test_registration__one_address_one_member() -> None:
    before = Member.objects.count()
    answers = at_once(*[lambda: people.pending("Ada", email="ada@example.org")] * 8)
    assert answers == ["done"] + ["email_taken"] * 7
    assert Member.objects.count() == before + 1
    assert roles.held_roles(User.objects.get(email="ada@example.org")) == {Role.MEMBER}
