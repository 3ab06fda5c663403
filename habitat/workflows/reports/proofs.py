"""Proves from scratch that sagas did what their states say: none ended half done, none undid what was not done."""

from django.db import connection

from habitat.controls.policies.proofs import Proof, ProofResult
from habitat.workflows.policies.sagas import definitions

_COUNT = "SELECT count(*) FROM workflows_execution"


def ended_sagas_left_nothing_open() -> ProofResult:
    """Completed: every step recorded, none undone. Compensated: every way back recorded. Cancelled: no step at all."""
    return _none_of(
        "SELECT execution.id FROM workflows_execution AS execution"
        " JOIN workflows_step AS step ON step.execution_id = execution.id"
        " WHERE execution.state = 'cancelled'"
        " OR (execution.state = 'completed' AND (step.state <> 'recorded' OR step.direction = 'backward'))"
        " OR (execution.state = 'compensated' AND (step.state IN ('calling', 'recording')"
        "   OR (step.direction = 'backward' AND step.state <> 'recorded')))"
        " ORDER BY execution.id LIMIT 1",
        good="no saga ended with a step open",
        bad="saga {id} ended with a step open, or undone that should stand",
    )


def completed_sagas_took_every_step() -> ProofResult:
    """The recorded steps of a completed execution are those of its version, where that version is still known."""
    known = [(saga.name, saga.version, [step.name for step in saga.steps]) for saga in definitions()]
    finding = (
        "SELECT execution.id FROM workflows_execution AS execution"
        " WHERE execution.state = 'completed' AND execution.saga = %s AND execution.version = %s"
        " AND ARRAY(SELECT name FROM workflows_step WHERE execution_id = execution.id AND state = 'recorded'"
        "   AND direction = 'forward' ORDER BY name)::text[] <> ARRAY(SELECT unnest(%s::text[]) AS name ORDER BY name)"
        " ORDER BY execution.id LIMIT 1"
    )
    broken = None
    with connection.cursor() as cursor:
        cursor.execute(_COUNT)
        counted = cursor.fetchone()[0]
        for parameters in known:
            cursor.execute(finding, parameters)
            broken = broken or cursor.fetchone()
    message = f"saga {broken[0]} completed without all its steps" if broken else "completed sagas took every step"
    return ProofResult(ok=broken is None, counted=counted, message=message)


def only_what_was_done_is_undone() -> ProofResult:
    """A step back only in a saga that goes back, and only where the step forward had its effect."""
    return _none_of(
        "SELECT back.execution_id FROM workflows_step AS back"
        " JOIN workflows_execution AS execution ON execution.id = back.execution_id"
        " LEFT JOIN workflows_step AS step ON step.execution_id = back.execution_id AND step.name = back.name"
        "   AND step.direction = 'forward'"
        " WHERE back.direction = 'backward'"
        " AND (execution.heading <> 'backward' OR step.output IS NULL)"
        " ORDER BY back.execution_id LIMIT 1",
        good="only what was done was undone",
        bad="saga {id} undid what was never done",
    )


def _none_of(finding: str, *, good: str, bad: str) -> ProofResult:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT)
        counted = cursor.fetchone()[0]
        cursor.execute(finding)
        broken = cursor.fetchone()
    message = bad.format(id=broken[0]) if broken else good
    return ProofResult(ok=broken is None, counted=counted, message=message)


PROOFS = (
    Proof("ended sagas left nothing open", ended_sagas_left_nothing_open),
    Proof("completed sagas took every step", completed_sagas_took_every_step),
    Proof("sagas undo only what was done", only_what_was_done_is_undone),
)
