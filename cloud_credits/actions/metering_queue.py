"""Usage that a service leaves for later: taken in at once, charged in batches, answered when it asks again."""

import logging
import random
from collections.abc import Sequence
from itertools import islice
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import metering_batch
from cloud_credits.actions.rate_cards import settle_before_pricing
from cloud_credits.locks import WaitingUsage
from cloud_credits.models import MeteringSubmission
from cloud_credits.policies.metering_batch import (
    MOST_BYTES,
    MOST_EVENTS,
    AnswerStatus,
    BatchForm,
    SubmissionState,
    merged,
    read,
    tally,
    within,
)
from habitat import clock
from habitat.controls.reports.service_keys import actor_of
from habitat.events.actions.wakes import wake_after_commit
from habitat.events.policies.states import backoff, error_text
from habitat.statements import array_of, rows_of

logger = logging.getLogger(__name__)

USAGE: Final = "usage"
# How many submissions one batch looks at: most of them are of one event.
_TAKEN: Final = 2_000


@transaction.atomic
def submit(*, body: bytes, form: BatchForm, key_id: int) -> MeteringSubmission:
    """Keeps the events of a body for the worker. Raises BatchUnreadable, BatchEmpty, BatchTooLarge.

    What an event itself has against it is told by the outcome. Too early and too late are measured by this moment.
    """
    now = clock.now()
    submission = MeteringSubmission.objects.create(
        service_key_id=key_id,
        form=form.value,
        body=body,
        events=len(read(body, form)),
        received_at=now,
        due_at=now,
    )
    wake_after_commit(USAGE)
    return submission


def charge_next() -> int:
    """Charges what waits longest, as one batch of one service; how many submissions were tried.

    The charges and the mark that they are done commit together, and what is being charged is locked: a worker that
    dies leaves all of it waiting. Where a batch cannot be charged, each of its submissions is tried alone, and what
    fails waits longer and longer while others pass.
    """
    taken: list[int] = []
    settle_before_pricing()
    try:
        with transaction.atomic():
            taken = _chosen(locks.queued_submissions(_TAKEN))
            _charge(_whole(taken))
    except Exception:
        logger.exception("a batch of %s submissions could not be charged", len(taken))
        for submission_id in taken:
            _alone(submission_id)
    return len(taken)


def _chosen(waiting: Sequence[WaitingUsage]) -> list[int]:
    """As many of the service that waits longest as fit into one batch, by their events and by their bytes."""
    same = [each for each in waiting if each.service_key_id == waiting[0].service_key_id]
    few = within(same, MOST_EVENTS, lambda each: each.events)
    return [each.id for each in within(few, MOST_BYTES, lambda each: each.size)]


def _whole(ids: Sequence[int]) -> list[MeteringSubmission]:
    """The submissions with their bodies, in the order they came."""
    found = MeteringSubmission.objects.select_related("service_key").in_bulk(ids)
    return [found[submission_id] for submission_id in ids]


def _charge(chosen: Sequence[MeteringSubmission]) -> None:
    """Charges several submissions in the order they came, and marks each done with its own answers."""
    if not chosen:
        return
    batches = [read(bytes(each.body), BatchForm(each.form)) for each in chosen]
    whole = merged(batches, [each.received_at for each in chosen])
    key = chosen[0].service_key
    outcome = metering_batch.record(batch=whole, key_id=key.pk, acting=actor_of(key))
    answers = iter(outcome.answers)
    _finish([(submission, list(islice(answers, submission.events))) for submission in chosen])


# Most submissions are of one event, and two thousand fit into a batch: one statement for all of them.
_FINISH = """
UPDATE cloud_credits_meteringsubmission s
   SET state = n.state, done_at = %(done_at)s::timestamptz, accepted = n.accepted, duplicates = n.duplicates,
       conflicts = n.conflicts, rejected = n.rejected, answers = n.answers, body = ''
  FROM unnest(%(id)s::bigint[], %(state)s::text[], %(accepted)s::integer[], %(duplicates)s::integer[],
              %(conflicts)s::integer[], %(rejected)s::integer[], %(answers)s::text[])
       AS n(id, state, accepted, duplicates, conflicts, rejected, answers)
 WHERE s.id = n.id
"""


def _finish(answered: Sequence[tuple[MeteringSubmission, list[str]]]) -> None:
    columns: dict[str, list[object]] = {
        name: [] for name in ("id", "state", "accepted", "duplicates", "conflicts", "rejected", "answers")
    }
    for submission, answers in answered:
        counts = tally(answers)
        submission.finish()
        row = (
            submission.pk,
            submission.state,
            counts[AnswerStatus.ACCEPTED],
            counts[AnswerStatus.DUPLICATE],
            counts[AnswerStatus.CONFLICT],
            counts[AnswerStatus.REJECTED],
            f"[{','.join(answers)}]",
        )
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    given = {name: array_of(values) for name, values in columns.items()}
    rows_of(_FINISH, given | {"done_at": clock.now()})


def _alone(submission_id: int) -> None:
    try:
        settle_before_pricing()
        with transaction.atomic():
            submission = locks.queued_submission(submission_id)
            _charge([submission] if submission else [])
    except Exception as error:
        logger.exception("submission %s could not be charged", submission_id)
        _put_back(submission_id, error)


@transaction.atomic
def _put_back(submission_id: int, error: Exception) -> None:
    submission = locks.queued_submission(submission_id)
    if submission is None or submission.state != SubmissionState.QUEUED.value:
        return
    submission.attempts += 1
    submission.error = error_text(error)
    submission.due_at = clock.now() + backoff(submission.attempts, jitter=random.random())  # noqa: S311 - spreads retries, hides nothing
    submission.save(update_fields=["attempts", "error", "due_at"])
