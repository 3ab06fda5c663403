"""Reconciliations: each comparison with its inputs and result, and what did not agree until somebody settled it."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.members.models import Member
from treasury.models.journal import ClockTime
from treasury.models.payments import DOLLARS
from treasury.policies.reconciliation import FIRST, REMEDIES, ExceptionKind, ExceptionState, RunKind


class ReconciliationRun(models.Model):
    """One comparison, never changed: `result` follows from `inputs` by `policies.reconciliation.findings`."""

    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in RunKind])
    as_of = models.DateTimeField()
    inputs = models.JSONField()
    result = models.JSONField()
    found = models.PositiveIntegerField()
    started_by = models.CharField(max_length=64)
    ran_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="reconciliationrun_kind_known", condition=Q(kind__in=[k.value for k in RunKind])
            ),
        ]
        indexes: ClassVar = [models.Index(name="reconciliationrun_newest", fields=["kind", "-as_of", "-id"])]
        permissions: ClassVar = [("run_reconciliation", "Can have the books compared now")]

    def __str__(self) -> str:
        return f"{self.kind} as of {self.as_of:%Y-%m-%d %H:%M}Z"


class ReconciliationException(FSMModelMixin, models.Model):
    """What a run found and no later run has found gone. `since` is when the thing itself began; amounts in USD."""

    run_kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in RunKind])
    kind = models.CharField(max_length=32, choices=[(kind.value, kind.value) for kind in ExceptionKind])
    cause = models.CharField(max_length=200)
    message = models.CharField(max_length=1000)
    amount = models.DecimalField(**DOLLARS, null=True)
    since = models.DateTimeField()
    times = models.PositiveIntegerField(db_default=1, default=1)
    opened_run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="opened")
    last_run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="found_again")
    resolved_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, null=True, related_name="resolved", db_index=False
    )
    owner = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    state = FSMField(
        default=FIRST.value,
        choices=[(state.value, state.value) for state in ExceptionState],
        protected=True,
    )
    opened_at = models.DateTimeField(db_default=ClockTime(), editable=False)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=120, db_default="", default="", blank=True)
    resolution = models.TextField(db_default="", default="", blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="exception_one_open_a_cause",
                fields=["run_kind", "kind", "cause"],
                condition=Q(state=ExceptionState.OPEN.value),
                violation_error_message="This cause already has an open exception.",
            ),
            models.CheckConstraint(
                name="exception_state_known", condition=Q(state__in=[s.value for s in ExceptionState])
            ),
            models.CheckConstraint(name="exception_kind_known", condition=Q(kind__in=[k.value for k in ExceptionKind])),
            models.CheckConstraint(
                name="exception_resolved_whole",
                condition=Q(state=ExceptionState.OPEN.value, resolved_at__isnull=True, resolution="", resolved_by="")
                | (
                    Q(state=ExceptionState.RESOLVED.value, resolved_at__isnull=False)
                    & ~Q(resolution="", resolved_by="")
                ),
                violation_error_message="What is resolved says when, by whom and why.",
            ),
        ]
        permissions: ClassVar = [("settle_reconciliationexception", "Can own, note and resolve exceptions")]

    def __str__(self) -> str:
        return self.message[:80]

    @property
    def age(self) -> timedelta:
        """How long it has been open, or was."""
        return (self.resolved_at or timezone.now()) - self.opened_at

    @property
    def remedy(self) -> str:
        return REMEDIES[ExceptionKind(self.kind)]

    @property
    def is_open(self) -> bool:
        return bool(self.state == ExceptionState.OPEN.value)

    @transition(field=state, source=ExceptionState.OPEN.value, target=ExceptionState.RESOLVED.value)
    def resolve(self, *, at: datetime, by: str, resolution: str) -> None:
        """It is gone, or a person says why it may stand."""
        self.resolved_at, self.resolved_by, self.resolution = at, by, resolution


class ExceptionNote(models.Model):
    """What somebody wrote to an exception. Never changed."""

    exception = models.ForeignKey(ReconciliationException, on_delete=models.PROTECT, related_name="notes")
    text = models.CharField(max_length=2000)
    author = models.CharField(max_length=64)
    author_name = models.CharField(max_length=120)
    written_at = models.DateTimeField(db_default=ClockTime(), editable=False)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="exceptionnote_has_text", condition=Q(text__regex=r"\S")),
        ]

    def __str__(self) -> str:
        return self.text[:80]
