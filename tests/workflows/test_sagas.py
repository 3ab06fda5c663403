"""The saga engine: what comes next, what is kept of each outcome, what people may do, and what the database refuses."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from habitat.controls.models import Alert
from habitat.errors import IdempotencyConflict, NotAllowed, ReasonRequired
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.workflows.actions import sagas
from habitat.workflows.errors import (
    AlreadyCalled,
    AlreadyTurning,
    ExecutionEnded,
    InsideTransaction,
    NothingToRetry,
    PastPivot,
    StepRefused,
    UnknownExecution,
    UnknownSaga,
)
from habitat.workflows.models import Execution, Step
from habitat.workflows.policies.sagas import (
    CALL_TIMEOUT,
    LEASE,
    Direction,
    Next,
    SagaDefinition,
    SagaStep,
    StepSeen,
    next_step,
    register,
)
from habitat.workflows.policies.states import EXECUTION_EDGES, STEP_EDGES, ExecutionState, Heading, StepState
from habitat.workflows.reports.proofs import PROOFS
from habitat.workflows.workflows.sagas import advance
from tests.workflows.toy import CAKE, STEPS, Bakery, known, tallies

pytestmark = pytest.mark.django_db

OLGA = Actor(
    ActorKind.MEMBER,
    3,
    "Olga",
    frozenset({sagas.RETRY, sagas.SIGNAL, sagas.COMPENSATE, sagas.CANCEL}),
)
ANNA = Actor(ActorKind.MEMBER, 7, "Anna")
FORWARD = ["note", "order", "taste", "pay", "fetch", "eat"]


@pytest.fixture(autouse=True)
def cake() -> Iterator[None]:
    with known(CAKE):
        yield


@pytest.fixture
def bakery(tmp_path) -> Bakery:
    return Bakery(tmp_path)


def begin(bakery: Bakery, key: str = "1", **more) -> Execution:
    given = {"home": str(bakery.file.parent), "cake": "plum", **more}
    return sagas.start(saga="cake", key=key, input=given, acting=SYSTEM)


def tell(key: str = "1", name: str = "baked", **payload) -> Execution:
    return sagas.signal(saga="cake", key=key, name=name, payload=payload, acting=SYSTEM)


def make_due() -> None:
    """As if the pause, or the lease, were over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_execution SET due_at = now() - interval '1 s' WHERE state IN ('running', 'compensating')"
        )


def again(execution: Execution) -> Execution:
    make_due()
    return advance(execution.pk)


def standing(execution: Execution) -> tuple[str, str]:
    found = Execution.objects.get(pk=execution.pk)
    return found.state, found.heading


def steps_of(execution: Execution) -> list[tuple[str, str, str, int]]:
    return list(execution.steps.values_list("name", "direction", "state", "attempts"))


def acts(bakery: Bakery) -> list[str]:
    return [entry["act"] for entry in bakery.log()]


def broken_proofs() -> list[str]:
    return [found.message for proof in PROOFS if not (found := proof.run()).ok]


# --- the way forward


def test_saga__runs_to_its_signal_and_then_to_its_end(bakery) -> None:
    execution = advance(begin(bakery).pk)
    assert (execution.state, execution.waiting_for, execution.lease_until) == ("waiting", "baked", None)
    assert acts(bakery) == ["order", "taste", "pay"]
    tell(at="noon")
    execution = advance(execution.pk)
    assert standing(execution) == ("completed", "forward")
    assert execution.finished_at is not None
    assert steps_of(execution) == [(name, "forward", "recorded", 1) for name in FORWARD]
    assert tallies() == {"eat": 1, "fetch": 1, "note": 1, "order": 1, "pay": 1}
    assert execution.steps.get(name="fetch").output == {"receipt": "fetch-plum", "signal": {"at": "noon"}}
    assert execution.steps.get(name="fetch").input["outputs"]["pay"] == {"receipt": "pay-plum"}
    assert acts(bakery) == ["order", "taste", "pay", "fetch"]
    assert broken_proofs() == []


def test_queue__drains_what_is_due(bakery) -> None:
    first, second = begin(bakery), begin(bakery, key="2")
    assert queue.drain("sagas") == 8
    assert {standing(first), standing(second)} == {("waiting", "forward")}


def test_start__is_once_a_key_and_input(bakery) -> None:
    execution = begin(bakery)
    assert begin(bakery) == execution
    with pytest.raises(IdempotencyConflict):
        begin(bakery, cake="nut")
    assert Execution.objects.count() == 1
    with pytest.raises(UnknownSaga, match=r"No saga is called pie in version 0\."):
        sagas.start(saga="pie", key="1", input={}, acting=SYSTEM)


def test_advance__inside_a_transaction_is_refused(bakery) -> None:
    execution = begin(bakery)
    with transaction.atomic(), pytest.raises(InsideTransaction):
        advance(execution.pk)
    assert acts(bakery) == []


def test_signal__early_is_kept_and_sent_twice_counts_once(bakery) -> None:
    execution = begin(bakery)
    tell(at="noon")
    tell(at="midnight")
    execution = advance(execution.pk)
    assert execution.state == "completed"
    assert execution.signals == {"baked": {"at": "noon"}}
    assert tell(at="later").signals == {"baked": {"at": "noon"}}


def test_signal__of_another_name_wakes_nobody(bakery) -> None:
    execution = advance(begin(bakery).pk)
    tell(name="burned")
    assert standing(execution)[0] == "waiting"
    with pytest.raises(UnknownExecution):
        tell(key="99")


# --- unknown outcomes


@pytest.mark.parametrize("fault", ["lost", "down"])
def test_unknown_outcome__is_tried_again_with_the_same_key_and_never_compensates(bakery, fault) -> None:
    bakery.goes_wrong("order", fault, fault)
    execution = advance(begin(bakery).pk)
    assert standing(execution) == ("running", "forward")
    assert execution.lease_until is None
    row = execution.steps.get(name="order")
    assert (row.state, row.attempts, row.error, row.output) == ("calling", 1, f"Lost: {fault}", None)
    assert advance(execution.pk).steps.get(name="order").attempts == 1  # it pauses
    again(execution)
    execution = again(execution)
    assert execution.state == "waiting"
    assert {key for act, key in bakery.asked() if act == "order"} == {"cake:1:order:forward"}
    assert acts(bakery) == ["order", "taste", "pay"]
    assert execution.error == ""


def test_last_attempt__is_stuck_and_alerts_until_it_ends(bakery) -> None:
    bakery.goes_wrong("taste", *["down"] * 12)
    execution = begin(bakery)
    for _ in range(12):
        again(execution)
    assert standing(execution) == ("stuck", "forward")
    alert = Alert.objects.get(code="saga_stuck")
    assert (alert.state, alert.cause) == ("open", f"execution:{execution.pk}")
    assert again(execution).state == "stuck"
    with pytest.raises(ReasonRequired):
        sagas.retry(execution=execution, reason=" ", acting=OLGA)
    with pytest.raises(NotAllowed):
        sagas.retry(execution=execution, reason="the baker is back", acting=ANNA)
    assert standing(execution)[0] == "stuck"
    sagas.retry(execution=execution, reason="the baker is back", acting=OLGA)
    assert advance(execution.pk).state == "waiting"
    assert Alert.objects.get(pk=alert.pk).state == "open"
    tell()
    advance(execution.pk)
    assert Alert.objects.get(pk=alert.pk).state == "resolved"
    assert {key for act, key in bakery.asked() if act == "taste"} == {"cake:1:taste:forward"}


def test_not_yet__counts_no_attempt(bakery) -> None:
    bakery.goes_wrong("taste", *["not_yet"] * 15)
    execution = begin(bakery)
    for _ in range(15):
        again(execution)
    row = execution.steps.get(name="taste")
    assert (row.state, row.attempts, row.error) == ("calling", 0, "")
    wait = Execution.objects.get(pk=execution.pk).due_at
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s - clock_timestamp() BETWEEN interval '4 minutes' AND interval '5 minutes'", [wait])
        assert cursor.fetchone() == (True,)
    assert again(execution).state == "waiting"


@pytest.mark.parametrize(("fault", "asked"), [("lost", ["order", "find"]), ("down", ["order", "find", "order"])])
def test_after_a_day__the_step_looks_before_it_asks_again(bakery, fault, asked) -> None:
    bakery.goes_wrong("order", fault)
    execution = advance(begin(bakery).pk)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_step SET first_called_at = now() - interval '24 hours 1 second' WHERE name = 'order'"
        )
    execution = again(execution)
    assert execution.state == "waiting"
    assert [act for act, key in bakery.asked() if key == "cake:1:order:forward"] == asked
    assert acts(bakery) == ["order", "taste", "pay"]


def test_within_the_day__the_step_asks_again_without_looking(bakery) -> None:
    bakery.goes_wrong("order", "lost")
    execution = advance(begin(bakery).pk)
    again(execution)
    assert [act for act, key in bakery.asked() if key == "cake:1:order:forward"] == ["order", "order"]


def test_record_that_breaks__leaves_nothing_and_is_tried_again(bakery) -> None:
    execution = advance(begin(bakery, breaks="note").pk)
    row = execution.steps.get()
    assert (row.state, row.attempts, row.error) == ("recording", 1, "RuntimeError: note broke")
    assert tallies() == {}


# --- the way back


def test_refused_before_the_pivot__undoes_what_was_recorded_last_first(bakery) -> None:
    bakery.goes_wrong("pay", "refuse")
    execution = advance(begin(bakery).pk)
    assert standing(execution) == ("compensated", "backward")
    assert steps_of(execution) == [
        ("note", "forward", "recorded", 1),
        ("order", "forward", "recorded", 1),
        ("taste", "forward", "recorded", 1),
        ("pay", "forward", "refused", 1),
        ("order", "backward", "recorded", 1),
        ("note", "backward", "recorded", 1),
    ]
    assert acts(bakery) == ["order", "taste", "unorder"]
    assert tallies() == {"note": 1, "order": 1, "unnote": 1, "unorder": 1}
    assert broken_proofs() == []


def test_refused_first_step__ends_with_nothing_to_undo(bakery) -> None:
    execution = advance(begin(bakery, refuses="note").pk)
    assert standing(execution) == ("compensated", "backward")
    assert tallies() == {}
    assert acts(bakery) == []


def test_record_refused_after_the_call__undoes_what_the_call_did(bakery) -> None:
    execution = advance(begin(bakery, refuses="order").pk)
    assert standing(execution) == ("compensated", "backward")
    assert acts(bakery) == ["order", "unorder"]
    assert execution.steps.get(name="order", direction="forward").output == {"receipt": "order-plum"}
    assert broken_proofs() == []


@pytest.mark.parametrize("more", [{}, {"refuses": "pay"}])
def test_refused_after_the_pivot__is_stuck(bakery, more) -> None:
    bakery.goes_wrong("fetch", "refuse")
    tell_first = begin(bakery, **more)
    tell()
    execution = advance(tell_first.pk)
    assert standing(execution) == ("stuck", "forward")
    assert "unorder" not in acts(bakery)
    with pytest.raises(PastPivot):
        sagas.compensate(execution=execution, reason="no cake", acting=OLGA)
    assert standing(execution) == ("stuck", "forward")


def test_retry_of_what_was_refused__asks_under_a_new_key(bakery) -> None:
    bakery.goes_wrong("fetch", "refuse")
    begin(bakery)
    tell()
    execution = advance(Execution.objects.get().pk)
    sagas.retry(execution=execution, reason="they changed their mind", acting=OLGA)
    assert advance(execution.pk).state == "completed"
    keys = [key for act, key in bakery.asked() if act == "fetch"]
    assert keys == ["cake:1:fetch:forward", "cake:1:fetch:forward:2"]
    assert acts(bakery).count("fetch") == 1


def test_undo_that_is_refused__is_stuck_on_its_way_back(bakery) -> None:
    bakery.goes_wrong("pay", "refuse")
    bakery.goes_wrong("unorder", "refuse")
    execution = advance(begin(bakery).pk)
    assert standing(execution) == ("stuck", "backward")
    sagas.retry(execution=execution, reason="talked to them", acting=OLGA)
    assert standing(execution) == ("compensating", "backward")
    assert standing(advance(execution.pk)) == ("compensated", "backward")
    assert execution.steps.get(name="pay").state == "refused"
    assert broken_proofs() == []


def test_undo_with_an_unknown_outcome__is_tried_again_with_the_same_key(bakery) -> None:
    bakery.goes_wrong("pay", "refuse")
    bakery.goes_wrong("unorder", "lost")
    execution = advance(begin(bakery).pk)
    assert standing(execution) == ("compensating", "backward")
    assert again(execution).state == "compensated"
    assert [key for act, key in bakery.asked() if act == "unorder"] == ["cake:1:order:backward"] * 2
    assert acts(bakery) == ["order", "taste", "unorder"]


# --- what people do


def test_compensate__first_learns_what_the_call_did(bakery) -> None:
    bakery.goes_wrong("taste", "lost")
    execution = advance(begin(bakery).pk)
    sagas.compensate(execution=execution, reason="guests cancelled", acting=OLGA)
    assert standing(execution) == ("running", "turning")
    with pytest.raises(AlreadyTurning):
        sagas.compensate(execution=execution, reason="again", acting=OLGA)
    execution = advance(execution.pk)
    assert standing(execution) == ("compensated", "backward")
    assert execution.steps.get(name="taste").state == "recorded"
    assert acts(bakery) == ["order", "taste", "unorder"]


def test_compensate__of_what_is_stuck_before_the_pivot(bakery) -> None:
    bakery.goes_wrong("taste", *["down"] * 12)
    execution = begin(bakery)
    for _ in range(12):
        again(execution)
    sagas.compensate(execution=execution, reason="guests cancelled", acting=OLGA)
    assert standing(advance(execution.pk)) == ("compensated", "backward")
    assert acts(bakery) == ["order", "taste", "unorder"]
    assert Alert.objects.get(code="saga_stuck").state == "resolved"


@pytest.mark.parametrize("fault", ["lost", "down"])
def test_compensate__while_the_pivot_is_unknown_is_refused(bakery, fault) -> None:
    bakery.goes_wrong("pay", fault)
    execution = advance(begin(bakery).pk)
    with pytest.raises(PastPivot, match="cake 1 went through pay, or may have"):
        sagas.compensate(execution=execution, reason="guests cancelled", acting=OLGA)
    assert standing(execution) == ("running", "forward")


def test_compensate__from_waiting() -> None:
    steps = (SagaStep("a", undo_record=lambda *_: None), SagaStep("b", waits_for="go"))
    with known(SagaDefinition("ab", 1, "AB", "", steps)):
        execution = advance(sagas.start(saga="ab", key="1", input={}, acting=SYSTEM).pk)
        assert execution.state == "waiting"
        sagas.compensate(execution=execution, reason="no", acting=OLGA)
        assert standing(advance(execution.pk)) == ("compensated", "backward")


def test_cancel__only_before_anything_began(bakery) -> None:
    execution = begin(bakery)
    with pytest.raises(NotAllowed):
        sagas.cancel(execution=execution, reason="no guests", acting=ANNA)
    sagas.cancel(execution=execution, reason="no guests", acting=OLGA)
    assert again(execution).state == "cancelled"
    assert acts(bakery) == []
    with pytest.raises(ExecutionEnded):
        sagas.retry(execution=execution, reason="guests", acting=OLGA)
    begun = advance(begin(bakery, key="2").pk)
    with pytest.raises(AlreadyCalled):
        sagas.cancel(execution=begun, reason="no guests", acting=OLGA)
    assert standing(begun)[0] == "waiting"
    with pytest.raises(NothingToRetry):
        sagas.retry(execution=begun, reason="now", acting=OLGA)
    assert broken_proofs() == []


def test_signal_by_hand__needs_right_and_reason(bakery) -> None:
    execution = advance(begin(bakery).pk)
    told = {"execution": execution, "name": "baked", "payload": {}}
    with pytest.raises(NotAllowed):
        sagas.signal_by_hand(**told, reason="smells so", acting=ANNA)
    with pytest.raises(ReasonRequired):
        sagas.signal_by_hand(**told, reason="", acting=OLGA)
    assert standing(execution)[0] == "waiting"
    sagas.signal_by_hand(**told, reason="smells so", acting=OLGA)
    assert advance(execution.pk).state == "completed"


# --- versions


def test_version__an_execution_keeps_its_steps_when_a_newer_one_comes(bakery) -> None:
    old = begin(bakery)
    newer = SagaDefinition("cake", 2, "A cake", "", (SagaStep("eat"),))
    with known(newer):
        assert begin(bakery, key="2").version == 2
        assert advance(old.pk).state == "waiting"
        assert [row.name for row in old.steps.all()] == FORWARD[:4]


def test_version__unknown_is_stuck_with_a_clear_error(bakery) -> None:
    gone = SagaDefinition("cake", 2, "A cake", "", STEPS)
    with known(gone):
        execution = begin(bakery)
    execution = advance(execution.pk)
    assert (execution.state, execution.error) == ("stuck", "No saga is called cake in version 2.")
    assert Alert.objects.filter(code="saga_stuck", state="open").count() == 1
    sagas.cancel(execution=execution, reason="no such cake", acting=OLGA)
    assert not Alert.objects.filter(state="open").exists()


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (SagaStep("a"), SagaStep("a")),
        (SagaStep("a", pivot=True), SagaStep("b", pivot=True)),
        (SagaStep("a/b"),),
    ],
)
def test_definition__that_cannot_run_is_refused(steps) -> None:
    with pytest.raises(ValueError, match="odd"):
        register(SagaDefinition("odd", 1, "Odd", "", steps))


# --- the rule alone

R, C, N, X = StepState.RECORDED, StepState.CALLING, StepState.RECORDING, StepState.REFUSED
ABC = SagaDefinition(
    "abc",
    1,
    "ABC",
    "",
    (
        SagaStep("a", undo_record=lambda *_: None),
        SagaStep("b", call=lambda _: {}, undo_call=lambda _: {}),
        SagaStep("p", call=lambda _: {}, pivot=True),
        SagaStep("w", waits_for="go"),
    ),
)


@pytest.mark.parametrize(
    ("heading", "forward", "backward", "signals", "expected"),
    [
        ("forward", {}, {}, {}, ("run", "a", "forward")),
        ("forward", {"a": R}, {}, {}, ("run", "b", "forward")),
        ("forward", {"a": R, "b": C}, {}, {}, ("run", "b", "forward")),
        ("forward", {"a": R, "b": R, "p": R}, {}, {}, ("wait", "w", "forward")),
        ("forward", {"a": R, "b": R, "p": R}, {}, {"go": {}}, ("run", "w", "forward")),
        ("forward", {"a": R, "b": R, "p": R, "w": R}, {}, {}, ("complete", None, "forward")),
        ("turning", {"a": R}, {}, {}, ("turn_back", None, "forward")),
        ("turning", {"a": R, "b": C}, {}, {}, ("run", "b", "forward")),
        ("turning", {"a": N}, {}, {}, ("turn_back", None, "forward")),
        ("turning", {"a": R, "b": R, "p": R}, {}, {}, ("wait", "w", "forward")),
        ("backward", {"a": R, "b": R, "p": X}, {}, {}, ("run", "b", "backward")),
        ("backward", {"a": R, "b": R}, {"b": C}, {}, ("run", "b", "backward")),
        ("backward", {"a": R, "b": R}, {"b": R}, {}, ("run", "a", "backward")),
        ("backward", {"a": R, "b": X}, {}, {}, ("run", "a", "backward")),
        ("backward", {"a": R, "b": R}, {"a": R, "b": R}, {}, ("compensated", None, "forward")),
        ("backward", {}, {}, {}, ("compensated", None, "forward")),
    ],
)
def test_next_step__from_the_rows_alone(heading, forward, backward, signals, expected) -> None:
    seen = {(name, Direction.FORWARD): StepSeen(state) for name, state in forward.items()}
    seen |= {(name, Direction.BACKWARD): StepSeen(state) for name, state in backward.items()}
    state = ExecutionState.COMPENSATING if heading == "backward" else ExecutionState.RUNNING
    decision = next_step(ABC, state=state, heading=Heading(heading), seen=seen, signals=signals)
    assert (decision.next, decision.step and decision.step.name, decision.direction) == (
        Next(expected[0]),
        expected[1],
        Direction(expected[2]),
    )


def test_next_step__undoes_a_refused_step_whose_call_had_its_effect() -> None:
    seen = {("b", Direction.FORWARD): StepSeen(X, effect_outside=True)}
    decision = next_step(ABC, state=ExecutionState.COMPENSATING, heading=Heading.BACKWARD, seen=seen, signals={})
    assert decision.step is not None
    assert (decision.next, decision.step.name) == (Next.RUN, "b")


def test_call__must_be_over_before_half_of_the_lease() -> None:
    assert timedelta(seconds=CALL_TIMEOUT) < LEASE / 2


# --- what the database refuses

ATTACKS = [
    "UPDATE workflows_execution SET state = 'completed', finished_at = now() WHERE key = '1'",
    "UPDATE workflows_execution SET state = 'running', finished_at = NULL WHERE key = 'done'",
    "UPDATE workflows_execution SET error = 'x' WHERE key = 'done'",
    "UPDATE workflows_execution SET fence = fence - 1 WHERE key = '1'",
    "UPDATE workflows_execution SET signals = '{}' WHERE key = 'done'",
    "UPDATE workflows_execution SET decisions = '[]' WHERE key = '1'",
    "UPDATE workflows_execution SET decisions = '[{\"reason\": \"prettier\"}]' WHERE key = '1'",
    "UPDATE workflows_execution SET input = '{}'",
    "UPDATE workflows_execution SET version = 2",
    "UPDATE workflows_execution SET waiting_for = '' WHERE key = '1'",
    "DELETE FROM workflows_execution",
    "TRUNCATE workflows_execution CASCADE",
    "INSERT INTO workflows_execution (saga, version, key, input, signals, acting) SELECT saga, version, key, input,"
    " signals, acting FROM workflows_execution",
    "INSERT INTO workflows_execution (saga, version, key, input, signals, acting, state, finished_at)"
    " VALUES ('cake', 1, 'x', '{}', '{}', 'system:0', 'completed', now())",
    "UPDATE workflows_step SET output = '{}'",
    "UPDATE workflows_step SET state = 'calling', recorded_at = NULL",
    "UPDATE workflows_step SET key = 'other'",
    "UPDATE workflows_step SET attempts = 0",
    "UPDATE workflows_step SET name = 'other'",
    "UPDATE workflows_step SET input = '{}'",
    "DELETE FROM workflows_step",
    "TRUNCATE workflows_step",
    "INSERT INTO workflows_step (execution_id, name, direction, state, key, input, output, recorded_at)"
    " SELECT id, 'eat', 'backward', 'recorded', 'k', '{}', '{}', now() FROM workflows_execution",
    "INSERT INTO workflows_step (execution_id, name, direction, state, key, input)"
    " SELECT execution_id, name, direction, 'calling', 'k', '{}' FROM workflows_step LIMIT 1",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_guard__refuses(bakery, attack: str) -> None:
    execution = begin(bakery)
    begin(bakery, key="done")
    tell(key="done")
    sagas.retry(execution=execution, reason="at once", acting=OLGA)
    queue.drain("sagas")
    assert set(Execution.objects.values_list("state", flat=True)) == {"waiting", "completed"}
    before = list(Execution.objects.values()), list(Step.objects.values())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)
    assert (list(Execution.objects.values()), list(Step.objects.values())) == before


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.django_db(transaction=True)
def test_guard__refuses_the_owner_too(bakery, attack: str, owner_connection) -> None:
    execution = begin(bakery)
    begin(bakery, key="done")
    tell(key="done")
    sagas.retry(execution=execution, reason="at once", acting=OLGA)
    queue.drain("sagas")
    with pytest.raises(Exception, match=r"\w"):
        owner_connection.execute(attack)


def test_edges__are_those_of_the_trigger() -> None:
    with connection.cursor() as cursor:
        for trigger, edges in (("workflows_execution_state", EXECUTION_EDGES), ("workflows_step_state", STEP_EDGES)):
            cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [trigger])
            written = {f"{before}>{after}" for before, afters in edges.items() for after in afters}
            found = cursor.fetchone()[0].split("'")
            assert set(next(part for part in found if ">" in part).split(",")) == written


def test_step_refused__says_its_sentence() -> None:
    assert str(StepRefused("No card was given.")) == "No card was given."
