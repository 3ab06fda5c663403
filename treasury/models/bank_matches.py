"""Which bank lines stand for which facts: suggested by a rule or made by a person, confirmed, questioned, undone."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.money import plain
from treasury.models.bank import USD, BankLine, BankLineVersion
from treasury.models.journal import JournalEntry
from treasury.policies.bank import FIRST_MATCH, MatchKind, MatchState, TargetKind


class BankMatch(FSMModelMixin, models.Model):
    """Lines on one side, facts on the other, equal to the last digit. `why` is the rule's word, `reason` a person's."""

    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value.replace("_", " ")) for kind in MatchKind])
    state = FSMField(
        default=FIRST_MATCH.value, choices=[(state.value, state.value) for state in MatchState], protected=True
    )
    rule = models.CharField(max_length=32, help_text="Which rule suggested it; `manual` for a person's own.")
    score = models.PositiveSmallIntegerField(help_text="0 to 100: how sure the rule is.")
    why = models.CharField(max_length=500)
    # The same suggestion is made once, also when it was dismissed.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=64)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    journal_entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="+", null=True, blank=True, db_index=False
    )
    question = models.CharField(max_length=500, blank=True, help_text="What changed after it was confirmed.")
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=64, blank=True)
    undo_reason = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "bank matches"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="bankmatch_state_known", condition=Q(state__in=[state.value for state in MatchState])
            ),
            models.CheckConstraint(
                name="bankmatch_kind_known", condition=Q(kind__in=[kind.value for kind in MatchKind])
            ),
            models.CheckConstraint(name="bankmatch_score_range", condition=Q(score__lte=100)),
            models.CheckConstraint(
                name="bankmatch_decided_whole",
                condition=Q(state=MatchState.SUGGESTED.value, decided_at__isnull=True)
                | (~Q(state=MatchState.SUGGESTED.value) & Q(decided_at__isnull=False) & ~Q(decided_by="")),
                violation_error_message="A decided match says who decided and when.",
            ),
            models.CheckConstraint(
                name="bankmatch_undone_with_reason",
                condition=~Q(state=MatchState.UNDONE.value) | (Q(undone_at__isnull=False) & ~Q(undo_reason="")),
                violation_error_message="A match is undone with a reason.",
            ),
        ]
        permissions: ClassVar = [("match_bank", "Can decide what bank lines stand for")]

    def __str__(self) -> str:
        return f"Match {self.pk}: {self.get_kind_display()}"

    @transition(
        field=state,
        source=[MatchState.SUGGESTED.value, MatchState.QUESTIONED.value],
        target=MatchState.CONFIRMED.value,
    )
    def confirm(self) -> None:
        """The lines stand for the facts; or, after a question, they still do."""

    @transition(field=state, source=MatchState.SUGGESTED.value, target=MatchState.DISMISSED.value)
    def dismiss(self) -> None:
        """The rule was wrong."""

    @transition(field=state, source=MatchState.CONFIRMED.value, target=MatchState.QUESTIONED.value)
    def call_in_question(self) -> None:
        """The bank changed its word about a line of it."""

    @transition(
        field=state,
        source=[MatchState.CONFIRMED.value, MatchState.QUESTIONED.value],
        target=MatchState.UNDONE.value,
    )
    def undo(self) -> None:
        """The lines wait again; what was posted is reversed."""


class BankMatchLine(models.Model):
    """A line of a match, with the version it stood on. Never changed."""

    match = models.ForeignKey(BankMatch, on_delete=models.PROTECT, related_name="match_lines", db_index=False)
    line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="match_lines")
    version = models.ForeignKey(BankLineVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = models.DecimalField(**USD)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(name="bankmatchline_once", fields=["match", "line"])]

    def __str__(self) -> str:
        return f"{plain(self.amount)} of line {self.line_id}"


class BankMatchTarget(models.Model):
    """What a match's lines stand for: a kind, its id, and the amount, signed as the bank signs. Never changed."""

    match = models.ForeignKey(BankMatch, on_delete=models.PROTECT, related_name="targets", db_index=False)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in TargetKind])
    target_id = models.CharField(max_length=64)
    amount = models.DecimalField(**USD)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(name="bankmatchtarget_named", fields=["kind", "target_id"])]
        constraints: ClassVar = [
            models.UniqueConstraint(name="bankmatchtarget_once", fields=["match", "kind", "target_id"]),
            models.CheckConstraint(
                name="bankmatchtarget_kind_known", condition=Q(kind__in=[kind.value for kind in TargetKind])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"
