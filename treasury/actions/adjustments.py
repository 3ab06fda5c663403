"""Adjusting entries: one person proposes, another grants, and only then the entry is posted."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from django.db import transaction

from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury.actions import journal
from treasury.models import JournalEntry
from treasury.policies.chart import Side
from treasury.policies.journal import ADJUSTMENT, Draft, Line, Source

KIND: Final = "journal_adjustment"


@transaction.atomic
def propose(*, lines: Sequence[Line], effective_on: date, description: str, reason: str, acting: Actor) -> Approval:
    """Ask a second person for an entry of that day, in an open or closing period; USD.

    Raises NotAllowed, ReasonRequired, and every refusal that posting it now would raise.
    """
    require(acting, "treasury.adjust_books")
    reason = require_reason(reason)
    journal.check(draft=_draft(lines, effective_on, description, ref="proposed"))
    payload = {
        "effective_on": effective_on.isoformat(),
        "description": description,
        "lines": json.dumps([[line.account, line.side.value, plain(line.amount), line.memo] for line in lines]),
    }
    return approvals.request(
        kind=KIND,
        subject=f"Adjusting entry of {effective_on}: {description}",
        payload=payload,
        reason=reason,
        acting=acting,
    )


@transaction.atomic
def carry_out(*, approval: Approval, acting: Actor) -> JournalEntry:
    """Post what was granted; called by the approval itself. Raises what posting raises."""
    given = approval.payload
    lines = [Line(code, Side(side), Decimal(amount), memo) for code, side, amount, memo in json.loads(given["lines"])]
    draft = _draft(lines, date.fromisoformat(given["effective_on"]), given["description"], ref=str(approval.pk))
    return journal.post_many(drafts=[draft], acting=acting)[0]


def _draft(lines: Sequence[Line], effective_on: date, description: str, *, ref: str) -> Draft:
    return Draft(
        lines=lines,
        occurred_at=datetime.combine(effective_on, time(), UTC),
        effective_on=effective_on,
        source=Source(ADJUSTMENT, ref),
        description=description,
        idempotency_key=f"{ADJUSTMENT}:{ref}",
    )
