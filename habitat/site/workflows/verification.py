"""Proving the books, by hand or by night: a break raises an alert, a later success closes it."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.site.reports.verification import Finding, findings

logger = logging.getLogger(__name__)

ALERT: Final = "books_broken"


def verify(*, go_on: bool, acting: Actor) -> Iterator[Finding]:
    """Each proof's finding, as it is made. Ends after the first break unless told to `go_on`.

    One open alert a broken proof; it closes when the same proof holds again.
    """
    for finding in findings():
        _tell(finding, acting)
        yield finding
        if not finding.result.ok and not go_on:
            return


def run(due_at: datetime) -> None:
    """The nightly job: every proof, whatever the ones before it found."""
    broken = [finding for finding in verify(go_on=True, acting=SYSTEM) if not finding.result.ok]
    for finding in broken:
        logger.error("%s: %s", finding.cause, finding.result.message)
    logger.info("Books proved as of %s: %s broken", due_at, len(broken))


def _tell(finding: Finding, acting: Actor) -> None:
    if finding.result.ok:
        resolve_cause(ALERT, finding.cause, acting=acting)
        return
    raise_alert(
        code=ALERT,
        cause=finding.cause,
        message=f"{finding.proof}: {finding.result.message}",
        details={"counted": str(finding.result.counted)},
        acting=acting,
    )
