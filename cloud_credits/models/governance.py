"""What was said and decided about a rate card: its electorate, ballots, thread, reminders and outcome.

Each row names the card's `version`: a card that an emergency sent back to draft gets another number, another
electorate and another vote the next time it is proposed.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from cloud_credits.models.rate_cards import RateCard
from cloud_credits.policies.governance import Choice
from habitat.members.models import Member

_CHOICES = [(choice.value, choice.value) for choice in Choice]


def _card(name: str) -> "models.ForeignKey[RateCard, RateCard]":
    return models.ForeignKey(RateCard, on_delete=models.PROTECT, related_name=name)


class RateCardElector(models.Model):
    """A steward who was active at the notice. `at_opening`: whether still so when the vote opened; only those vote."""

    card = _card("electors")
    version = models.PositiveIntegerField()
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    at_opening = models.BooleanField("active at opening", null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["version", "member"]
        verbose_name = "elector"
        constraints: ClassVar = [
            models.UniqueConstraint(name="elector_once", fields=["version", "member"]),
        ]

    def __str__(self) -> str:
        return f"{self.member} on rate card {self.version}"


class RateCardBallot(models.Model):
    """One ballot as it was cast. Append-only: the newest before the close counts."""

    card = _card("ballots")
    elector = models.ForeignKey(RateCardElector, on_delete=models.PROTECT, related_name="ballots")
    choice = models.CharField(max_length=8, choices=_CHOICES)
    reason = models.TextField(blank=True, db_default="", default="")
    cast_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["cast_at", "id"]
        verbose_name = "ballot"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="ballot_choice_known", condition=Q(choice__in=[choice.value for choice in Choice])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.choice} at {self.cast_at:%Y-%m-%d %H:%M:%S}"


class RateCardComment(models.Model):
    """What a member said in a card's thread. Append-only."""

    card = _card("comments")
    version = models.PositiveIntegerField()
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        verbose_name = "comment"
        constraints: ClassVar = [models.CheckConstraint(name="comment_has_text", condition=Q(text__regex=r"\S"))]

    def __str__(self) -> str:
        return f"{self.member} on rate card {self.version}"


class RateCardReminder(models.Model):
    """Electors were reminded `hours` before the close. Once each."""

    card = _card("reminders")
    version = models.PositiveIntegerField()
    hours = models.PositiveSmallIntegerField()
    sent_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["version", "-hours"]
        verbose_name = "reminder"
        constraints: ClassVar = [models.UniqueConstraint(name="reminder_once", fields=["version", "hours"])]

    def __str__(self) -> str:
        return f"rate card {self.version}, {self.hours} hours before the close"


class RateCardOutcome(models.Model):
    """What a vote came to: who was eligible, how they voted, the rule applied. Append-only, one a version."""

    card = _card("outcomes")
    version = models.PositiveIntegerField(unique=True)
    # When it was written down; the vote itself was decided at the card's `closes_at`.
    settled_at = models.DateTimeField(db_default=Now(), editable=False)
    closed_at = models.DateTimeField("the vote closed at")
    is_emergency = models.BooleanField()
    electorate = models.JSONField("who was eligible")
    ballots = models.JSONField("the ballots that counted")
    yes = models.PositiveIntegerField()
    no = models.PositiveIntegerField()
    abstain = models.PositiveIntegerField()
    electors = models.PositiveIntegerField()
    quorum_met = models.BooleanField()
    bar = models.TextField("the rule applied")
    passed = models.BooleanField()
    reason = models.TextField()

    class Meta:
        ordering: ClassVar = ["-version"]
        verbose_name = "outcome of a vote"
        verbose_name_plural = "outcomes of votes"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="outcome_within_the_electorate",
                condition=Q(electors__gte=F("yes") + F("no") + F("abstain")),
            ),
            models.CheckConstraint(
                name="outcome_passed_over_its_bars",
                condition=Q(passed=False) | Q(quorum_met=True, yes__gt=F("no"), yes__gte=2, electors__lte=F("yes") * 4),
                violation_error_message="A card passes with two yes, more yes than no, and a quarter of all.",
            ),
        ]

    def __str__(self) -> str:
        return f"rate card {self.version}: {'adopted' if self.passed else 'rejected'}"

    @property
    def eligible(self) -> list[str]:
        """Who could vote, by the names they had then."""
        return [elector["name"] for elector in self.electorate]
