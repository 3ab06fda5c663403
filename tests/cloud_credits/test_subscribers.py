"""Who is told when credits move, once, and what the books check when they hear of it."""

import pytest

from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.transfers import transfer
from habitat.controls.models import Alert
from habitat.events.models import Event
from habitat.events.policies.registry import DeliveredEvent
from habitat.events.workflows.deliveries import drain
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.notifications.models import Email, Notification
from tests.factories import actor, fund, key, make_member
from treasury.subscribers import check_entry

pytestmark = pytest.mark.django_db


def told(member) -> list[str]:
    return list(Notification.objects.filter(member=member).order_by("id").values_list("subject", flat=True))


def test_transfer__both_sides_are_told_once():
    alice, bob = make_member("Alice", credits="10"), make_member("Bob", email="bob@example.org")
    drain()
    before_alice, before_bob = told(alice), told(bob)
    transfer(sender=alice, recipient=bob, amount=cloud("3"), memo="rent", idempotency_key=key(), acting=actor(alice))
    drain()
    drain()
    assert told(alice)[len(before_alice) :] == ["3 CLOUD sent to Bob"]
    assert told(bob)[len(before_bob) :] == ["3 CLOUD received from Alice"]
    assert Email.objects.filter(member=bob, subject="3 CLOUD received from Alice").count() == 1


def test_reversal__says_what_was_spent_already():
    alice, bob = make_member("Alice", credits="10"), make_member("Bob")
    sent = transfer(sender=alice, recipient=bob, amount=cloud("3"), idempotency_key=key(), acting=actor(alice))
    burn(member=bob, amount=cloud("2"), reason="spent", idempotency_key=key(), acting=SYSTEM)
    reverse(original=sent.transaction, reason="sent twice", idempotency_key=key(), acting=SYSTEM)
    drain()
    notice = Notification.objects.filter(member=bob, subject__startswith="Correction: 3 CLOUD taken").get()
    assert notice.text == "Why: sent twice. Of this, 2 CLOUD had been spent already."


def test_books__agree_with_every_movement():
    alice = make_member(credits="10")
    redeem(member=alice, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))
    burn(member=alice, amount=cloud("2"), reason="test", idempotency_key=key(), acting=SYSTEM)
    fund(alice, "1")
    drain()
    assert not Alert.objects.filter(code="books_broken").exists()


def test_books__a_movement_that_says_something_else_than_its_entry_raises_the_alert():
    alice = make_member(credits="10")
    redeem(member=alice, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))
    event = Event.objects.get(name="cloud.redeemed")
    lie = event.payload | {"quantity": "1.00000001"}
    check_entry(DeliveredEvent(event.pk, event.name, lie, event.actor, event.occurred_at))
    alert = Alert.objects.get(code="books_broken")
    assert alert.cause == f"event:{event.pk}"
    assert "-10 USD instead of -10.0000001" in alert.message
