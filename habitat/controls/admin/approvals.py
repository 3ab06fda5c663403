"""Requests that wait for a second person."""

from typing import ClassVar

from django.contrib import admin

from habitat.controls.actions import approvals
from habitat.controls.errors import ApprovalKindUnknown
from habitat.controls.models import Approval
from habitat.controls.policies.approvals import ApprovalState, kind_of
from habitat.faces.admin import ExportMixin, HouseAdmin, Verb
from habitat.members.policies.actors import Actor


def _waits(approval: Approval) -> bool:
    return bool(approval.state == ApprovalState.REQUESTED)


def _grant(approval: Approval, *, acting: Actor, key: str, reason: str) -> None:
    approvals.grant(approval=approval, reason=reason, acting=acting)


def _refuse(approval: Approval, *, acting: Actor, key: str, reason: str) -> None:
    approvals.refuse(approval=approval, reason=reason, acting=acting)


def _withdraw(approval: Approval, *, acting: Actor, key: str, reason: str) -> None:
    approvals.withdraw(approval=approval, reason=reason, acting=acting)


@admin.register(Approval)
class ApprovalAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "title", "subject", "state", "requested_by_name", "requested_at", "decided_by_name")
    list_filter = ("state", "kind")
    search_fields = ("subject", "reason")
    fields = (
        "title",
        "subject",
        "payload",
        "reason",
        "state",
        "requested_by_name",
        "requested_by",
        "requested_at",
        "decided_by_name",
        "decided_by",
        "decided_at",
        "decision_reason",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "kind",
        "subject",
        "state",
        "reason",
        "requested_by",
        "requested_at",
        "decided_by",
        "decided_at",
        "decision_reason",
    )
    # Seeing requests is what these ask; granting each kind asks that kind's own permission, in the action.
    verbs: ClassVar = (
        Verb(
            "grant",
            "Grant",
            "controls.view_approval",
            _grant,
            available=_waits,
            warning="What is asked for happens at once, in your name beside the first person's.",
        ),
        Verb("refuse", "Refuse", "controls.view_approval", _refuse, available=_waits, danger=True),
        Verb("withdraw", "Take back my request", "controls.view_approval", _withdraw, available=_waits),
    )

    @admin.display(description="asks for")
    def title(self, approval: Approval) -> str:
        try:
            return kind_of(approval.kind).title
        except ApprovalKindUnknown:
            return approval.kind
