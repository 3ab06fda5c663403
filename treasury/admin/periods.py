"""Accounting periods in the back office, with the verbs of their life and the record of each step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest

from habitat.faces.admin import HouseAdmin, Verb
from habitat.faces.templatetags.faces import status
from habitat.members.policies.actors import Actor
from treasury.actions import periods
from treasury.models import Period
from treasury.policies.periods import PeriodState


@dataclass(frozen=True, slots=True)
class Step:
    """A change as the history panel shows it."""

    at: datetime
    what: str
    who: str
    why: str
    address: str
    changes: tuple[tuple[str, str, str], ...]


def _open_next(*, acting: Actor, key: str, reason: str) -> None:
    periods.open_next(reason=reason, acting=acting)


def _verb(
    name: str,
    label: str,
    permission: str,
    action: Callable[..., Period],
    state: PeriodState,
    *,
    danger: bool = False,
    warning: str = "",
) -> Verb:
    def run(period: Period, *, acting: Actor, key: str, reason: str) -> None:
        action(period=period, reason=reason, acting=acting)

    return Verb(
        name, label, permission, run, available=lambda period: period.state == state, danger=danger, warning=warning
    )


@admin.register(Period)
class PeriodAdmin(HouseAdmin):
    list_display = ("name", "start", "end", "state_word", "entries")
    list_filter = ("state",)
    search_fields = ("name",)
    ordering = ("-start",)
    fields = ("name", "start", "end", "state", "entries")
    readonly_fields = ("entries",)
    list_before_template = "treasury/admin/reports_and_verbs.html"
    list_verbs: ClassVar = (Verb("open-next", "Open the next quarter", "treasury.open_period", _open_next),)
    verbs: ClassVar = (
        _verb(
            "begin-close",
            "Begin the close",
            "treasury.close_period",
            periods.begin_close,
            PeriodState.OPEN,
            warning="From then on only closing and approved adjusting entries are dated in it.",
        ),
        _verb(
            "call-off",
            "Call the close off",
            "treasury.close_period",
            periods.call_off_close,
            PeriodState.CLOSING,
            warning="What the close has posted is reversed.",
        ),
        _verb(
            "close",
            "Close",
            "treasury.close_period",
            periods.finish_close,
            PeriodState.CLOSING,
            warning="Nothing is dated in it any more.",
        ),
        _verb(
            "lock",
            "Lock for ever",
            "treasury.lock_period",
            periods.lock,
            PeriodState.CLOSED,
            danger=True,
            warning="This cannot be undone.",
        ),
        _verb(
            "reopen",
            "Reopen",
            "treasury.reopen_period",
            periods.reopen,
            PeriodState.CLOSED,
            danger=True,
            warning="Its closing entries are reversed in it.",
        ),
    )

    @admin.display(description="state", ordering="state")
    def state_word(self, period: Period) -> str:
        return status(period.state)

    @admin.display(description="entries")
    def entries(self, period: Period) -> int:
        return period.entries.count()

    def history_rows(self, request: HttpRequest, obj: Period) -> list[Step]:
        return [
            Step(
                at=change.at,
                what=change.verb,
                who=change.actor,
                why=change.reason,
                address="",
                changes=(("state", change.from_state, change.to_state),),
            )
            for change in obj.changes.order_by("-id")
        ]
