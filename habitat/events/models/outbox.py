"""The outbox: what happened, written with the change itself, and who still has to hear it."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, transition

from habitat.events.policies.registry import DeliveredEvent, Subscriber
from habitat.events.policies.states import DeliveryState
from habitat.faces.fields import CurrentTransaction, TransactionIdField

if TYPE_CHECKING:
    from habitat.members.models import User

OPEN = (DeliveryState.PENDING.value, DeliveryState.DELIVERING.value)


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, user: "User | AnonymousUser") -> "EventQuerySet":
        """The outbox is the back office's: whoever may view events, and nobody else."""
        return self if user.has_perm("events.view_event") else self.none()


class Event(models.Model):
    """A fact, written once in the transaction of the change it tells of. Rows are never changed or deleted.

    `subscribers` keeps who had a handler at that moment, so that "every event has its deliveries" stays provable.
    """

    name = models.CharField(max_length=80)
    payload = models.JSONField()
    actor = models.CharField(max_length=40)
    occurred_at = models.DateTimeField(db_default=Now())
    transaction = TransactionIdField(db_default=CurrentTransaction())
    subscribers = ArrayField(models.CharField(max_length=16))

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"

    def delivered(self) -> DeliveredEvent:
        """As handlers get it."""
        return DeliveredEvent(self.pk, self.name, self.payload, self.actor, self.occurred_at)


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def visible_to(self, user: "User | AnonymousUser") -> "DeliveryQuerySet":
        """As for events: the back office's."""
        return self if user.has_perm("events.view_delivery") else self.none()

    def dead(self) -> "DeliveryQuerySet":
        return self.filter(state=DeliveryState.DEAD.value)


class Delivery(models.Model):
    """One event on its way to one subscriber.

    `due_at` says when a worker may take it next: for a pending one when it is (again) due, for one in delivery when
    the lease ends. `fence` counts the takings: whoever holds an older number is refused.
    """

    # No index of its own: (event, subscriber) serves. No constraint either: it would take a row lock on the event
    # for each delivery, on the hottest path; only `emit` may insert here and `reports.proofs` checks it.
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False, db_constraint=False
    )
    subscriber = models.CharField(max_length=16, choices=[(s.value, s.value) for s in Subscriber])
    state = FSMField(
        db_default=DeliveryState.PENDING.value,
        default=DeliveryState.PENDING.value,
        choices=[(state.value, state.value) for state in DeliveryState],
        protected=True,
    )
    attempts = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(db_default=0)
    error = models.CharField(max_length=500, db_default="", blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("replay_delivery", "Can replay dead deliveries")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "subscriber"], name="delivery_once_per_subscriber"),
            models.CheckConstraint(
                name="delivery_state_known", condition=Q(state__in=[state.value for state in DeliveryState])
            ),
            models.CheckConstraint(
                name="delivery_subscriber_known", condition=Q(subscriber__in=[s.value for s in Subscriber])
            ),
            models.CheckConstraint(
                name="delivery_leased_while_delivering",
                condition=Q(state=DeliveryState.DELIVERING.value, lease_until__isnull=False)
                | (~Q(state=DeliveryState.DELIVERING.value) & Q(lease_until__isnull=True)),
            ),
        ]
        indexes: ClassVar = [
            # The claim reads only this: it stays as small as the work that is left.
            models.Index(fields=["subscriber", "due_at", "id"], condition=Q(state__in=OPEN), name="delivery_open"),
            models.Index(fields=["subscriber", "id"], condition=Q(state="dead"), name="delivery_dead"),
        ]

    def __str__(self) -> str:
        return f"event {self.event_id} to {self.subscriber}"

    @transition(field=state, source=DeliveryState.DELIVERING.value, target=DeliveryState.DELIVERED.value)
    def deliver(self) -> None:
        """The handler's effect commits with this."""

    @transition(field=state, source=DeliveryState.DELIVERING.value, target=DeliveryState.PENDING.value)
    def put_back(self) -> None:
        """Tried and failed, or never sent: due again later."""

    @transition(field=state, source=DeliveryState.DELIVERING.value, target=DeliveryState.DEAD.value)
    def die(self) -> None:
        """Tried often enough: a person must look."""

    @transition(field=state, source=DeliveryState.DEAD.value, target=DeliveryState.PENDING.value)
    def replay(self) -> None:
        """A person sends it again."""
