"""Requests that a second person decides."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.controls.policies.approvals import FIRST, ApprovalState


class Approval(FSMModelMixin, models.Model):
    """What was asked (`payload`), by whom and why; who decided, and why. Settled once."""

    kind = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)
    reason = models.TextField()
    state = FSMField(
        default=FIRST.value, choices=[(state.value, state.value) for state in ApprovalState], protected=True
    )
    requested_by = models.CharField(max_length=60)
    requested_by_name = models.CharField(max_length=120)
    requested_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.CharField(max_length=60, blank=True)
    decided_by_name = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar = [
            models.Index("id", name="approval_waiting", condition=Q(state=ApprovalState.REQUESTED.value))
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="approval_two_people",
                condition=~Q(state__in=[ApprovalState.GRANTED.value, ApprovalState.REFUSED.value])
                | ~Q(decided_by=F("requested_by")),
                violation_error_message="Whoever asks cannot decide.",
            ),
            models.CheckConstraint(
                name="approval_settled_whole",
                condition=Q(state=ApprovalState.REQUESTED.value, decided_by="", decided_at__isnull=True)
                | (~Q(state=ApprovalState.REQUESTED.value) & ~Q(decided_by="") & Q(decided_at__isnull=False)),
                violation_error_message="A settled request says who settled it and when.",
            ),
            models.CheckConstraint(
                name="approval_state_known", condition=Q(state__in=[state.value for state in ApprovalState])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"

    @transition(field=state, source=ApprovalState.REQUESTED.value, target=ApprovalState.GRANTED.value)
    def grant(self) -> None:
        """A second person agrees; what was asked happens in the same transaction."""

    @transition(field=state, source=ApprovalState.REQUESTED.value, target=ApprovalState.REFUSED.value)
    def refuse(self) -> None:
        """A second person says no."""

    @transition(field=state, source=ApprovalState.REQUESTED.value, target=ApprovalState.WITHDRAWN.value)
    def withdraw(self) -> None:
        """Whoever asked takes it back."""
