"""Transfers: what moves, what is refused, and that a refusal leaves nothing behind."""

from decimal import Decimal

import pytest

from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    InsufficientBalance,
    MemberNotActive,
    NoCloudIdentity,
    SelfTransfer,
    TechneTakesNoTransfers,
)
from cloud_credits.models import CloudTransaction
from habitat.errors import (
    AmountNotPositive,
    AmountTooLarge,
    HabitatError,
    IdempotencyConflict,
    IdempotencyKeyRequired,
    NotAllowed,
    NotANumber,
    TooManyDecimals,
    WrongCurrency,
)
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import CLOUD, Money, cloud, usd
from tests.cloud_credits.ledger import broken_proofs, holds, row_counts
from tests.factories import actor, key, make_member, system_member

pytestmark = pytest.mark.django_db


def test_transfer__moves_credits_and_records_both_sides():
    alice, bob = make_member(credits="97.5"), make_member()

    outcome = transfer(
        sender=alice, recipient=bob, amount=cloud("30"), memo="lunch", idempotency_key=key(), acting=actor(alice)
    )

    row = outcome.transaction
    assert not outcome.replayed
    assert holds(alice) == (Decimal("67.5"), 0)
    assert holds(bob) == (Decimal("30"), 0)
    assert (row.from_liquid_after, row.to_liquid_after) == (Decimal("67.5"), Decimal("30"))
    assert (row.from_sequence, row.to_sequence) == (2, 1)
    assert row.journal_entry_id is None
    row = CloudTransaction.objects.get(pk=row.pk)
    assert row.state == "completed"
    assert row.description == "lunch"
    payload = Event.objects.get(name="cloud.transferred").payload
    assert payload["from_balance_after"] == "67.5"
    assert payload["to_balance_after"] == "30"
    assert payload["transaction_id"] == row.pk
    assert broken_proofs() == []


def test_transfer__the_returned_row_is_the_stored_row():
    alice, bob = make_member(credits="5"), make_member()
    row = transfer(
        sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=key(), acting=actor(alice)
    ).transaction
    stored = type(row).objects.get(pk=row.pk)
    ignored = {"booked_xid", "_state"}
    assert {n: v for n, v in vars(row).items() if n not in ignored} == {
        n: v for n, v in vars(stored).items() if n not in ignored
    }


def test_transfer__the_same_key_and_content_is_a_replay():
    alice, bob = make_member(credits="10"), make_member()
    asked = {"sender": alice, "recipient": bob, "amount": cloud("4"), "idempotency_key": "k", "acting": actor(alice)}
    first = transfer(**asked)
    before = row_counts()
    again = transfer(**asked)
    assert again.replayed
    assert again.transaction.pk == first.transaction.pk
    assert row_counts() == before
    assert holds(alice) == (Decimal("6"), 0)


def test_transfer__the_same_key_with_other_content_is_a_conflict():
    alice, bob = make_member(credits="10"), make_member()
    transfer(sender=alice, recipient=bob, amount=cloud("4"), idempotency_key="k", acting=actor(alice))
    before = row_counts()
    with pytest.raises(IdempotencyConflict) as caught:
        transfer(sender=alice, recipient=bob, amount=cloud("5"), idempotency_key="k", acting=actor(alice))
    assert (caught.value.code, caught.value.status) == ("idempotency_conflict", 409)
    assert row_counts() == before


def test_transfer__a_refusal_does_not_consume_the_key():
    alice, bob = make_member(credits="1"), make_member()
    with pytest.raises(InsufficientBalance):
        transfer(sender=alice, recipient=bob, amount=cloud("2"), idempotency_key="k", acting=actor(alice))
    outcome = transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key="k", acting=actor(alice))
    assert not outcome.replayed


def test_transfer__two_members_may_use_the_same_key():
    alice, bob = make_member(credits="1"), make_member(credits="1")
    transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key="k", acting=actor(alice))
    transfer(sender=bob, recipient=alice, amount=cloud("1"), idempotency_key="k", acting=actor(bob))
    assert holds(alice) == (Decimal("1"), 0)


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (Money(Decimal("0"), CLOUD), AmountNotPositive),
        (Money(Decimal("-1"), CLOUD), AmountNotPositive),
        (Money(Decimal("0.000000001"), CLOUD), TooManyDecimals),
        (Money(Decimal("NaN"), CLOUD), NotANumber),
        (Money(Decimal("Infinity"), CLOUD), NotANumber),
        (Money(Decimal("1e30"), CLOUD), AmountTooLarge),
        (usd("1"), WrongCurrency),
        (cloud("97.50000001"), InsufficientBalance),
    ],
)
def test_transfer__a_bad_amount_is_named_and_leaves_no_row(amount, error):
    alice, bob = make_member(credits="97.5"), make_member()
    before = row_counts()
    with pytest.raises(error) as caught:
        transfer(sender=alice, recipient=bob, amount=amount, idempotency_key=key(), acting=actor(alice))
    assert isinstance(caught.value, HabitatError)
    assert caught.value.sentence
    assert row_counts() == before
    assert holds(alice) == (Decimal("97.5"), 0)


def test_transfer__to_oneself_is_refused():
    alice = make_member(credits="1")
    before = row_counts()
    with pytest.raises(SelfTransfer):
        transfer(sender=alice, recipient=alice, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))
    assert row_counts() == before


def test_transfer__to_techne_is_refused():
    alice, techne = make_member(credits="1"), system_member(SystemAccount.TECHNE)
    with pytest.raises(TechneTakesNoTransfers):
        transfer(sender=alice, recipient=techne, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))


def test_transfer__from_somebody_else_is_refused():
    alice, bob = make_member(credits="1"), make_member()
    with pytest.raises(NotAllowed):
        transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=key(), acting=actor(bob))


def test_transfer__without_a_cloud_identity_is_refused():
    alice, bob = make_member(credits="1"), make_member(identity=False)
    with pytest.raises(NoCloudIdentity):
        transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
@pytest.mark.parametrize("side", ["sender", "recipient"])
def test_transfer__only_active_members_take_part(verb, side):
    alice, bob = make_member(credits="1"), make_member()
    getattr(members, verb)(member={"sender": alice, "recipient": bob}[side], reason="test", acting=SYSTEM)
    before = row_counts()
    with pytest.raises(MemberNotActive):
        transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))
    assert row_counts() == before


@pytest.mark.parametrize("bad_key", ["", "x" * 201, "a\nb"])
def test_transfer__a_key_is_one_to_two_hundred_printable_characters(bad_key):
    alice, bob = make_member(credits="1"), make_member()
    with pytest.raises(IdempotencyKeyRequired):
        transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=bad_key, acting=actor(alice))
