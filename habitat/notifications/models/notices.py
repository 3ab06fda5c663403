"""Notices to members: on the site, by e-mail, and what each member wants to get."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import FSMField, transition

from habitat.events.models import Event
from habitat.members.models import Member
from habitat.notifications.policies.channels import Channel, EmailState

if TYPE_CHECKING:
    from habitat.members.models import User

OPEN = (EmailState.QUEUED.value, EmailState.SENDING.value)


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: "User | AnonymousUser") -> "NotificationQuerySet":
        """A member's own, and nobody else's: not even the back office reads over a shoulder here."""
        return self.filter(member__user=user) if user.is_authenticated else self.none()

    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)


class Notification(models.Model):
    """A notice on the site. Written once; only `read_at` is added."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="notifications", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "member"], name="notification_once_an_event"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["member", "-id"], name="notification_of_member"),
            models.Index(fields=["member"], condition=Q(read_at__isnull=True), name="notification_unread"),
        ]

    def __str__(self) -> str:
        return self.subject


class EmailQuerySet(models.QuerySet["Email"]):
    def visible_to(self, user: "User | AnonymousUser") -> "EmailQuerySet":
        """The back office's: whoever may view e-mails."""
        return self if user.has_perm("notifications.view_email") else self.none()


class Email(models.Model):
    """A notice by e-mail. The address is looked up when it is sent, and kept in `sent_to`."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="emails")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=60)
    channel = models.CharField(max_length=16, default=Channel.EMAIL.value, editable=False)
    message_id = models.CharField(max_length=255, unique=True)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=200, blank=True)
    state = FSMField(
        db_default=EmailState.QUEUED.value,
        default=EmailState.QUEUED.value,
        choices=[(state.value, state.value) for state in EmailState],
        protected=True,
    )
    attempts = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(db_default=0)
    error = models.CharField(max_length=500, db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    sent_to = models.EmailField(db_default="", blank=True)

    objects = EmailQuerySet.as_manager()

    class Meta:
        verbose_name = "e-mail"
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("resend_email", "Can send dead e-mails again")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "member", "channel"], name="email_once_an_event"),
            models.CheckConstraint(name="email_state_known", condition=Q(state__in=[s.value for s in EmailState])),
            models.CheckConstraint(
                name="email_leased_while_sending",
                condition=Q(state=EmailState.SENDING.value, lease_until__isnull=False)
                | (~Q(state=EmailState.SENDING.value) & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="email_sent_says_when_and_where",
                condition=~Q(state=EmailState.SENT.value) | (Q(sent_at__isnull=False) & ~Q(sent_to="")),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["due_at", "id"], condition=Q(state__in=OPEN), name="email_open")]

    def __str__(self) -> str:
        return self.subject

    @transition(field=state, source=EmailState.SENDING.value, target=EmailState.SENT.value)
    def sent(self) -> None:
        """The mail server took it."""

    @transition(field=state, source=EmailState.SENDING.value, target=EmailState.QUEUED.value)
    def put_back(self) -> None:
        """It failed and is due again later."""

    @transition(field=state, source=EmailState.SENDING.value, target=EmailState.DEAD.value)
    def die(self) -> None:
        """It failed too often: a person must look."""

    @transition(field=state, source=EmailState.DEAD.value, target=EmailState.QUEUED.value)
    def send_again(self) -> None:
        """A person sends it again."""


class PreferenceQuerySet(models.QuerySet["Preference"]):
    def visible_to(self, user: "User | AnonymousUser") -> "PreferenceQuerySet":
        """A member's own."""
        return self.filter(member__user=user) if user.is_authenticated else self.none()


class Preference(models.Model):
    """What a member chose for one kind of notice on one channel; without a row the kind's default holds."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="preferences", db_index=False)
    type = models.CharField(max_length=60)
    channel = models.CharField(max_length=16, choices=[(channel.value, channel.label) for channel in Channel])
    wanted = models.BooleanField()

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["member", "type", "channel"], name="preference_once"),
            models.CheckConstraint(
                name="preference_channel_known", condition=Q(channel__in=[c.value for c in Channel])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} by {self.channel}: {'yes' if self.wanted else 'no'}"
