"""Stripe's webhooks over HTTP into the books: any order, any number of times, whatever the body says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
import stripe
from django.test import Client

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.members.policies.roles import Role
from habitat.workflows.models import Job
from tests.faces.desk import send
from tests.factories import make_member
from tests.members.people import trusted
from tests.treasury.money_in import books, movement, told
from tests.treasury.stripe_side import KEY, StripeSide
from treasury.actions import payments as payment_actions
from treasury.actions import stripe_events, stripe_movements
from treasury.errors import StripeEventInWrongState
from treasury.models import (
    Dispute,
    Payment,
    Payout,
    ReconciliationException,
    Refund,
    StripeEvent,
    StripeMovement,
    StripeReading,
)
from treasury.workflows import payments, reconciliation
from treasury.workflows.sweep import SweepIncomplete, nightly, sweep

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def side(stripe_sandbox, settings):
    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_BASE = stripe_sandbox.url
    return StripeSide(stripe_sandbox)


def now():
    return datetime.now(UTC)


def states():
    return set(StripeEvent.objects.values_list("state", flat=True))


def test_paid__gross_to_2240_and_its_fee(side):
    member = make_member()
    paid = side.paid(member, "100")
    side.tell()

    payment = Payment.objects.get()
    assert (payment.reference, payment.amount, payment.method, payment.member_id) == (
        paid.id,
        D(100),
        "card",
        member.pk,
    )
    assert (payment.charge_id, payment.purchase_ref, payment.problem) == (paid.charge.id, "1", "")
    assert books() == {"1115": D("96.80"), "5910": D("3.20"), "2240": D(-100)}
    assert len(told("payment.received")) == 1
    [done] = told("checkout.completed")
    assert (done["payment_status"], done["reference"], done["purchase_ref"]) == ("paid", paid.id, "1")
    assert states() == {"processed", "ignored"}


@pytest.mark.parametrize("order", ["", "reversed", "shuffled"])
def test_order__never_matters(side, order):
    members = [make_member() for _ in range(3)]
    part, whole, lost = (side.paid(member) for member in members)
    side.sandbox.control("refund", payment_intent=part.id, amount=3_000)
    side.sandbox.control("refund", payment_intent=part.id, amount=2_000)
    side.sandbox.control("refund", payment_intent=whole.id)
    dispute = side.sandbox.control("dispute", payment_intent=lost.id)
    side.sandbox.control("close_dispute", dispute=dispute["id"], outcome="lost")
    for _ in range(2):
        side.tell(order=order, seed=7)

    assert {p.reference: (p.state, p.left) for p in Payment.objects.all()} == {
        part.id: ("received", D(50)),
        whole.id: ("refunded", D(0)),
        lost.id: ("refunded", D(0)),
    }
    # Three fees of 3.20 and the dispute's 15.
    assert books() == {"1115": D("25.40"), "5910": D("24.60"), "2240": D(-50)}
    assert states() <= {"processed", "ignored"}
    balance = side.gateway.balance()
    assert balance.available + balance.pending == D("25.40")


def test_after_the_mint__refunds_and_disputes_are_told_as_totals(side):
    member = make_member()
    paid = side.paid(member)
    side.tell()
    payment = Payment.objects.get()
    payment_actions.consume(payment=payment, amount=payment.left, acting=SYSTEM)
    side.sandbox.control("refund", payment_intent=paid.id, amount=2_500)
    side.tell()

    [fact] = told("payment.refunded")
    assert (fact["charge_id"], fact["refunded"], fact["disputed_lost"]) == (paid.charge.id, "25", "0")
    dispute = side.sandbox.control("dispute", payment_intent=paid.id, amount=7_500)
    side.sandbox.control("close_dispute", dispute=dispute["id"], outcome="lost")
    side.tell()
    last = told("payment.refunded")[-1]
    assert (last["refunded"], last["disputed_lost"]) == ("25", "75")


def test_paid__by_a_customer_deleted_before_the_house_heard_of_it__is_still_the_members(side):
    """Its customer's own marks are gone; without ours on the payment the money went back as a stranger's."""
    member = make_member()
    paid = side.paid(member)
    client = stripe.StripeClient(KEY, base_addresses={"api": side.sandbox.url})
    client.v1.customers.delete(paid.customer_id)
    side.tell()
    payment = Payment.objects.get()
    assert (payment.member_id, payment.problem) == (member.pk, "")


def test_our_own_refund__is_known_by_its_mark(side):
    paid = side.paid(make_member())
    side.tell()
    payment = Payment.objects.get()
    payment_actions.consume(payment=payment, amount=payment.left, acting=SYSTEM)
    side.gateway.create_refund(
        payment_id=paid.id, amount=D(40), metadata={"habitat_refund": "1"}, idempotency_key="refund-1"
    )
    side.tell(order="reversed")

    assert Refund.objects.get().origin == "habitat"
    assert told("payment.refunded") == []
    assert [fact["amount"] for fact in told("payment.refund_settled")] == ["40"]


def test_refund_that_fails_later__is_undone(side):
    paid = side.paid(make_member())
    refund = side.sandbox.control("refund", payment_intent=paid.id)
    side.tell()
    assert Payment.objects.get().state == "refunded"
    side.sandbox.control("settle_refund", refund=refund["id"], outcome="failed")
    side.tell()
    assert Payment.objects.get().state == "received"
    assert books() == {"1115": D("96.80"), "5910": D("3.20"), "2240": D(-100)}


def test_bank_debit__is_booked_when_it_succeeds_days_later(side):
    session = side.gateway.retrieve_session(side.pay(make_member(), card="us_bank_account"))
    side.tell()
    assert Payment.objects.count() == 0
    assert told("checkout.completed")[0]["payment_status"] == "unpaid"
    side.sandbox.control("settle_bank_debit", payment_intent=session.payment_id)
    side.tell()
    assert Payment.objects.get().method == "us_bank_account"
    assert books() == {"1115": D("99.20"), "5910": D("0.80"), "2240": D(-100)}


def test_bank_debit__that_fails_books_nothing(side):
    session = side.gateway.retrieve_session(side.pay(make_member(), card="us_bank_account"))
    side.sandbox.control("fail_bank_debit", payment_intent=session.payment_id)
    side.tell()
    assert (Payment.objects.count(), books()) == (0, {})
    assert told("checkout.expired")[0]["failed"] is True
    assert told("payment.failed")[0]["reference"] == session.payment_id


def test_fee_that_comes_later__is_booked_then(side):
    side.sandbox.control("delay_balance_transactions")
    side.paid(make_member())
    side.tell()
    assert books() == {"1115": D(100), "2240": D(-100)}
    side.sandbox.control("release_balance_transactions")
    side.tell()
    assert books() == {"1115": D("96.80"), "5910": D("3.20"), "2240": D(-100)}


def test_other_members_customer__is_held_and_never_mintable(side):
    one, two = make_member(), make_member()
    side.paid(one, habitat_member_id=str(two.pk))
    side.tell()
    payment = Payment.objects.get()
    assert (payment.member_id, payment.problem) == (None, "other_customer")
    [fact] = told("payment.received")
    assert (fact["mintable"], fact["problem"], fact["member_id"]) == (False, "other_customer", "")
    assert books()["2240"] == D(-100)


def test_member_that_does_not_exist__is_held(side):
    member = make_member()
    member.pk = 999_999
    side.paid(member)
    side.tell()
    assert Payment.objects.get().problem == "unknown_member"


def test_body__is_never_believed(side):
    paid = side.paid(make_member(), "10")
    forged = {
        "data": {"object": {"id": paid.id, "amount_received": 99_999_999, "metadata": {"habitat_member_id": "1"}}}
    }
    stripe_events.store(event_id="evt_x", type="payment_intent.succeeded", payload=forged, acting=SYSTEM)
    payments.drain()
    assert Payment.objects.get().amount == D(10)


def test_subscription__its_renewals_mint_like_any_payment(side):
    member = make_member()
    session = side.gateway.retrieve_session(side.pay(member, "25", interval="month"))
    side.sandbox.control("renew_subscription", subscription=session.subscription_id)
    side.tell()

    rows = list(Payment.objects.order_by("id"))
    assert [(row.amount, row.member_id, row.problem) for row in rows] == [(D(25), member.pk, "")] * 2
    assert {row.purchase_ref for row in rows} == {session.subscription_id}
    last = told("subscription.changed")[-1]
    assert (last["status"], last["amount"], last["interval"]) == ("active", "25", "month")
    assert last["purchase_ref"] == "1"


def test_payout__is_in_transit_until_its_bank_line(side):
    side.paid(make_member())
    side.sandbox.control("make_available")
    payout = side.sandbox.control("payout", outcome="paid")
    side.tell(order="reversed")

    row = Payout.objects.get()
    assert (row.payout_id, row.amount, row.state, row.matched_at) == (payout["id"], D("96.80"), "paid", None)
    assert books()["1115"] == D("96.80")
    assert StripeMovement.objects.filter(payout=row).count() >= 1
    assert StripeReading.objects.exists()


def test_payout_that_fails__books_nothing(side):
    side.paid(make_member())
    side.sandbox.control("make_available")
    payout = side.sandbox.control("payout", outcome="paid")
    side.tell()
    side.sandbox.control("settle_payout", payout=payout["id"], outcome="failed")
    side.tell()
    assert Payout.objects.get().state == "failed"
    assert books() == {"1115": D("96.80"), "5910": D("3.20"), "2240": D(-100)}


# --- failing, and trying again


def test_stripe_down__is_tried_again_and_booked_once(side):
    side.paid(make_member())
    side.sandbox.control("faults", kind="500", method="GET", path="/v1/payment_intents", times=3)
    side.tell()
    side.again()
    assert Payment.objects.count() == 1
    assert states() <= {"processed", "ignored"}


def test_after_the_last_attempt__an_alert_and_a_persons_turn(side):
    event = {"data": {"object": {"id": "pi_none"}}}
    stripe_events.store(event_id="evt_bad", type="payment_intent.succeeded", payload=event, acting=SYSTEM)
    for _ in range(8):
        StripeEvent.objects.update(due_at="2026-01-01T00:00:00Z")
        payments.drain()
    row = StripeEvent.objects.get()
    assert (row.state, row.attempts) == ("failed", 8)
    assert "resource_missing" in row.error
    assert Alert.objects.get(code="webhook_failed").cause == "stripe_event:evt_bad"

    operator = Actor(ActorKind.MEMBER, 7, "Ana", frozenset({"treasury.process_stripeevent"}))
    with pytest.raises(NotAllowed):
        stripe_events.process_again(event=row, reason="x", acting=Actor(ActorKind.MEMBER, 8, "Bo"))
    with pytest.raises(ReasonRequired):
        stripe_events.process_again(event=row, reason="", acting=operator)
    row = stripe_events.process_again(event=row, reason="Stripe is back", acting=operator)
    assert (row.state, row.attempts) == ("received", 0)
    with pytest.raises(StripeEventInWrongState):
        stripe_events.process_again(event=row, reason="again", acting=operator)


def test_persons_turn__that_succeeds_closes_the_alert(side):
    payment = side.paid(make_member())
    side.sandbox.control("faults", kind="500", method="GET", path="/v1/payment_intents", times=8)
    stripe_events.store(
        event_id="evt_1",
        type="payment_intent.succeeded",
        payload={"data": {"object": {"id": payment.id}}},
        acting=SYSTEM,
    )
    for _ in range(8):
        StripeEvent.objects.update(due_at="2026-01-01T00:00:00Z")
        payments.drain()
    assert Alert.objects.get(code="webhook_failed").state == "open"
    operator = Actor(ActorKind.MEMBER, 7, "Ana", frozenset({"treasury.process_stripeevent"}))
    stripe_events.process_again(event=StripeEvent.objects.get(), reason="Stripe is back", acting=operator)
    assert payments.drain() == 1
    assert Alert.objects.get(code="webhook_failed").state == "resolved"
    row = StripeEvent.objects.get()
    assert (row.state, row.error, row.payload["data"]["object"]["id"]) == ("processed", "", payment.id)


class NobodyAsks:
    """Stripe's gateway where nothing may be asked of it."""

    def __getattr__(self, name: str):
        raise AssertionError(name)


def test_booked_with_its_fee__stripe_is_not_asked_again(side):
    side.sandbox.control("delay_balance_transactions")
    paid = side.paid(make_member())
    payments.payment_succeeded(side.gateway, paid.id)
    with pytest.raises(AssertionError, match="retrieve_payment"):
        payments.payment_succeeded(NobodyAsks(), paid.id)
    with pytest.raises(AssertionError, match="retrieve_charge"):
        payments.charge_succeeded(NobodyAsks(), paid.charge.id)
    side.sandbox.control("release_balance_transactions")
    payments.charge_succeeded(side.gateway, paid.charge.id)
    before = books()
    assert before == {"1115": D("96.80"), "5910": D("3.20"), "2240": D(-100)}

    payments.payment_succeeded(NobodyAsks(), paid.id)
    payments.charge_succeeded(NobodyAsks(), paid.charge.id)
    # A charge that changed is asked for all the same: what changed is not in the books alone.
    with pytest.raises(AssertionError, match="retrieve_charge"):
        payments.charge_changed(NobodyAsks(), paid.charge.id)
    assert books() == before


def test_turn__over_asks_for_another(side, monkeypatch):
    woken: list[str] = []
    monkeypatch.setattr(payments.queue, "wake", woken.append)
    for number in range(3):
        stripe_events.store(event_id=f"evt_{number}", type="unicorn.found", payload={}, acting=SYSTEM)
    monkeypatch.setattr(payments, "TURN_SECONDS", 0)
    assert payments.drain() == 0
    assert woken == [stripe_events.QUEUE]
    monkeypatch.setattr(payments, "TURN_SECONDS", 10)
    assert payments.drain() == 3
    assert woken == [stripe_events.QUEUE]


def test_unknown_type__is_ignored(side):
    stripe_events.store(event_id="evt_1", type="unicorn.found", payload={}, acting=SYSTEM)
    assert payments.drain() == 1
    assert StripeEvent.objects.get().state == "ignored"


def test_claim__nobody_else_gets_it(side):
    stripe_events.store(event_id="evt_1", type="unicorn.found", payload={}, acting=SYSTEM)
    assert stripe_events.claim(acting=SYSTEM) is not None
    assert stripe_events.claim(acting=SYSTEM) is None


# --- the sweep


def everything(side):
    """One of each; what the sweep must find when no webhook comes."""
    side.paid(make_member(), "10")
    refunded, won, lost = (side.paid(make_member()) for _ in range(3))
    side.sandbox.control("refund", payment_intent=refunded.id, amount=4_000)
    first = side.sandbox.control("dispute", payment_intent=won.id)
    side.sandbox.control("close_dispute", dispute=first["id"], outcome="won")
    second = side.sandbox.control("dispute", payment_intent=lost.id)
    side.sandbox.control("close_dispute", dispute=second["id"], outcome="lost")
    side.sandbox.control("adjust_balance", type="stripe_fee", amount=-250)
    side.sandbox.control("adjust_balance", type="topup", amount=5_000)
    side.sandbox.control("make_available")
    side.sandbox.control("payout", amount=1_000, outcome="paid")


DROPPED = ["payment_intent.", "charge.", "refund.", "charge.dispute.", "payout.", "checkout.", ""]


@pytest.mark.parametrize("dropped", DROPPED)
def test_sweep__mends_each_webhook_that_was_dropped(side, dropped):
    everything(side)
    side.tell(without=(dropped,) if dropped else ("",))
    swept = sweep(now=now())

    assert swept.failed == []
    assert sorted(Payment.objects.values_list("amount", "state")) == [
        (D(10), "received"), (D(100), "received"), (D(100), "received"), (D(100), "refunded"),
    ]  # fmt: skip
    assert Refund.objects.get().state == "succeeded"
    assert sorted(Dispute.objects.values_list("state", flat=True)) == ["lost", "won"]
    assert sorted(Payout.objects.values_list("amount", "state")) == [(D(-50), "paid"), (D(10), "paid")]
    balance = side.gateway.balance()
    # In the books top-up and pay-out wait for their bank lines.
    assert books()["1115"] == balance.available + balance.pending - D(50) + D(10)
    assert books()["2240"] == D(-170)
    assert "1116" not in books()
    again = sweep(now=now())
    assert (again.mended, again.failed) == ([], [])


def test_sweep__tells_what_it_mended(side):
    everything(side)
    swept = sweep(now=now())
    [fact] = told("stripe.swept")
    assert fact["movements"] == swept.movements == len(side_movements(side))
    assert fact["mended"] == swept.mended
    # Both movements of the dispute that was won are mended at once.
    assert len(swept.mended) == swept.movements - 1


def side_movements(side):
    found = httpx.get(
        f"{side.sandbox.url}/v1/balance_transactions",
        params={"limit": 100},
        headers={"Authorization": f"Bearer {KEY}"},
        trust_env=False,
    )
    return found.json()["data"]


def test_sweep__by_hand_says_who_asked_and_why(side):
    olga = trusted(Role.OPERATIONS)
    desk = Client()
    desk.force_login(olga.user)

    assert send(desk, StripeMovement, "sweep", reason="a member misses a payment").status_code == 302

    event = Event.objects.get(name="stripe.swept")
    assert (event.payload["reason"], event.actor) == ("a member misses a payment", f"member:{olga.pk}")
    with pytest.raises(NotAllowed):
        sweep(now=now(), acting=Actor(kind=ActorKind.MEMBER, id=olga.pk, name="x"))


@pytest.mark.parametrize("silent", [True, False], ids=["Stripe is silent", "weeks later"])
def test_movement_nobody_saw__stays_an_exception_until_it_is_swept(side, silent):
    side.paid(make_member())
    reconciliation.reconcile_stripe(as_of=now(), acting=SYSTEM)
    cause = ReconciliationException.objects.get(kind="movement_not_booked", state="open").cause

    if silent:
        side.sandbox.control("faults", kind="500", method="GET", path="/v1/balance", times=20)
    for days in (0, 0) if silent else (7, 14):
        reconciliation.reconcile_stripe(as_of=now() + timedelta(days=days), acting=SYSTEM)
    side.sandbox.control("clear_faults")

    assert ReconciliationException.objects.get(kind="movement_not_booked").cause == cause
    assert ReconciliationException.objects.get(cause=cause).state == "open"
    sweep(now=now())
    reconciliation.reconcile_stripe(as_of=now() + timedelta(days=15), acting=SYSTEM)
    assert ReconciliationException.objects.get(cause=cause).state == "resolved"


def test_sweep__unknown_movement_is_an_alert_and_no_entry(side):
    side.sandbox.control("adjust_balance", type="adjustment", amount=-777)
    assert sweep(now=now()).failed == []
    assert books() == {}
    assert "-7.77 USD" in Alert.objects.get(code="stripe_movement_unknown").message
    sweep(now=now())
    assert Alert.objects.filter(code="stripe_movement_unknown").count() == 1


def test_sweep__one_that_fails_stops_no_other(side):
    side.paid(make_member())
    side.paid(make_member())
    side.sandbox.control("faults", kind="500", method="GET", path="/v1/charges", times=1)
    with pytest.raises(SweepIncomplete):
        nightly(now())
    assert Payment.objects.count() == 1
    nightly(now())
    assert Payment.objects.count() == 2


def test_sweep__looks_for_what_failed_until_one_walk_found_everything(side):
    side.paid(make_member())
    side.sandbox.control("faults", kind="500", method="GET", path="/v1/charges", times=1)
    with pytest.raises(SweepIncomplete):
        nightly(now())
    # A week of webhooks that did come: their movements are newer than the payment that nobody has booked.
    week_later = now() + timedelta(days=7)
    stripe_movements.record(told=movement("1", created=week_later), acting=SYSTEM)

    nightly(week_later)

    assert Payment.objects.count() == 1


def test_sweep__begins_behind_the_last_walk_that_found_everything(side):
    last = datetime(2026, 4, 20, tzinfo=UTC)
    for days, end in ((-1, "done"), (0, "done"), (1, "failed")):
        due = Job(name="treasury.sweep_stripe", due_at=last + timedelta(days=days))
        Job.objects.bulk_create([due], ignore_conflicts=True)
        ran = Job.objects.filter(due_at=last + timedelta(days=days))
        ran.update(state="running", lease_until=last)
        ran.update(state=end, lease_until=None)

    sweep(now=last + timedelta(days=2))

    assert told("stripe.swept")[-1]["since"] == "2026-04-17T00:00:00+00:00"


def test_sweep__nothing_to_do_without_a_key(side, settings):
    settings.STRIPE_SECRET_KEY = ""
    nightly(now())
    assert told("stripe.swept") == []
