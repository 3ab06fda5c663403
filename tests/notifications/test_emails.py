"""The e-mail queue: sent once when all goes well, again under the same Message-ID when not, dead at the end."""

import smtplib
import threading
from collections import Counter

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, connections, transaction

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.workflows import queue
from habitat.members.models import User
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.notifications.actions import emails
from habitat.notifications.errors import EmailNotDead
from habitat.notifications.models import Email
from tests.members import people
from tests.notifications.test_notify import ring, tell

OLGA = Actor(ActorKind.MEMBER, 3, "Olga", frozenset({"notifications.resend_email"}))


class Unwell(EmailBackend):
    """A mail server that refuses as often as it is told to."""

    refusals = 0

    def send_messages(self, messages: list) -> int:
        if type(self).refusals:
            type(self).refusals -= 1
            raise smtplib.SMTPServerDisconnected("connection lost, password hunter2 was\nhunter2")
        return super().send_messages(messages)


@pytest.fixture
def unwell(settings) -> type[Unwell]:
    settings.EMAIL_BACKEND = f"{__name__}.Unwell"
    Unwell.refusals = 0
    return Unwell


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_email SET due_at = now() - interval '1 s' WHERE state <> 'sent'")


@pytest.mark.django_db
def test_drain__sends_plain_text_and_html_with_a_fixed_message_id() -> None:
    ada = people.active("Ada")
    tell(ada, ring(), text="It rang 3 times.\n\n<b>Loudly</b>")
    assert queue.drain("emails") == 1
    assert queue.drain("emails") == 0
    email = Email.objects.get()
    (sent,) = mail.outbox
    address = User.objects.get(pk=ada.user_id).email
    assert (sent.to, sent.subject) == ([address], "The bell rang")
    assert sent.message()["Message-ID"] == email.message_id
    assert sent.message()["List-Unsubscribe"] == "<http://127.0.0.1:8000/settings/notifications/>"
    assert "Hello Ada," in sent.body
    assert "<b>Loudly</b>" in sent.body
    assert "http://127.0.0.1:8000/cloud/" in sent.body
    assert "http://127.0.0.1:8000/settings/notifications/" in sent.body
    ((html, kind),) = sent.alternatives
    assert kind == "text/html"
    assert "&lt;b&gt;Loudly&lt;/b&gt;" in html
    assert (email.state, email.attempts, email.sent_to, email.error) == ("sent", 1, address, "")
    assert email.sent_at is not None


@pytest.mark.django_db
def test_failure__is_retried_under_the_same_message_id(unwell: type[Unwell]) -> None:
    for name in ("Ada", "Bo"):
        tell(people.active(name), ring())
    unwell.refusals = 1
    assert queue.drain("emails") == 1
    failed = Email.objects.get(state="queued")
    assert (failed.attempts, failed.error) == (1, "SMTPServerDisconnected: connection lost, password … was")
    make_due()
    assert queue.drain("emails") == 1
    assert sorted(sent.message()["Message-ID"] for sent in mail.outbox) == sorted(
        Email.objects.values_list("message_id", flat=True)
    )
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_dead__after_the_last_attempt_and_sent_again_by_a_person(unwell: type[Unwell]) -> None:
    tell(people.active("Ada"), ring())
    unwell.refusals = 8
    for _ in range(9):
        make_due()
        queue.drain("emails")
    email = Email.objects.get()
    assert (email.state, email.attempts) == ("dead", 8)
    alert = Alert.objects.get()
    assert (alert.code, alert.cause, alert.state) == ("outbox_stuck", "emails", "open")
    with pytest.raises(NotAllowed):
        emails.send_again(email=email, reason="server is back", acting=Actor(ActorKind.MEMBER, 7, "Anna"))
    with pytest.raises(ReasonRequired):
        emails.send_again(email=email, reason="", acting=OLGA)
    assert Email.objects.get().state == "dead"
    emails.send_again(email=email, reason="server is back", acting=OLGA)
    assert queue.drain("emails") == 1
    assert len(mail.outbox) == 1
    assert Alert.objects.get().state == "resolved"
    with pytest.raises(EmailNotDead):
        emails.send_again(email=email, reason="again", acting=OLGA)


@pytest.mark.django_db
def test_stale_fence__cannot_mark_a_mail_somebody_took_over() -> None:
    tell(people.active("Ada"), ring())
    slow = emails.claim(acting=SYSTEM)
    assert slow is not None
    assert emails.claim(acting=SYSTEM) is None
    make_due()
    quick = emails.claim(acting=SYSTEM)
    assert quick is not None
    assert emails.mark_sent(claim=slow, address="a@example.org", acting=SYSTEM) is False
    emails.fail(claim=slow, error=RuntimeError("late"), acting=SYSTEM)
    assert Email.objects.get().state == "sending"
    assert emails.mark_sent(claim=quick, address="a@example.org", acting=SYSTEM) is True


@pytest.mark.django_db
def test_member_whose_sign_in_was_switched_off__gets_no_mail() -> None:
    ada = people.active("Ada")
    tell(ada, ring())
    User.objects.filter(pk=ada.user_id).update(is_active=False)
    queue.drain("emails")
    assert mail.outbox == []
    assert Email.objects.get().error.startswith("NoAddress: The member has no sign-in")


@pytest.mark.django_db(transaction=True)
def test_two_workers__send_each_mail_once() -> None:
    with transaction.atomic():
        members = [people.active(name) for name in ("Ada", "Bo", "Cy")]
        for _ in range(10):
            event_id = ring()
            for member in members:
                tell(member, event_id)

    def work() -> None:
        try:
            queue.drain("emails")
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counted = Counter(sent.message()["Message-ID"] for sent in mail.outbox)
    assert counted == Counter(Email.objects.values_list("message_id", flat=True))
    assert set(Email.objects.values_list("state", "fence")) == {("sent", 1)}
