"""The credit ledger: one row a movement, insert-only but for its state, with the balances it left behind."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from cloud_credits.models.balances import CREDIT
from cloud_credits.policies.movements import BOOKED, Movement, Purpose, TransactionState, TransactionType
from habitat.members.models import Member
from habitat.money import CLOUD, Money, cloud_to_usd
from treasury.models import JournalEntry

if TYPE_CHECKING:
    from decimal import Decimal

    from habitat.members.models import User


_BOOKED = sorted(state.value for state in BOOKED)


class CloudTransactionQuerySet(models.QuerySet["CloudTransaction"]):
    def visible_to(self, user: "User | AnonymousUser") -> "CloudTransactionQuerySet":
        """Those a member takes part in; all of them for who may view transactions."""
        if user.has_perm("cloud_credits.view_cloudtransaction"):
            return self
        mine = Member.objects.held_by(user)
        return self.filter(Q(from_member__in=mine) | Q(to_member__in=mine))

    def touching(self, member_id: int) -> "CloudTransactionQuerySet":
        return self.filter(Q(from_member_id=member_id) | Q(to_member_id=member_id))

    def booked(self) -> "CloudTransactionQuerySet":
        """Those that moved balances: completed, and completed then reversed."""
        return self.filter(state__in=_BOOKED)


def _participants() -> Q:
    """Domain §3's table as a condition."""
    no_from, no_to = Q(from_member__isnull=True), Q(to_member__isnull=True)
    both = Q(from_member__isnull=False, to_member__isnull=False)
    kind = TransactionType
    return (
        (Q(type=kind.MINT.value) & no_from & ~no_to)
        | (Q(type=kind.TRANSFER.value) & both & ~Q(from_member=F("to_member")))
        | (Q(type__in=[kind.REDEMPTION.value, kind.BURN.value]) & ~no_from & no_to)
        | (Q(type__in=[kind.STAKE.value, kind.UNSTAKE.value]) & both & Q(from_member=F("to_member")))
        | (Q(type=kind.CORRECTION.value) & ~(no_from & no_to) & (no_from | no_to | ~Q(from_member=F("to_member"))))
    )


def _booked_whole() -> Q:
    """A booked row says when, and what each of its sides holds after it; any other row says none of that."""
    sides = ("from", "to")
    booked = Q(booked_at__isnull=False)
    empty = Q(booked_at__isnull=True)
    for side in sides:
        columns = [f"{side}_liquid_after", f"{side}_staked_after", f"{side}_sequence"]
        filled = Q(**{f"{column}__isnull": False for column in columns})
        blank = Q(**{f"{column}__isnull": True for column in columns})
        has_side = Q(**{f"{side}_member__isnull": False})
        booked &= (has_side & filled) | (~has_side & blank)
        empty &= blank
    is_booked = Q(state__in=_BOOKED)
    return (is_booked & booked) | (~is_booked & empty & Q(journal_entry__isnull=True))


class CloudTransaction(models.Model):
    """One movement of credits: what moved, why, and what it left on both sides."""

    type = models.CharField(max_length=12, choices=[(t.value, t.value) for t in TransactionType], editable=False)
    state = FSMField(
        default=TransactionState.PENDING.value,
        choices=[(s.value, s.value) for s in TransactionState],
        protected=True,
        editable=False,
    )
    from_member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    to_member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    amount = models.DecimalField(**CREDIT, editable=False)
    purpose = models.CharField(max_length=16, choices=[(p.value, p.value) for p in Purpose], editable=False)
    description = models.CharField(max_length=2000, blank=True, editable=False)
    reference = models.CharField("what it is for", max_length=200, blank=True, editable=False)
    journal_entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="reversals", db_index=False
    )
    reversal_part = models.SmallIntegerField(null=True, editable=False)

    from_liquid_after = models.DecimalField(**CREDIT, null=True, editable=False)
    from_staked_after = models.DecimalField(**CREDIT, null=True, editable=False)
    from_sequence = models.BigIntegerField(null=True, editable=False)
    to_liquid_after = models.DecimalField(**CREDIT, null=True, editable=False)
    to_staked_after = models.DecimalField(**CREDIT, null=True, editable=False)
    to_sequence = models.BigIntegerField(null=True, editable=False)
    booked_at = models.DateTimeField(null=True, editable=False)

    # The database transaction that booked it (xid8, kept as bigint because BRIN has no operators for xid8): the
    # sealer of the hash chain reads only what has surely ended.
    booked_xid = models.BigIntegerField(null=True, editable=False)

    acting = models.CharField("who did it", max_length=40, editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    objects = CloudTransactionQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [
            ("mint_credits", "Can ask for a manual mint"),
            ("approve_mint", "Can approve a manual mint asked by another"),
            ("correct_credits", "Can correct balances and reverse transactions"),
            ("burn_credits", "Can burn credits"),
            ("grant_credits", "Can grant credits from the cooperative's own accounts"),
            ("initialize_identity", "Can set up cloud identities"),
            ("transfer_for_members", "Can transfer on a member's behalf"),
            ("redeem_credits", "Can redeem on a member's behalf"),
            ("stake_for_members", "Can stake and release on a member's behalf"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="transaction_amount_positive",
                condition=Q(amount__gt=0),
                violation_error_message="The amount must be more than zero.",
            ),
            models.CheckConstraint(
                name="transaction_state_known", condition=Q(state__in=[s.value for s in TransactionState])
            ),
            models.CheckConstraint(name="transaction_participants", condition=_participants()),
            models.CheckConstraint(name="transaction_booked_whole", condition=_booked_whole()),
            models.CheckConstraint(
                name="transaction_booked_xid_whole",
                condition=Q(booked_at__isnull=True, booked_xid__isnull=True)
                | Q(booked_at__isnull=False, booked_xid__isnull=False),
            ),
            # Credits that come from nothing or go to nothing change what is owed, so the books must say so.
            models.CheckConstraint(
                name="transaction_one_sided_posts",
                condition=Q(booked_at__isnull=True)
                | Q(journal_entry__isnull=False)
                | Q(from_member__isnull=False, to_member__isnull=False),
            ),
            # A lock has one balance on both sides: a reader may take either.
            models.CheckConstraint(
                name="transaction_lock_same_after",
                condition=Q(booked_at__isnull=True)
                | ~Q(type__in=[TransactionType.STAKE.value, TransactionType.UNSTAKE.value])
                | Q(
                    from_liquid_after=F("to_liquid_after"),
                    from_staked_after=F("to_staked_after"),
                    from_sequence=F("to_sequence"),
                ),
            ),
            models.CheckConstraint(
                name="transaction_reversal_is_correction",
                condition=Q(reverses__isnull=True, reversal_part__isnull=True)
                | Q(reverses__isnull=False, reversal_part__in=[1, 2], type=TransactionType.CORRECTION.value),
            ),
            models.UniqueConstraint(
                name="transaction_reversed_once",
                fields=["reverses", "reversal_part"],
                condition=Q(reverses__isnull=False),
            ),
            # Within a balance time never stands still, so these serve history, a balance at a moment, and
            # the guard that counts a member's newest rows.
            models.UniqueConstraint(name="transaction_from_booked", fields=["from_member", "booked_at"]),
            models.UniqueConstraint(name="transaction_to_booked", fields=["to_member", "booked_at"]),
        ]
        indexes: ClassVar = [
            BrinIndex(name="transaction_booked_xid", fields=["booked_xid"], pages_per_range=16, autosummarize=True)
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"

    @property
    def amount_money(self) -> Money:
        return Money(self.amount, CLOUD)

    @property
    def amount_usd(self) -> "Decimal":
        return cloud_to_usd(self.amount)

    def as_movement(self) -> Movement:
        """What this row did or will do, for the rules."""
        return Movement(
            type=TransactionType(self.type),
            amount=self.amount,
            purpose=Purpose(self.purpose),
            from_member=self.from_member_id,
            to_member=self.to_member_id,
            description=self.description,
            reference=self.reference,
            reverses=self.reverses_id,
            reversal_part=self.reversal_part,
        )

    @transition(field=state, source=TransactionState.PENDING.value, target=TransactionState.PROCESSING.value)
    def process(self) -> None:
        """A second person agreed, or the outside world was asked."""

    @transition(field=state, source=TransactionState.PROCESSING.value, target=TransactionState.COMPLETED.value)
    def complete(self) -> None:
        """Balances move, together with the journal entry."""

    @transition(
        field=state,
        source=[TransactionState.PENDING.value, TransactionState.PROCESSING.value],
        target=TransactionState.FAILED.value,
    )
    def fail(self) -> None:
        """It will never complete; nothing moved."""

    @transition(field=state, source=TransactionState.COMPLETED.value, target=TransactionState.REVERSED.value)
    def mark_reversed(self) -> None:
        """A correction that points here has undone it."""


class IdempotencyKey(models.Model):
    """A caller's key for one operation, the digest of what was asked, and the transaction it led to."""

    namespace = models.CharField(max_length=40)
    operation = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    transaction = models.ForeignKey(CloudTransaction, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="idempotency_key_once", fields=["namespace", "operation", "key"])
        ]

    def __str__(self) -> str:
        return f"{self.namespace} {self.operation} {self.key}"
