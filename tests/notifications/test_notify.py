"""Notices: once an event, by the channels the member wants, to nobody else."""

import pytest
from django.db import IntegrityError, connection, transaction

from habitat.errors import NotAllowed
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.notifications.actions.notify import mark_all_read, mark_read, notify, notify_many
from habitat.notifications.actions.preferences import choose
from habitat.notifications.errors import AlwaysTold, NotYours, UnknownNotificationType
from habitat.notifications.models import Email, Notification, Preference
from habitat.notifications.policies.channels import Channel, message_id
from habitat.notifications.policies.types import NotificationType, register, type_of
from habitat.notifications.reports.notices import unread_count
from habitat.notifications.reports.preferences import channels, choices
from tests.events.facts import BellRang
from tests.members import people

pytestmark = pytest.mark.django_db

BELL = NotificationType("bell.rang", "The bell rang", (Channel.IN_APP, Channel.EMAIL))
WHISPER = NotificationType("bell.whisper", "A whisper")
ALARM = NotificationType(
    "bell.alarm", "The alarm", (Channel.IN_APP, Channel.EMAIL), always=(Channel.IN_APP,), why_always="It is for all."
)
register(BELL, WHISPER, ALARM)


def tell(member: Member, event_id: int, kind: NotificationType = BELL, **changes: str) -> None:
    content = {"subject": "The bell rang", "text": "It rang 3 times.", "link": "/cloud/"} | changes
    notify(member_id=member.pk, type=kind, event_id=event_id, acting=SYSTEM, **content)


def ring() -> int:
    return emit(BellRang(amount="1"), acting=SYSTEM)[0]


def test_notify__writes_one_notice_for_each_channel_once_an_event() -> None:
    ada, event_id = people.active("Ada"), ring()
    tell(ada, event_id)
    tell(ada, event_id, subject="again")
    notice, email = Notification.objects.get(), Email.objects.get()
    assert (notice.member_id, notice.event_id, notice.type) == (ada.pk, event_id, "bell.rang")
    assert (notice.subject, notice.text, notice.link, notice.read_at) == (
        "The bell rang",
        "It rang 3 times.",
        "/cloud/",
        None,
    )
    assert (email.state, email.channel, email.sent_to) == ("queued", "email", "")
    assert email.message_id == f"<event-{event_id}.member-{ada.pk}@127.0.0.1>"
    tell(ada, ring())
    tell(people.active("Bo"), event_id)
    assert (Notification.objects.count(), Email.objects.count()) == (3, 3)


def test_message_id__is_the_same_for_ever() -> None:
    assert message_id(event_id=4, member_id=9, host="habitat.example") == "<event-4.member-9@habitat.example>"


def test_notify__unknown_type_is_refused() -> None:
    with pytest.raises(UnknownNotificationType):
        tell(people.active("Ada"), ring(), NotificationType("nobody.knows", "?"))
    assert not Notification.objects.exists()


def test_notify__default_channels_hold_until_the_member_chooses() -> None:
    ada = people.active("Ada")
    tell(ada, ring(), WHISPER)
    assert (Notification.objects.count(), Email.objects.count()) == (1, 0)
    acting = people.acting_as(ada)
    choose(
        member=ada,
        wanted={("bell.whisper", Channel.EMAIL): True, ("bell.whisper", Channel.IN_APP): False},
        acting=acting,
    )
    tell(ada, ring(), WHISPER)
    assert (Notification.objects.count(), Email.objects.count()) == (1, 1)
    choose(member=ada, wanted={("bell.whisper", Channel.EMAIL): False}, acting=acting)
    tell(ada, ring(), WHISPER)
    assert (Notification.objects.count(), Email.objects.count()) == (1, 1)
    assert channels(ada.pk, type_of("bell.whisper")) == set()
    held = {choice.type.code: choice.wanted for choice in choices(ada.pk)}
    assert held["bell.whisper"] == {Channel.IN_APP: False, Channel.EMAIL: False}
    assert held["bell.rang"] == {Channel.IN_APP: True, Channel.EMAIL: True}


def test_choose__what_always_reaches_the_member_is_no_choice() -> None:
    ada = people.active("Ada")
    with pytest.raises(AlwaysTold) as refused:
        choose(
            member=ada,
            wanted={("bell.alarm", Channel.EMAIL): False, ("bell.alarm", Channel.IN_APP): False},
            acting=people.acting_as(ada),
        )
    assert refused.value.sentence == "“The alarm” always reaches you on the site. It is for all."
    assert not Preference.objects.exists()
    choose(
        member=ada,
        wanted={("bell.alarm", Channel.EMAIL): False, ("bell.alarm", Channel.IN_APP): True},
        acting=people.acting_as(ada),
    )
    assert channels(ada.pk, ALARM) == {Channel.IN_APP}


def test_notify__what_always_reaches_the_member_does_so_over_an_older_choice() -> None:
    """A choice made before the kind was one that always reaches everybody."""
    ada, bo = people.active("Ada"), people.active("Bo")
    for channel in Channel:
        Preference.objects.create(member=ada, type="bell.alarm", channel=channel.value, wanted=False)
    tell(ada, ring(), ALARM)
    notify_many(
        member_ids=[ada.pk, bo.pk], type=ALARM, subject="Fire", text="Leave.", link="/", event_id=ring(), acting=SYSTEM
    )
    assert sorted(Notification.objects.values_list("member_id", flat=True)) == [ada.pk, ada.pk, bo.pk]
    assert list(Email.objects.values_list("member_id", flat=True)) == [bo.pk]
    held = {choice.type.code: choice.wanted for choice in choices(ada.pk)}
    assert held["bell.alarm"] == {Channel.IN_APP: True, Channel.EMAIL: False}


def test_choose__is_the_members_own_alone() -> None:
    ada, bo = people.active("Ada"), people.active("Bo")
    with pytest.raises(NotAllowed):
        choose(member=ada, wanted={("bell.rang", Channel.EMAIL): False}, acting=people.acting_as(bo))
    with pytest.raises(UnknownNotificationType):
        choose(member=ada, wanted={("no.such", Channel.EMAIL): False}, acting=people.acting_as(ada))
    assert not Preference.objects.exists()


def test_notify__no_mail_to_whoever_has_no_sign_in() -> None:
    techne = Member.objects.system(SystemAccount.TECHNE)
    tell(techne, ring())
    assert (Notification.objects.count(), Email.objects.count()) == (1, 0)


def test_subject__cannot_forge_a_header() -> None:
    tell(people.active("Ada"), ring(), subject="Hello\r\nBcc: everybody@example.org")
    assert Email.objects.get().subject == "Hello Bcc: everybody@example.org"


def test_read__by_the_member_alone() -> None:
    ada, bo = people.active("Ada"), people.active("Bo")
    for _ in range(3):
        tell(ada, ring())
    tell(bo, ring())
    first = Notification.objects.filter(member=ada).first()
    assert first is not None
    with pytest.raises(NotYours):
        mark_read(notification=first, acting=people.acting_as(bo))
    with pytest.raises(NotAllowed):
        mark_all_read(member=ada, acting=people.acting_as(bo))
    assert unread_count(ada.pk) == 3
    mark_read(notification=first, acting=people.acting_as(ada))
    mark_read(notification=first, acting=people.acting_as(ada))
    assert unread_count(ada.pk) == 2
    assert mark_all_read(member=ada, acting=people.acting_as(ada)) == 2
    assert (unread_count(ada.pk), unread_count(bo.pk)) == (0, 1)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE notifications_notification SET text = 'something else'",
        "DELETE FROM notifications_notification",
        "DELETE FROM notifications_email",
        "UPDATE notifications_email SET state = 'sent', sent_at = now(), sent_to = 'x@example.org'",
        "UPDATE notifications_email SET text = 'something else'",
        "UPDATE notifications_email SET state = 'dead'",
    ],
)
def test_notices__are_not_rewritten_by_the_application(attack: str) -> None:
    tell(people.active("Ada"), ring())
    before = (list(Notification.objects.values()), list(Email.objects.values()))
    with pytest.raises(Exception, match=r"permission denied|never changes|cannot go"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(attack)
    assert (list(Notification.objects.values()), list(Email.objects.values())) == before


def test_email__unique_for_event_member_and_channel() -> None:
    tell(people.active("Ada"), ring())
    email = Email.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Email.objects.create(
            member_id=email.member_id, event_id=email.event_id, type="x", message_id="<other>", subject="s", text="t"
        )
