"""Tells a member something, by the channels they want, once an event."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from habitat.errors import NotAllowed
from habitat.events.actions.wakes import wake_after_commit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.notifications.errors import NotYours
from habitat.notifications.models import Email, Notification
from habitat.notifications.policies.channels import Channel, message_id
from habitat.notifications.policies.types import NotificationType, type_of
from habitat.notifications.reports import preferences


@transaction.atomic
def notify(
    *, member_id: int, type: NotificationType | str, subject: str, text: str, link: str, event_id: int, acting: Actor
) -> None:
    """Tells the member by each wanted channel; a second call for the same event and member does nothing.

    `text` is plain, without secrets; `link` is a path of this site. Raises UnknownNotificationType.
    """
    kind = type_of(type) if isinstance(type, str) else type_of(type.code)
    content = {
        "member_id": member_id,
        "event_id": event_id,
        "type": kind.code,
        "subject": _one_line(subject)[:200],
        "text": text,
        "link": link,
    }
    wanted = preferences.channels(member_id, kind)
    if Channel.IN_APP in wanted:
        Notification.objects.bulk_create([Notification(**content)], ignore_conflicts=True)
    if Channel.EMAIL in wanted and Member.objects.filter(pk=member_id, user__is_active=True).exists():
        identity = message_id(event_id=event_id, member_id=member_id, host=_host())
        Email.objects.bulk_create([Email(**content, message_id=identity)], ignore_conflicts=True)
        wake_after_commit("emails")


@transaction.atomic
def notify_many(
    *,
    member_ids: Sequence[int],
    type: NotificationType | str,
    subject: str,
    text: str,
    link: str,
    event_id: int,
    acting: Actor,
) -> None:
    """`notify` for many members at once: four statements, however many they are. Raises UnknownNotificationType."""
    kind = type_of(type) if isinstance(type, str) else type_of(type.code)
    content = {
        "event_id": event_id,
        "type": kind.code,
        "subject": _one_line(subject)[:200],
        "text": text,
        "link": link,
    }
    wanted = preferences.channels_of_many(member_ids, kind)
    on_site = [member_id for member_id in member_ids if Channel.IN_APP in wanted[member_id]]
    Notification.objects.bulk_create(
        [Notification(**content, member_id=member_id) for member_id in on_site], ignore_conflicts=True
    )
    reached = Member.objects.filter(pk__in=member_ids, user__is_active=True).order_by("pk").values_list("pk", flat=True)
    mails = [
        Email(
            **content,
            member_id=member_id,
            message_id=message_id(event_id=event_id, member_id=member_id, host=_host()),
        )
        for member_id in reached
        if Channel.EMAIL in wanted[member_id]
    ]
    if mails:
        Email.objects.bulk_create(mails, ignore_conflicts=True)
        wake_after_commit("emails")


@transaction.atomic
def mark_read(*, notification: Notification, acting: Actor) -> None:
    """The member has read it; again does nothing. Raises NotYours."""
    if not acting.is_member(notification.member_id):
        raise NotYours
    Notification.objects.filter(pk=notification.pk).unread().update(read_at=Now())


@transaction.atomic
def mark_all_read(*, member: Member, acting: Actor) -> int:
    """The member has read all there is; how many were unread. Raises NotAllowed."""
    if not acting.is_member(member.pk):
        raise NotAllowed(permission="being the member")
    return Notification.objects.filter(member=member).unread().update(read_at=Now())


def _one_line(subject: str) -> str:
    """A subject with a line break would be refused as a forged header when the mail is built."""
    return " ".join(subject.split())


def _host() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"
