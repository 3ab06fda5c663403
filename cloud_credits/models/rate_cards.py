"""Rate cards: what a unit of each primitive costs in CLOUD, from which day, and why."""

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pghistory
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from cloud_credits.policies.governance import CardTerms, Rules, rules_of
from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.policies.rate_cards import ADOPTED, EMERGENCY_NOTICE_DAYS, NOTICE_DAYS, Card, CardState

if TYPE_CHECKING:
    from cloud_credits.models.governance import RateCardOutcome

_ADOPTED = sorted(state.value for state in ADOPTED)
_DRAFT = CardState.DRAFT.value


def _rate() -> "models.DecimalField[object, object]":
    return models.DecimalField(max_digits=12, decimal_places=8)


def _cost() -> "models.DecimalField[object, object]":
    return models.DecimalField(max_digits=12, decimal_places=8, null=True, blank=True)


class RateCardQuerySet(models.QuerySet["RateCard"]):
    def adopted(self) -> "RateCardQuerySet":
        """The cards members said yes to: the only ones that ever price anything."""
        return self.filter(state__in=_ADOPTED)

    def published(self) -> "RateCardQuerySet":
        """Every card but drafts: what a member may read."""
        return self.exclude(state=_DRAFT)


class RateCard(models.Model):
    """Four rates in CLOUD a unit. Editable as a draft; frozen by a trigger from the moment it is proposed."""

    version = models.PositiveIntegerField("version", unique=True, null=True, blank=True)
    state = FSMField(default=_DRAFT, choices=[(state.value, state.value) for state in CardState], protected=True)
    compute_rate = _rate()
    transfer_rate = _rate()
    ltm_rate = _rate()
    stm_rate = _rate()
    effective_date = models.DateField("in force from 00:00 UTC of", null=True, blank=True)
    notice_date = models.DateField("members told on", null=True, blank=True)
    is_emergency = models.BooleanField("emergency card", default=False)
    # What the cooperative itself pays, USD a unit. Published; the provider is never named.
    compute_cost = _cost()
    transfer_cost = _cost()
    ltm_cost = _cost()
    stm_cost = _cost()
    target_margin = models.DecimalField("target margin, %", max_digits=5, decimal_places=2, null=True, blank=True)
    reserve_buffer = models.DecimalField("reserve buffer, %", max_digits=5, decimal_places=2, null=True, blank=True)
    capacity_assumptions = models.TextField(blank=True, default="")
    justification = models.TextField(blank=True, default="")
    notes = models.TextField(blank=True, default="")
    evidence = models.TextField("evidence of the emergency", blank=True, default="")
    # The notice as a moment; `notice_date` is its UTC day. Who proposed it may withdraw it.
    proposed_at = models.DateTimeField("members told at", null=True, blank=True)
    proposed_by = models.CharField(max_length=64, blank=True, default="")
    # The database transaction of the notice: only there is the electorate written down.
    proposed_xid = models.BigIntegerField(null=True, editable=False)
    opens_at = models.DateTimeField("voting opened at", null=True, blank=True)
    closes_at = models.DateTimeField("voting closes at", null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField("why it was withdrawn or sent back", blank=True, default="")
    # Floors, caps, bars and spans as they stood at notice, and the keccak-256 of what was put before the members.
    rules = models.JSONField(default=dict, blank=True)
    content_hash = models.CharField(max_length=66, blank=True, default="")
    amends = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="amendments", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=40)

    objects = RateCardQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-version", "-id"]
        permissions: ClassVar = [
            ("propose_ratecard", "Can draft, propose, open to the vote and withdraw rate cards"),
            ("vote_ratecard", "Can vote on rate cards"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="rate_card_state_known", condition=Q(state__in=[state.value for state in CardState])
            ),
            *[
                models.CheckConstraint(
                    name=f"rate_card_{primitive.value}_floor",
                    condition=Q(**{f"{primitive.value}_rate__gte": measure.floor}),
                    violation_error_message=(
                        f"{measure.title} costs at least {measure.floor} CLOUD a {measure.abbreviation}."
                    ),
                )
                for primitive, measure in MEASURES.items()
            ],
            models.CheckConstraint(
                name="rate_card_whole_once_proposed",
                condition=Q(state=_DRAFT)
                | Q(
                    version__isnull=False,
                    effective_date__isnull=False,
                    notice_date__isnull=False,
                    # A comparison with null is no refusal to a CHECK: each cost is asked for, then judged.
                    compute_cost__isnull=False,
                    compute_cost__gte=0,
                    transfer_cost__isnull=False,
                    transfer_cost__gte=0,
                    ltm_cost__isnull=False,
                    ltm_cost__gte=0,
                    stm_cost__isnull=False,
                    stm_cost__gte=0,
                    target_margin__isnull=False,
                    reserve_buffer__isnull=False,
                )
                & ~Q(justification="")
                & ~Q(capacity_assumptions=""),
                violation_error_message=(
                    "A proposed card has a number, both dates, the cost of each primitive, a justification, "
                    "capacity assumptions, a target margin and a reserve buffer."
                ),
            ),
            models.CheckConstraint(
                name="rate_card_notice_long_enough",
                condition=Q(effective_date__isnull=True)
                | Q(notice_date__isnull=True)
                | Q(is_emergency=True, effective_date__gte=F("notice_date") + timedelta(days=EMERGENCY_NOTICE_DAYS))
                | Q(effective_date__gte=F("notice_date") + timedelta(days=NOTICE_DAYS)),
                violation_error_message="Members are told 30 days before a rate changes (7 for an emergency card).",
            ),
            models.CheckConstraint(
                name="rate_card_adopted_has_moment",
                condition=~Q(state__in=_ADOPTED) | Q(approved_at__isnull=False),
                violation_error_message="An adopted card keeps the moment it was adopted.",
            ),
            models.UniqueConstraint(
                name="rate_card_one_a_day",
                fields=["effective_date"],
                condition=Q(state__in=_ADOPTED),
                violation_error_message="Another card already takes effect on this day.",
            ),
            models.CheckConstraint(
                name="rate_card_draft_is_bare",
                condition=~Q(state=_DRAFT)
                | Q(
                    version=None,
                    notice_date=None,
                    proposed_at=None,
                    proposed_by="",
                    proposed_xid=None,
                    opens_at=None,
                    closes_at=None,
                    approved_at=None,
                    withdrawn_at=None,
                    content_hash="",
                ),
                violation_error_message="A draft was put before nobody: it has no number, notice or vote.",
            ),
            models.CheckConstraint(
                name="rate_card_told_whole",
                condition=Q(state=_DRAFT)
                | (Q(proposed_at__isnull=False) & ~Q(proposed_by="") & Q(content_hash__regex="^0x[0-9a-f]{64}$")),
                violation_error_message="A proposed card keeps its notice, its proposer and its hash.",
            ),
            models.CheckConstraint(
                name="rate_card_emergency_has_evidence",
                condition=Q(state=_DRAFT) | Q(is_emergency=False) | Q(evidence__regex=r"\S"),
                violation_error_message="An emergency card documents its emergency.",
            ),
            models.CheckConstraint(
                name="rate_card_vote_whole",
                condition=Q(opens_at=None, closes_at=None)
                | Q(opens_at__isnull=False, closes_at__isnull=False, closes_at__gt=F("opens_at")),
                violation_error_message="A vote opens and closes.",
            ),
            models.CheckConstraint(
                name="rate_card_voted_before_adopted",
                condition=~Q(state__in=["voting", "rejected", *_ADOPTED])
                | Q(closes_at__isnull=False)
                # The card the cooperative opened with was adopted before there was a vote.
                | Q(version=1, state__in=_ADOPTED),
                violation_error_message="A card is adopted or rejected by a vote.",
            ),
            models.CheckConstraint(
                name="rate_card_withdrawn_says_when_and_why",
                condition=~Q(state=CardState.WITHDRAWN.value) | (Q(withdrawn_at__isnull=False) & ~Q(ended_reason="")),
                violation_error_message="A withdrawn card keeps when and why.",
            ),
            models.UniqueConstraint(
                name="rate_card_one_in_flight",
                fields=["is_emergency"],
                condition=Q(state__in=[CardState.PROPOSED.value, CardState.VOTING.value]),
                violation_error_message="Another card of this kind is under way.",
            ),
        ]

    def __str__(self) -> str:
        return f"Rate card v{self.version}" if self.version else f"Draft rate card {self.pk}"

    def as_card(self) -> Card:
        """What prices usage, as a plain value."""
        if self.version is None or self.effective_date is None:
            raise ValueError("a draft prices nothing")
        return Card(
            id=self.pk,
            version=self.version,
            effective_date=self.effective_date,
            compute_rate=self.compute_rate,
            transfer_rate=self.transfer_rate,
            ltm_rate=self.ltm_rate,
            stm_rate=self.stm_rate,
        )

    @property
    def number(self) -> int:
        """The version it was given when it was proposed. ValueError for a draft."""
        if self.version is None:
            raise ValueError("a draft has no number")
        return self.version

    @property
    def terms(self) -> CardTerms:
        """What may be edited of a draft, as a plain value."""
        return CardTerms(**{name: getattr(self, name) for name in CardTerms.__slots__})

    @property
    def outcome(self) -> "RateCardOutcome | None":
        """What the vote on this version came to; None before it was settled."""
        return self.outcomes.filter(version=self.version).first()

    @property
    def as_told(self) -> Rules:
        """The rules as they stood at the card's notice; today's for a draft."""
        return rules_of(self.rules)

    @property
    def lines(self) -> list[tuple[Primitive, object, object]]:
        """(primitive, rate in CLOUD, cost in USD) in the order cards are printed."""
        return [
            (primitive, getattr(self, f"{primitive.value}_rate"), getattr(self, f"{primitive.value}_cost"))
            for primitive in MEASURES
        ]

    @transition(field=state, source=CardState.DRAFT.value, target=CardState.PROPOSED.value)
    def propose(self) -> None:
        """Frozen and shown to every member."""

    @transition(field=state, source=CardState.PROPOSED.value, target=CardState.VOTING.value)
    def open_voting(self) -> None:
        """The ballot opens."""

    @transition(field=state, source=CardState.VOTING.value, target=CardState.APPROVED.value)
    def approve(self) -> None:
        """Adopted: prices from its date on."""

    @transition(field=state, source=CardState.VOTING.value, target=CardState.REJECTED.value)
    def reject(self) -> None:
        """Not adopted."""

    @transition(
        field=state,
        source=[CardState.PROPOSED.value, CardState.VOTING.value],
        target=CardState.WITHDRAWN.value,
    )
    def withdraw(self) -> None:
        """Taken back by its proposer. An approved card is undone only by another vote."""

    @transition(field=state, source=CardState.PROPOSED.value, target=CardState.LAPSED.value)
    def lapse(self) -> None:
        """Not opened for voting in time."""

    @transition(
        field=state,
        source=[CardState.PROPOSED.value, CardState.VOTING.value, CardState.APPROVED.value],
        target=CardState.DRAFT.value,
    )
    def return_to_draft(self) -> None:
        """An emergency card took its place."""

    @transition(field=state, source=CardState.APPROVED.value, target=CardState.ACTIVE.value)
    def take_effect(self) -> None:
        """Says for people what the dates already say."""

    @transition(field=state, source=CardState.ACTIVE.value, target=CardState.SUPERSEDED.value)
    def give_way(self) -> None:
        """A later card is in force."""


class RateCardHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        RateCard,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history"),
    )
):
    """Each version of a rate card's row, as it was after the change."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "rate card's history"
        verbose_name_plural = "rate cards' history"
        default_permissions = ("view",)
