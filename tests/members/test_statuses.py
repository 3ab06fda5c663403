"""The life of a membership: every edge, by the verbs and past them."""

import pghistory
import pytest
from django.db import IntegrityError, connection, transaction

from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.actions import members
from habitat.members.errors import OwnMembership, StatusRefused, SystemMemberFixed
from habitat.members.models import Member, MemberHistory
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.members.policies.statuses import EDGES, MemberKind, MemberStatus, SystemAccount
from tests.members import people

pytestmark = pytest.mark.django_db

S = MemberStatus
PATHS: dict[MemberStatus, tuple[str, ...]] = {
    S.PENDING: (),
    S.ACTIVE: ("admit",),
    S.SUSPENDED: ("admit", "suspend"),
    S.INACTIVE: ("admit", "deactivate"),
    S.WITHDRAWN: ("admit", "withdraw"),
    S.EXPELLED: ("admit", "expel"),
}
VERBS = {
    "admit": ({S.PENDING}, S.ACTIVE),
    "suspend": ({S.ACTIVE}, S.SUSPENDED),
    "deactivate": ({S.ACTIVE}, S.INACTIVE),
    "reinstate": ({S.SUSPENDED, S.INACTIVE}, S.ACTIVE),
    "withdraw": ({S.ACTIVE}, S.WITHDRAWN),
    "expel": ({S.ACTIVE}, S.EXPELLED),
}


def member_in(status: MemberStatus) -> Member:
    member = people.pending()
    for verb in PATHS[status]:
        getattr(members, verb)(member=member, reason="to begin with", acting=SYSTEM)
    return Member.objects.get(pk=member.pk)


def status_of(member: Member) -> str:
    return Member.objects.values_list("status", flat=True).get(pk=member.pk)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("source", list(S))
def test_status__by_verb(source: MemberStatus, verb: str) -> None:
    member = member_in(source)
    sources, target = VERBS[verb]
    if source in sources:
        getattr(members, verb)(member=member, reason="why not", acting=SYSTEM)
        assert status_of(member) == target
        return
    rows = MemberHistory.objects.count()
    with pytest.raises(StatusRefused) as refusal:
        getattr(members, verb)(member=member, reason="why not", acting=SYSTEM)
    assert refusal.value.code == "member_status_refused"
    assert status_of(member) == source
    assert MemberHistory.objects.count() == rows


@pytest.mark.parametrize("target", list(S))
@pytest.mark.parametrize("source", list(S))
@pytest.mark.parametrize("way", ["queryset", "sql"])
def test_status__past_the_verbs_follows_the_edges(way: str, source: MemberStatus, target: MemberStatus) -> None:
    member = member_in(source)

    def move() -> None:
        if way == "queryset":
            Member.objects.filter(pk=member.pk).update(status=target)
        else:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE members_member SET status = %s WHERE id = %s", [target.value, member.pk])

    if target in EDGES[source] or target is source:
        move()
        assert status_of(member) == target
        return
    with pytest.raises(IntegrityError, match=f"cannot go from {source.value} to {target.value}"), transaction.atomic():
        move()
    assert status_of(member) == source


@pytest.mark.parametrize("status", [status for status in S if status is not S.PENDING])
def test_status__born_late_is_refused(status: MemberStatus) -> None:
    before = Member.objects.count()
    with pytest.raises(IntegrityError, match=f"cannot be born as {status.value}"), transaction.atomic():
        Member.objects.create(kind="person", display_name="Late", status=status.value)
    assert Member.objects.count() == before


def test_status__unknown_word_is_refused() -> None:
    member = people.active()
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.filter(pk=member.pk).update(status="retired")
    assert status_of(member) == S.ACTIVE


@pytest.mark.parametrize(
    ("column", "value"), [("kind", "organisation"), ("created_at", "2020-01-01T00:00:00Z"), ("system_code", "pool")]
)
def test_member__what_never_changes(column: str, value: str) -> None:
    member = people.active()
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.filter(pk=member.pk).update(**{column: value})
    assert Member.objects.get(pk=member.pk).kind == MemberKind.PERSON


def test_member__sign_in_never_changes_hands() -> None:
    first, second = people.active("Ada"), people.active("Ben")
    with pytest.raises(IntegrityError, match="keeps its sign-in"), transaction.atomic():
        Member.objects.filter(pk=first.pk).update(user=None)
    assert Member.objects.get(pk=first.pk).user_id == first.user_id
    assert Member.objects.get(pk=second.pk).user_id == second.user_id


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_reason__blank_is_refused(reason: str) -> None:
    member = people.active()
    with pytest.raises(ReasonRequired):
        members.suspend(member=member, reason=reason, acting=SYSTEM)
    assert status_of(member) == S.ACTIVE


def test_status__needs_the_permission() -> None:
    member, steward = people.active(), people.trusted(Role.STEWARD)
    with pytest.raises(NotAllowed) as refusal:
        members.suspend(member=member, reason="I say so", acting=people.acting_as(steward))
    assert refusal.value.details == {"permission": "members.change_status"}
    assert status_of(member) == S.ACTIVE


def test_status__nobody_moves_themself() -> None:
    operator = people.trusted(Role.OPERATIONS)
    with pytest.raises(OwnMembership):
        members.deactivate(member=operator, reason="holiday", acting=people.acting_as(operator))
    assert status_of(operator) == S.ACTIVE


@pytest.mark.parametrize("account", list(SystemAccount))
def test_system_members__stand_active_and_stay(account: SystemAccount) -> None:
    member = Member.objects.get(system_code=account.value)
    assert (member.status, member.kind, member.user_id) == ("active", "system", None)
    with pytest.raises(SystemMemberFixed):
        members.suspend(member=member, reason="no", acting=SYSTEM)
    assert status_of(member) == S.ACTIVE


def test_history__who_when_why_of_a_suspension() -> None:
    member, operator = people.active(), people.trusted(Role.OPERATIONS)
    members.suspend(member=member, reason="lost card", acting=people.acting_as(operator))
    last = MemberHistory.objects.filter(pgh_obj=member).first()
    assert last is not None
    assert last.status == "suspended"
    assert last.pgh_context["actor"] == f"member:{operator.pk}"
    assert last.pgh_context["reason"] == "lost card"
    assert last.pgh_created_at is not None


def test_history__one_verbs_reason_does_not_reach_the_next() -> None:
    first, second = people.active("Ada"), people.active("Ben")
    members.suspend(member=first, reason="only Ada's", acting=SYSTEM)
    members.rename(member=second, display_name="Benno", reason="asked for it", acting=SYSTEM)
    last = MemberHistory.objects.filter(pgh_obj=second).first()
    assert last is not None
    assert (last.display_name, last.pgh_context["reason"]) == ("Benno", "asked for it")


def test_history__a_verb_in_a_request_leaves_no_reason_behind() -> None:
    first, second = people.active("Ada"), people.active("Ben")
    with pghistory.context(url="/somewhere/"):
        members.suspend(member=first, reason="only Ada's", acting=SYSTEM)
        Member.objects.filter(pk=second.pk).update(is_investor=True)
    contexts = [MemberHistory.objects.filter(pgh_obj=member)[0].pgh_context for member in (first, second)]
    assert contexts[0] == {
        "url": "/somewhere/",
        "actor": "system:0",
        "actor_name": "Habitat",
        "reason": "only Ada's",
    }
    assert contexts[1] == {"url": "/somewhere/"}
