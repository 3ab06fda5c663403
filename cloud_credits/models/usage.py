"""What members used and what it cost them: one row an event, written once."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Greatest, Round
from django_fsm import FSMField, transition
from moneyed import Money

from cloud_credits.policies.metering_batch import BatchForm, SubmissionState
from cloud_credits.policies.primitives import MEASURES, Primitive
from habitat.money import CLOUD, CLOUD_PLACES, SMALLEST_CLOUD, cloud_to_usd

if TYPE_CHECKING:
    from habitat.controls.models import ServiceKey
    from habitat.members.models import User

_PRIMITIVES = [(primitive.value, measure.title) for primitive, measure in MEASURES.items()]


class ResourceUsageQuerySet(models.QuerySet["ResourceUsage"]):
    def visible_to(self, user: "User | AnonymousUser") -> "ResourceUsageQuerySet":
        """A member sees their own usage; who may view usage sees all; anybody else nothing."""
        if user.has_perm("cloud_credits.view_resourceusage"):
            return self
        if not user.is_authenticated:
            return self.none()
        return self.filter(member__user=user)

    def with_booking(self) -> "ResourceUsageQuerySet":
        """With when and in which period each was booked, by queries of their own: the rows stay a walk of one index."""
        return self.prefetch_related("transaction", "journal_entry__period")


class ResourceUsage(models.Model):
    """One metered usage. Insert-only: the price it was redeemed at never changes."""

    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, db_index=False, related_name="+")
    primitive = models.CharField(max_length=8, choices=_PRIMITIVES)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    unit = models.CharField(max_length=16)
    rate = models.DecimalField(max_digits=12, decimal_places=8)
    cost = models.DecimalField("cost, CLOUD", max_digits=20, decimal_places=8)
    rate_card = models.ForeignKey("cloud_credits.RateCard", on_delete=models.PROTECT, db_index=False, related_name="+")
    service_key = models.ForeignKey("controls.ServiceKey", on_delete=models.PROTECT, db_index=False, related_name="+")
    service_name = models.CharField(max_length=100)
    event_id = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    started_at = models.DateTimeField(null=True)
    metered_at = models.DateTimeField("ended at")
    received_at = models.DateTimeField()
    is_late = models.BooleanField(default=False)
    approval = models.ForeignKey(
        "controls.Approval", on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    # Its reference in the database is `usage_is_redeemed`, which asks for member, cost and entry as well.
    transaction = models.OneToOneField(
        "cloud_credits.CloudTransaction", on_delete=models.PROTECT, related_name="resource_usage", db_constraint=False
    )
    journal_entry = models.ForeignKey(
        "treasury.JournalEntry", on_delete=models.PROTECT, db_index=False, related_name="+"
    )

    objects = ResourceUsageQuerySet.as_manager()

    class Meta:
        verbose_name = "usage"
        verbose_name_plural = "usage"
        ordering: ClassVar = ["-metered_at", "-id"]
        permissions: ClassVar = [
            ("admit_late_usage", "Can ask for and agree to usage older than 35 days"),
            ("view_usage_margin", "Can read what usage brought in and what it cost"),
        ]
        indexes: ClassVar = [
            # Index budget 4: key, event id, transaction, and this one, which serves every page of one member's usage.
            models.Index(name="usage_member_metered", fields=["member", "metered_at", "id"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="usage_event_once",
                fields=["service_key", "event_id"],
                violation_error_message="This event is already recorded.",
            ),
            models.CheckConstraint(
                name="usage_quantity_positive",
                condition=Q(quantity__gt=0),
                violation_error_message="A quantity is more than zero.",
            ),
            models.CheckConstraint(
                name="usage_cost_is_quantity_times_rate",
                # PostgreSQL's numeric round() is half away from zero: half-up, for positive numbers.
                condition=Q(
                    cost=Greatest(
                        Round(models.F("quantity") * models.F("rate"), precision=CLOUD_PLACES), Value(SMALLEST_CLOUD)
                    )
                ),
                violation_error_message="The cost is quantity × rate, half-up to eight decimals, never free.",
            ),
            models.CheckConstraint(
                name="usage_unit_of_primitive",
                condition=Q(primitive="compute", unit=MEASURES[Primitive.COMPUTE].unit)
                | Q(primitive="transfer", unit=MEASURES[Primitive.TRANSFER].unit)
                | Q(primitive="ltm", unit=MEASURES[Primitive.LTM].unit)
                | Q(primitive="stm", unit=MEASURES[Primitive.STM].unit),
                violation_error_message="Each primitive has one unit.",
            ),
            models.CheckConstraint(
                name="usage_starts_before_it_ends",
                condition=Q(started_at__isnull=True) | Q(started_at__lte=models.F("metered_at")),
                violation_error_message="Usage starts before it ends.",
            ),
            models.CheckConstraint(
                name="usage_late_has_approval",
                condition=Q(is_late=True, approval__isnull=False) | Q(is_late=False, approval__isnull=True),
                violation_error_message="Late usage, and only late usage, names its approval.",
            ),
            # Of late usage alone: a batch writes nothing into its index.
            models.UniqueConstraint(
                name="usage_approval_once",
                fields=["approval"],
                condition=Q(approval__isnull=False),
                violation_error_message="An approval lets in one usage.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.unit} of {self.primitive}"

    @property
    def cost_money(self) -> Money:
        return Money(self.cost, CLOUD)

    @property
    def usd_value(self) -> object:
        """USD at the peg, exact."""
        return cloud_to_usd(self.cost)


class MeteringRefusal(models.Model):
    """An event that was refused, as it came. It blocks nothing: the event may be sent again."""

    service_key = models.ForeignKey(
        "controls.ServiceKey", on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    event_id = models.CharField(max_length=200, blank=True, default="")
    code = models.CharField(max_length=60)
    field = models.CharField(max_length=60, blank=True, default="")
    sentence = models.TextField()
    details = models.JSONField(default=dict)
    event = models.JSONField(default=dict)
    refused_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "refused metering event"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(name="refusal_event", fields=["service_key", "event_id"])]

    def __str__(self) -> str:
        return f"{self.event_id}: {self.code}"


class MeteringStage(models.Model):
    """An event of a batch on its way into the ledger: written, read and taken off within one transaction.

    Unlogged: no row ever sees a commit. `id` is the number its transaction will have, and is drawn from there.
    """

    id = models.BigIntegerField(primary_key=True)
    event_id = models.TextField(null=True)  # noqa: DJ001 - an item that is no event is a row of nothing
    member_id = models.BigIntegerField(null=True)
    primitive = models.TextField(null=True)  # noqa: DJ001
    quantity = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    unit = models.TextField(null=True)  # noqa: DJ001
    service_name = models.TextField(null=True)  # noqa: DJ001
    said_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(null=True)
    # Its price, once it has one.
    card_id = models.BigIntegerField(null=True)
    version = models.IntegerField(null=True)
    rate = models.DecimalField(max_digits=12, decimal_places=8, null=True)
    cost = models.DecimalField(max_digits=30, decimal_places=8, null=True)
    digest = models.BinaryField(null=True)
    description = models.TextField(null=True)  # noqa: DJ001

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.event_id or ""


class MeteringSubmissionQuerySet(models.QuerySet["MeteringSubmission"]):
    def sent_by(self, key: "ServiceKey") -> "MeteringSubmissionQuerySet":
        """A service's own."""
        return self.filter(service_key=key)


class MeteringSubmission(models.Model):
    """Events a service left for later: kept as they came until they are charged, then only what became of each."""

    service_key = models.ForeignKey("controls.ServiceKey", on_delete=models.PROTECT, db_index=False, related_name="+")
    form = models.CharField(max_length=8, choices=[(form.value, form.value) for form in BatchForm])
    body = models.BinaryField()
    events = models.PositiveIntegerField()
    state = FSMField(
        default=SubmissionState.QUEUED.value,
        choices=[(state.value, state.value) for state in SubmissionState],
        protected=True,
    )
    # What "too early" and "too late" are measured by, however long the events wait.
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, default="")
    done_at = models.DateTimeField(null=True)
    accepted = models.PositiveIntegerField(null=True)
    duplicates = models.PositiveIntegerField(null=True)
    conflicts = models.PositiveIntegerField(null=True)
    rejected = models.PositiveIntegerField(null=True)
    # A JSON array, an answer an event in the order sent: text, for the database has no question about it.
    answers = models.TextField(blank=True, default="")

    objects = MeteringSubmissionQuerySet.as_manager()

    class Meta:
        verbose_name = "queued usage"
        verbose_name_plural = "queued usage"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                name="submission_due", fields=["due_at", "id"], condition=Q(state=SubmissionState.QUEUED.value)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="submission_done_whole",
                condition=Q(state=SubmissionState.QUEUED.value, done_at__isnull=True, accepted__isnull=True)
                | Q(
                    state=SubmissionState.DONE.value,
                    done_at__isnull=False,
                    events=models.F("accepted") + models.F("duplicates") + models.F("conflicts") + models.F("rejected"),
                ),
                violation_error_message="What is done has answered every event.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.events} events of {self.received_at:%Y-%m-%d %H:%M:%S}"

    @transition(field=state, source=SubmissionState.QUEUED.value, target=SubmissionState.DONE.value)
    def finish(self) -> None:
        """Every event of it is answered."""


class UsageImport(models.Model):
    """How far a file of events has been read: the bytes before `offset` are all judged and committed."""

    service_key = models.ForeignKey("controls.ServiceKey", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    # SHA-256 of the file's first line: another file under the same name is not resumed by mistake.
    fingerprint = models.BinaryField(max_length=32)
    offset = models.BigIntegerField(default=0)
    # SHA-256 of the last 4 KiB before `offset`: a file that only grew still has them there. Null before the first mark.
    tail = models.BinaryField(max_length=32, null=True)
    rows = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    blanks = models.BigIntegerField(default=0)
    # Length of the report of refused rows at `offset`: what a killed run wrote past it is cut off and written again.
    report_bytes = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="usage_import_once", fields=["service_key", "name"]),
            models.CheckConstraint(
                name="usage_import_adds_up",
                condition=Q(rows=models.F("accepted") + models.F("duplicates") + models.F("refused")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.rows} rows"
