"""Webhooks to services: where to, what was said, how each sending went."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.controls.models import ServiceKey
from habitat.events.models import Event
from habitat.notifications.policies.webhooks import DeliveryState, EndpointState

if TYPE_CHECKING:
    from habitat.members.models import User

OPEN_DELIVERIES = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)
STANDING = (EndpointState.ACTIVE.value, EndpointState.DISABLED.value)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def visible_to(self, user: "User | AnonymousUser") -> "WebhookEndpointQuerySet":
        """The back office's: whoever may view endpoints."""
        return self if user.has_perm("notifications.view_webhookendpoint") else self.none()

    def of_key(self, key_id: int) -> "WebhookEndpointQuerySet":
        """A service's own, the removed ones left out."""
        return self.filter(key_id=key_id, state__in=STANDING)


class WebhookEndpoint(FSMModelMixin, models.Model):
    """Where a service hears from us. Its signing secret is derived from `salt` and the house's key, and stored nowhere.

    `failing_since` is the first failure since the last success; after too long the endpoint is switched off.
    """

    key = models.ForeignKey(ServiceKey, on_delete=models.PROTECT, related_name="webhook_endpoints")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True, default="")
    types = ArrayField(models.CharField(max_length=60))
    salt = models.CharField(max_length=32, editable=False)
    secret_version = models.PositiveIntegerField(default=1)
    rotated_at = models.DateTimeField(null=True)
    state = FSMField(
        default=EndpointState.ACTIVE.value,
        choices=[(state.value, state.value) for state in EndpointState],
        protected=True,
    )
    because = models.CharField("why it is off", max_length=500, blank=True, default="")
    failures = models.PositiveIntegerField("failures in a row", default=0)
    failing_since = models.DateTimeField(null=True)
    quiet_until = models.DateTimeField(db_default=Now())
    attempted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=60)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook endpoint"
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("manage_webhooks", "Can set up webhook endpoints and send messages again")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="webhook_endpoint_state_known", condition=Q(state__in=[state.value for state in EndpointState])
            ),
            models.CheckConstraint(name="webhook_endpoint_has_type", condition=Q(types__len__gt=0)),
            models.CheckConstraint(
                name="webhook_endpoint_scheme",
                condition=Q(url__startswith="https://") | Q(url__startswith="http://"),
                violation_error_message="An address begins with https://.",
            ),
            models.UniqueConstraint(
                name="webhook_endpoint_once_a_key",
                fields=["key", "url"],
                condition=Q(state__in=STANDING),
                violation_error_message="This key already has an endpoint at this address.",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @transition(field=state, source=EndpointState.ACTIVE.value, target=EndpointState.DISABLED.value)
    def disable(self) -> None:
        """Nothing is sent, and nothing is kept for it, until somebody switches it on."""

    @transition(field=state, source=EndpointState.DISABLED.value, target=EndpointState.ACTIVE.value)
    def enable(self) -> None:
        """What still waits goes out, and what happens from now on."""

    @transition(
        field=state,
        source=[EndpointState.ACTIVE.value, EndpointState.DISABLED.value],
        target=EndpointState.REMOVED.value,
    )
    def remove(self) -> None:
        """For good; what was sent is still to be read."""


class WebhookMessage(models.Model):
    """What is said, word for word: the same body at every attempt and to every endpoint. `subject` tells apart the
    messages of one event: `member:12`."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=60, default="")
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "webhook message"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="webhook_message_once", fields=["event", "type", "subject"]),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.type}"

    @property
    def public_id(self) -> str:
        """`webhook-id`: by it a receiver knows a message it has seen."""
        return f"msg_{self.pk}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, user: "User | AnonymousUser") -> "WebhookDeliveryQuerySet":
        """The back office's: whoever may view deliveries."""
        return self if user.has_perm("notifications.view_webhookdelivery") else self.none()


class WebhookDelivery(FSMModelMixin, models.Model):
    """One message on its way to one endpoint.

    Messages with a `sequence` tell how something stands: of the same `about` the largest one is the newest, and the
    others need not be told any more. Once it is finished, `due_at` is when it was.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    message = models.ForeignKey(WebhookMessage, on_delete=models.PROTECT, related_name="deliveries")
    about = models.CharField(max_length=125, db_default="", blank=True)
    sequence = models.BigIntegerField(null=True)
    state = FSMField(
        db_default=DeliveryState.PENDING.value,
        default=DeliveryState.PENDING.value,
        choices=[(state.value, state.value) for state in DeliveryState],
        protected=True,
    )
    attempts = models.PositiveSmallIntegerField("attempts since it was last queued", db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(db_default=0)
    status = models.PositiveSmallIntegerField("last answer", null=True)
    error = models.CharField(max_length=500, db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="webhook_delivery_once", fields=["endpoint", "message"]),
            models.CheckConstraint(
                name="webhook_delivery_state_known", condition=Q(state__in=[state.value for state in DeliveryState])
            ),
            models.CheckConstraint(
                name="webhook_leased_while_sending",
                condition=Q(state=DeliveryState.SENDING.value, lease_until__isnull=False)
                | (~Q(state=DeliveryState.SENDING.value) & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="webhook_delivered_says_when",
                condition=~Q(state=DeliveryState.DELIVERED.value) | Q(delivered_at__isnull=False),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                name="webhook_delivery_open",
                fields=["endpoint", "due_at", "id"],
                condition=Q(state__in=OPEN_DELIVERIES),
            ),
            models.Index(
                name="webhook_delivery_newest",
                fields=["about", "endpoint"],
                condition=Q(state=DeliveryState.PENDING.value, sequence__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk}"

    @transition(field=state, source=DeliveryState.SENDING.value, target=DeliveryState.DELIVERED.value)
    def delivered(self) -> None:
        """The receiver took it."""

    @transition(field=state, source=DeliveryState.SENDING.value, target=DeliveryState.PENDING.value)
    def put_back(self) -> None:
        """It failed and is due again later."""

    @transition(field=state, source=DeliveryState.SENDING.value, target=DeliveryState.DEAD.value)
    def die(self) -> None:
        """It failed too often: a person must look."""

    @transition(
        field=state,
        source=[DeliveryState.DEAD.value, DeliveryState.DELIVERED.value],
        target=DeliveryState.PENDING.value,
    )
    def replay(self) -> None:
        """Somebody wants it sent again, under its own id."""


class WebhookAttempt(models.Model):
    """One sending and what came of it: an answer's status, or why there was none."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="tries")
    at = models.DateTimeField(db_default=Now())
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.status or self.error} after {self.milliseconds} ms"
