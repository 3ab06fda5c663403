"""Two people decide: never one twice, and what was asked happens once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from habitat.controls.actions import approvals
from habitat.controls.errors import (
    ApprovalKindUnknown,
    ApprovalSettled,
    NotYourRequest,
    PersonNeeded,
    SecondPersonNeeded,
)
from habitat.controls.models import Approval, Setting
from habitat.controls.policies import approvals as policy
from habitat.errors import HabitatError, NotAllowed, ReasonRequired
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db
KIND = "test.change"


@pytest.fixture(autouse=True)
def kind() -> Iterator[list[str]]:
    done: list[str] = []

    def carry_out(*, approval: Approval, acting: Actor) -> None:
        done.append(approval.payload["word"])
        Setting.objects.create(
            key=f"approved.{approval.pk}", value=acting.label, changed_at=approval.requested_at, changed_by=acting.label
        )

    policy.register(KIND, permission="controls.change_setting", title="Change something")
    approvals.on_granted(KIND, carry_out)
    yield done
    policy._KINDS.pop(KIND)
    approvals._ON_GRANTED.pop(KIND)


def ask(acting: Actor) -> Approval:
    return approvals.request(kind=KIND, subject="a thing", payload={"word": "go"}, reason="needed", acting=acting)


def operator(name: str = "Olga") -> Actor:
    return people.acting_as(people.trusted(Role.OPERATIONS, name))


def test_grant__second_person_and_it_happens_once(kind: list[str]) -> None:
    first, second = operator(), operator("Otto")
    approval = ask(first)
    approvals.grant(approval=approval, reason="checked", acting=second)
    row = Approval.objects.get(pk=approval.pk)
    assert (row.state, row.requested_by, row.decided_by, row.decision_reason) == (
        "granted",
        first.label,
        second.label,
        "checked",
    )
    assert row.decided_at is not None
    assert kind == ["go"]
    with pytest.raises(ApprovalSettled):
        approvals.grant(approval=approval, reason="again", acting=operator("Ora"))
    assert kind == ["go"]
    assert Setting.objects.count() == 1


@pytest.mark.parametrize("verb", ["grant", "refuse"])
def test_decision__same_person_is_refused(verb: str, kind: list[str]) -> None:
    acting = operator()
    approval = ask(acting)
    with pytest.raises(SecondPersonNeeded):
        getattr(approvals, verb)(approval=approval, reason="mine", acting=acting)
    assert Approval.objects.get(pk=approval.pk).state == "requested"
    assert kind == []


@pytest.mark.parametrize("verb", ["grant", "refuse"])
@pytest.mark.parametrize(
    "program",
    [SYSTEM, Actor(kind=ActorKind.SERVICE, id=7, name="bot", permissions=frozenset({"controls.change_setting"}))],
)
def test_decision__program_is_refused(verb: str, program: Actor, kind: list[str]) -> None:
    approval = ask(operator())
    with pytest.raises(PersonNeeded):
        getattr(approvals, verb)(approval=approval, reason="auto", acting=program)
    assert Approval.objects.get(pk=approval.pk).state == "requested"
    assert kind == []


def test_decision__needs_the_kinds_permission(kind: list[str]) -> None:
    approval = ask(operator())
    with pytest.raises(NotAllowed):
        approvals.grant(approval=approval, reason="x", acting=people.acting_as(people.trusted(Role.STEWARD, "Stu")))
    assert kind == []


@pytest.mark.parametrize("verb", ["grant", "refuse"])
def test_decision__by_somebody_suspended_since_they_came_in_is_refused(verb: str, kind: list[str]) -> None:
    approval, second = ask(operator()), people.trusted(Role.OPERATIONS, "Otto")
    came_in = people.acting_as(second)
    members.suspend(member=second, reason="while it waited", acting=SYSTEM)
    with pytest.raises(NotAllowed):
        getattr(approvals, verb)(approval=approval, reason="checked", acting=came_in)
    assert Approval.objects.get(pk=approval.pk).state == "requested"
    assert kind == []


def test_refuse__nothing_happens_and_it_stays_refused(kind: list[str]) -> None:
    approval = ask(operator())
    approvals.refuse(approval=approval, reason="too much", acting=operator("Otto"))
    with pytest.raises(ApprovalSettled):
        approvals.grant(approval=approval, reason="after all", acting=operator("Otto"))
    assert Approval.objects.get(pk=approval.pk).state == "refused"
    assert kind == []


def test_withdraw__only_by_whoever_asked() -> None:
    first = operator()
    approval = ask(first)
    with pytest.raises(NotYourRequest):
        approvals.withdraw(approval=approval, reason="x", acting=operator("Otto"))
    approvals.withdraw(approval=approval, reason="changed my mind", acting=first)
    assert Approval.objects.get(pk=approval.pk).state == "withdrawn"


def test_grant__failing_verb_leaves_the_request_open() -> None:
    def fail(*, approval: Approval, acting: Actor) -> None:
        Setting.objects.create(key="half", value="done", changed_at=approval.requested_at, changed_by="x")
        raise ReasonRequired

    approvals.on_granted(KIND, fail)
    approval = ask(operator())
    with pytest.raises(ReasonRequired):
        approvals.grant(approval=approval, reason="x", acting=operator("Otto"))
    assert Approval.objects.get(pk=approval.pk).state == "requested"
    assert not Setting.objects.filter(key="half").exists()


def test_request__unknown_kind_and_blank_reason_write_nothing() -> None:
    with pytest.raises(ApprovalKindUnknown):
        approvals.request(kind="nobody.knows", subject="", payload={}, reason="x", acting=SYSTEM)
    with pytest.raises(ReasonRequired):
        approvals.request(kind=KIND, subject="", payload={}, reason=" ", acting=SYSTEM)
    assert not Approval.objects.exists()


@pytest.mark.parametrize(
    "assignments",
    [
        "state = 'granted', decided_by = requested_by, decided_at = now()",
        "state = 'granted'",
        "payload = '{}'",
        "requested_by = 'member:1'",
        "reason = 'other'",
    ],
)
def test_approval__past_the_verbs_is_refused(assignments: str) -> None:
    approval = ask(operator())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE controls_approval SET {assignments} WHERE id = %s", [approval.pk])
    assert Approval.objects.get(pk=approval.pk).state == "requested"


def test_approval__settled_is_settled() -> None:
    approval = ask(operator())
    approvals.refuse(approval=approval, reason="no", acting=operator("Otto"))
    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(decision_reason="yes")


def test_approval__born_granted_is_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(
            kind=KIND, subject="s", reason="r", requested_by="a", decided_by="b", state="granted",
            decided_at="2026-01-01T00:00:00Z",
        )  # fmt: skip
    assert not Approval.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_grant__at_once_by_eight_people_happens_once(kind: list[str]) -> None:
    approval = ask(operator())
    others = [operator(f"Otto{number}") for number in range(8)]

    def decide(acting: Actor) -> str:
        try:
            approvals.grant(approval=approval, reason="me too", acting=acting)
        except HabitatError as error:
            return error.code
        finally:
            connection.close()
        return "granted"

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(decide, others))
    assert answers == ["approval_settled"] * 7 + ["granted"]
    assert kind == ["go"]
    assert Setting.objects.count() == 1
