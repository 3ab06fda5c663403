"""Many at once: nobody overspends, nobody waits in a circle, and a request counts once."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection, transaction

from cloud_credits.actions import chain
from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.identities import initialize
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.staking import stake, unstake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import MemberNotActive
from cloud_credits.models import ChainBlock, CloudBalance, CloudTransaction, EnsRegistration, Receivable
from cloud_credits.models import StakingPosition as Position
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.errors import HabitatError
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import Clock, account, broken_proofs, holds
from tests.cloud_credits.ledger import seal as seal_when_settled
from tests.factories import actor, address, key, make_member
from tests.horizon import settled

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 16


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Runs each call in its own thread and connection, all let go together; a named refusal is a result like any."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return call()
        except HabitatError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(run, call) for call in calls]]


def codes(results: list[object]) -> Counter:
    """How often each refusal came; what succeeded counts as `done`, a replay as `replayed`."""
    return Counter(
        result.code if isinstance(result, HabitatError) else "replayed" if getattr(result, "replayed", 0) else "done"
        for result in results
    )


def test_one_balance__sixteen_spenders__exactly_as_many_succeed_as_it_covers():
    ada, ben = make_member(credits="10"), make_member()
    results = at_once(
        *(
            lambda: transfer(sender=ada, recipient=ben, amount=cloud("1.5"), idempotency_key=key(), acting=actor(ada))
            for _ in range(THREADS)
        )
    )
    assert codes(results) == {"done": 6, "insufficient_balance": 10}
    assert (holds(ada), holds(ben)) == ((Decimal(1), 0), (Decimal(9), 0))
    assert broken_proofs() == []


def test_opposite_transfers__never_wait_in_a_circle():
    ada, ben, cleo = (make_member(credits="20") for _ in range(3))
    rounds = 12

    def back_and_forth(sender, recipient) -> int:
        for _ in range(rounds):
            transfer(sender=sender, recipient=recipient, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM)
        return rounds

    pairs = [(ada, ben), (ben, ada), (ben, cleo), (cleo, ben), (cleo, ada), (ada, cleo)]
    results = at_once(*(lambda pair=pair: back_and_forth(*pair) for pair in pairs))
    # A round robin may leave somebody short for a moment: then that thread stopped, and nothing was lost.
    assert set(codes(results)) <= {"done", "insufficient_balance"}
    assert sum(holds(member)[0] for member in (ada, ben, cleo)) == Decimal(60)
    assert broken_proofs() == []


def test_the_same_key__sixteen_times__has_one_effect():
    ada, ben = make_member(credits="10"), make_member()
    results = at_once(
        *(
            lambda: transfer(sender=ada, recipient=ben, amount=cloud("4"), idempotency_key="same", acting=actor(ada))
            for _ in range(THREADS)
        )
    )
    assert codes(results) == {"done": 1, "replayed": 15}
    assert len({result.transaction.pk for result in results}) == 1
    assert holds(ben) == (Decimal(4), 0)
    assert broken_proofs() == []


def test_the_same_key_with_other_content__at_once__one_wins_and_the_others_are_told():
    ada, ben = make_member(credits="100"), make_member()
    results = at_once(
        *(
            lambda n=n: transfer(sender=ada, recipient=ben, amount=cloud(n), idempotency_key="same", acting=actor(ada))
            for n in range(1, 5)
        )
    )
    assert codes(results) == {"done": 1, "idempotency_conflict": 3}
    assert broken_proofs() == []


def _mint_asked(member, asker, idempotency_key: str):
    return request_manual_mint(
        member=member,
        amount=cloud("5"),
        reason="a cheque",
        idempotency_key=idempotency_key,
        acting=actor(asker, "cloud_credits.mint_credits"),
    )


def _granted(approval, by):
    return approvals.grant(approval=approval, reason="seen", acting=actor(by, "cloud_credits.approve_mint"))


def test_the_first_mint_ever__races_itself__once():
    ada, asker = make_member(), make_member()
    assert codes(at_once(*(lambda: _mint_asked(ada, asker, "first") for _ in range(8)))) == {"done": 1, "replayed": 7}
    [approval] = Approval.objects.all()
    seconds = [make_member() for _ in range(4)]
    results = at_once(*(lambda second=second: _granted(approval, second) for second in seconds))
    assert codes(results) == {"done": 1, "approval_settled": 3}
    assert holds(ada) == (Decimal(5), 0)
    assert account("2220") == Decimal(-50)
    assert broken_proofs() == []


def test_first_mints_of_one_balance__at_once__number_themselves():
    ada, asker, second = make_member(), make_member(), make_member()
    for number in range(8):
        _mint_asked(ada, asker, f"mint-{number}")
    waiting = list(Approval.objects.all())
    results = at_once(*(lambda approval=approval: _granted(approval, second) for approval in waiting))
    assert codes(results) == {"done": 8}
    rows = CloudTransaction.objects.filter(to_member=ada).order_by("booked_at")
    assert list(rows.values_list("to_sequence", flat=True)) == list(range(1, 9))
    assert holds(ada) == (Decimal(40), 0)
    assert broken_proofs() == []


def test_two_reversals__at_once__undo_once():
    ada, ben = make_member(credits="10"), make_member()
    gift = transfer(sender=ada, recipient=ben, amount=cloud("4"), idempotency_key=key(), acting=SYSTEM).transaction
    results = at_once(
        *(lambda: reverse(original=gift, reason="a mistake", idempotency_key=key(), acting=SYSTEM) for _ in range(6))
    )
    assert codes(results) == {"done": 1, "not_reversible": 5}
    assert (holds(ada), holds(ben)) == ((Decimal(10), 0), (Decimal(0), 0))
    assert broken_proofs() == []


def test_a_reversal_and_the_receivers_spending__at_once__leave_a_receivable_or_nothing_spent():
    ada, ben, cleo = make_member(credits="10"), make_member(), make_member()
    gift = transfer(sender=ada, recipient=ben, amount=cloud("4"), idempotency_key=key(), acting=SYSTEM).transaction
    results = at_once(
        lambda: reverse(original=gift, reason="a mistake", idempotency_key=key(), acting=SYSTEM),
        lambda: transfer(sender=ben, recipient=cleo, amount=cloud("4"), idempotency_key=key(), acting=actor(ben)),
    )
    spent = codes(results) == {"done": 2}
    assert spent or codes(results) == {"done": 1, "insufficient_balance": 1}
    assert holds(ada) == (Decimal(10), 0)
    assert holds(cleo) == (Decimal(4 if spent else 0), 0)
    assert Receivable.objects.filter(member=ben).count() == int(spent)
    assert broken_proofs() == []


def test_an_identity__set_up_twice_at_once__is_one():
    ada = make_member(identity=False)
    results = at_once(
        *(
            lambda n=n: initialize(member=ada, subname=f"ada-{n}", address=address(9_000 + n), acting=SYSTEM)
            for n in range(4)
        )
    )
    assert codes(results) == {"done": 1, "already_initialized": 3}
    assert CloudBalance.objects.filter(member=ada).count() == 1
    assert EnsRegistration.objects.filter(member=ada).count() == 1


def test_one_name__asked_by_four_members_at_once__goes_to_one():
    people = [make_member(identity=False) for _ in range(4)]
    results = at_once(
        *(
            lambda person=person: initialize(member=person, subname="sun", address=address(person.pk), acting=SYSTEM)
            for person in people
        )
    )
    assert codes(results) == {"done": 1, "subname_taken": 3}
    assert CloudBalance.objects.filter(member__in=people).count() == 1


def test_stakes_and_transfers__at_once__never_spend_a_credit_twice():
    ada, ben = make_member(credits="10", is_investor=True), make_member()
    results = at_once(
        *(lambda: stake(member=ada, amount=cloud("3"), days=30, idempotency_key=key(), acting=SYSTEM) for _ in "1234"),
        *(
            lambda: transfer(sender=ada, recipient=ben, amount=cloud("3"), idempotency_key=key(), acting=SYSTEM)
            for _ in "1234"
        ),
    )
    assert codes(results) == {"done": 3, "insufficient_balance": 5}
    liquid, staked = holds(ada)
    assert liquid + staked + holds(ben)[0] == Decimal(10)
    assert liquid == Decimal(1)
    assert broken_proofs() == []


def test_a_stake__released_twice_at_once__is_released_once(superuser_dsn):
    ada = make_member(credits="10", is_investor=True)
    stake(member=ada, amount=cloud("3"), days=30, idempotency_key=key(), acting=SYSTEM)
    position = Position.objects.get()
    clock = Clock(superuser_dsn)
    with clock:
        clock.forward(days=30, seconds=1)

        def release() -> object:
            clock.tell_database()
            return unstake(position=position, idempotency_key=key(), acting=SYSTEM)

        results = at_once(release, release, release)
    assert codes(results) == {"done": 1, "position_not_active": 2}
    assert holds(ada) == (Decimal(10), 0)
    assert broken_proofs() == []


def test_a_seal__misses_nothing_of_a_transaction_that_began_before_it():
    ada, ben = make_member(credits="10"), make_member()
    booked, sealed = threading.Event(), threading.Event()

    def slow() -> object:
        with transaction.atomic():
            done = transfer(sender=ada, recipient=ben, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM)
            booked.set()
            assert sealed.wait(timeout=30)
        return done

    def seal() -> object:
        assert booked.wait(timeout=30)
        quick = transfer(
            sender=make_member(credits="1"), recipient=make_member(), amount=cloud("1"), idempotency_key=key(),
            acting=SYSTEM,
        )  # fmt: skip
        first = seal_when_settled()
        sealed.set()
        return quick.transaction.pk, first

    results = at_once(slow, seal)
    slow_row = CloudTransaction.objects.get(pk=results[0].transaction.pk)
    quick_row = CloudTransaction.objects.get(pk=results[1][0])
    first, second = results[1][1], seal_when_settled()
    assert slow_row.booked_xid < quick_row.booked_xid
    assert first.to_xid <= slow_row.booked_xid
    assert second.from_xid <= slow_row.booked_xid < quick_row.booked_xid < second.to_xid
    assert ChainBlock.objects.count() == 2
    assert sum(block.rows for block in ChainBlock.objects.all()) == CloudTransaction.objects.booked().count()
    assert broken_proofs() == []


def test_six_sealers__at_once__write_one_chain():
    ada = make_member(credits="10")
    settled()
    results = at_once(*(chain.seal for _ in range(6)))
    assert [block.height for block in results if block] == [1]
    transfer(sender=ada, recipient=make_member(), amount=cloud("1"), idempotency_key=key(), acting=SYSTEM)
    settled()
    at_once(*(chain.seal for _ in range(6)))
    assert list(ChainBlock.objects.order_by("height").values_list("height", flat=True)) == [1, 2]
    assert datetime.now(tz=UTC) - ChainBlock.objects.get(height=2).sealed_at < timedelta(minutes=5)
    assert broken_proofs() == []


def test_transfer__that_waited_while_its_sender_was_suspended_is_refused(app_dsn):
    alice, bob = make_member(credits="5"), make_member()
    refused: list[str] = []

    def send() -> None:
        try:
            transfer(sender=alice, recipient=bob, amount=cloud("1"), idempotency_key=key(), acting=actor(alice))
        except MemberNotActive as refusal:
            refused.append(refusal.code)
        finally:
            connection.close()

    with psycopg.connect(app_dsn) as holder:
        holder.execute("SELECT 1 FROM cloud_credits_cloudbalance WHERE member_id = %s FOR UPDATE", [alice.pk])
        waiting = threading.Thread(target=send)
        waiting.start()
        _until_somebody_waits(holder)
        members.suspend(member=alice, reason="while it waited", acting=SYSTEM)
        holder.rollback()
        waiting.join(timeout=30)

    assert refused == ["member_not_active"]
    assert holds(alice) == (Decimal(5), Decimal(0))
    assert broken_proofs() == []


def _until_somebody_waits(holder: psycopg.Connection) -> None:
    for _ in range(300):
        (waiting,) = holder.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        ).fetchone()
        if waiting:
            return
        time.sleep(0.05)
    raise AssertionError("nobody waited for the balance")
