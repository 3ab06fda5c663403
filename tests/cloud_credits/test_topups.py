"""Automatic top-ups against Stripe's sandbox: begun when few credits are left, one at a time, stopped by a decline."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import stripe as stripe_package
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from cloud_credits.actions import clawbacks, purchases, refunds, terms, topups
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    CardNotSaved,
    IdempotencyKeyReserved,
    MemberNotActive,
    PurchaseTooSmall,
    TermsNotAccepted,
    TooManyTopUps,
    TopUpAboveDailyLimit,
    TopUpNotOn,
    WholeCentsOnly,
)
from cloud_credits.models import Purchase, TopUp
from cloud_credits.policies.topups import NOT_LOW, Standing, Verdict, judge
from cloud_credits.reports.topups import usable_cards
from cloud_credits.workflows.topups import begin_due
from habitat.controls.actions import settings as runtime_settings
from habitat.controls.models import Alert
from habitat.errors import NotAllowed
from habitat.events.workflows import deliveries
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.notifications.models import Notification
from habitat.workflows.actions import sagas as saga_actions
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas
from tests.cloud_credits.at_stripe import hear
from tests.cloud_credits.bought import buyer, check_backing, disputed, refunded_at_stripe, wish
from tests.cloud_credits.ledger import broken_proofs, holds
from tests.cloud_credits.metered import make_key, meter
from tests.faces.people import browser
from tests.factories import actor, key, make_member
from tests.treasury.stripe_side import KEY
from treasury.errors import StripeRefused
from treasury.gateways.stripe import StripeClientGateway
from treasury.policies.settings import LOAD_CAP

GOOD = Standing(
    liquid=Decimal("4.99999999"),
    threshold=Decimal(5),
    amount=Decimal(10),
    went_back=False,
    in_flight=False,
    today=0,
    most_a_day=2,
    may_trade=True,
    terms_accepted=True,
    backing_allows=True,
    load_cap=Decimal(100),
    room=Decimal(100),
)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.BUY),
        ({"liquid": Decimal(5)}, Verdict.ENOUGH),
        ({"in_flight": True}, Verdict.WAIT),
        ({"today": 1}, Verdict.BUY),
        ({"today": 2}, Verdict.WAIT),
        ({"may_trade": False}, Verdict.WAIT),
        ({"terms_accepted": False}, Verdict.STOP),
        ({"went_back": True}, Verdict.STOP),
        ({"went_back": True, "in_flight": True}, Verdict.STOP),
        ({"went_back": True, "liquid": Decimal(5)}, Verdict.ENOUGH),
        ({"load_cap": Decimal("99.99")}, Verdict.STOP),
        ({"load_cap": Decimal("99.99"), "in_flight": True}, Verdict.WAIT),
        ({"backing_allows": False}, Verdict.WAIT),
        ({"room": Decimal("99.99")}, Verdict.WAIT),
    ],
)
def test_judge__buys_only_when_nothing_stands_in_the_way(changes, verdict):
    judgement = judge(replace(GOOD, **changes))
    assert judgement.verdict is verdict
    assert bool(judgement.why) is (verdict in (Verdict.WAIT, Verdict.STOP))


# --- with a saved card at Stripe

pytestmark = pytest.mark.django_db(transaction=True)


def saved_card(side, member, number="pm_card_visa"):
    """A card that the member saved at Stripe, as the mirror knows it."""
    customer = side.gateway.create_customer(
        member_id=str(member.pk), email="m@example.org", name="M", idempotency_key=f"customer-{member.pk}"
    )
    itself = stripe_package.StripeClient(KEY, base_addresses={"api": side.sandbox.url})
    itself.v1.payment_methods.attach(number, {"customer": customer.id})
    hear(side)
    return next(card for card in usable_cards(member.pk) if card.customer_id == customer.id).id


def low_member(side, number="pm_card_visa", *, credits="20", name="Ada"):
    check_backing()
    member = buyer(name=name, credits=credits, email=f"{name.lower()}@example.org")
    return member, saved_card(side, member, number)


def switch_on(member, card, **changes):
    given = {"threshold": cloud("5"), "amount": cloud("10"), "method_id": card, "most_a_day": 2}
    return topups.switch_on(member=member, acting=actor(member), **given | changes)


def follow(side):
    """Facts are heard, sagas run, Stripe's words arrive."""
    for _ in range(2):
        deliveries.drain()
        sagas.drain()
    hear(side)


def topped(member):
    return list(Purchase.objects.filter(member=member, kind="topup").order_by("pk").values_list("state", flat=True))


def test_usage_below_the_threshold__buys_once_and_the_credits_arrive(stripe):
    member, card = low_member(stripe)
    row = switch_on(member, card)
    assert (row.state, row.card, topped(member)) == ("on", "Visa ending in 4242", [])
    meter(member, make_key(), quantity="15.000001")

    follow(stripe)

    assert topped(member) == ["minted"]
    assert holds(member) == (Decimal("14.999999"), Decimal(0))
    purchase = Purchase.objects.get(kind="topup")
    assert (purchase.amount, purchase.usd, purchase.payment.amount) == (Decimal(10), Decimal(100), Decimal(100))
    assert Execution.objects.get(saga="top_up").state == "completed"
    assert broken_proofs() == []


def test_usage_at_the_threshold__buys_nothing(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    meter(member, make_key(), quantity="15")
    follow(stripe)
    assert topped(member) == []


def test_switched_on_when_low_already__buys_at_once_and_again_only_after_it_arrived(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card)
    assert topped(member) == ["created"]
    service = make_key()
    for quantity in ("0.1", "0.1"):
        meter(member, service, quantity=quantity)
        deliveries.drain()
    begin_due()
    assert topped(member) == ["created"]
    follow(stripe)
    assert topped(member) == ["minted"]


def test_two_at_once__are_refused_by_the_database(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card)
    assert refused_by(another, member) == "purchase_one_top_up"
    assert topped(member) == ["created"]


def test_most_a_day__then_it_waits_for_tomorrow(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card, threshold=cloud("500"), amount=cloud("1"))
    for _ in range(4):
        begin_due()
        follow(stripe)
    assert topped(member) == ["minted", "minted"]
    page = browser(member).get("/cloud/top-up/").content.decode()
    assert "There were 2 today already." in page
    assert topups.judge_now(member, TopUp.objects.get()).verdict is Verdict.WAIT


@pytest.mark.parametrize("number", ["pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
def test_decline__stops_it_with_notice_and_alert_until_its_member_switches_it_on(stripe, number):
    member, card = low_member(stripe, number, credits="1")
    switch_on(member, card)

    follow(stripe)

    row = TopUp.objects.get()
    assert row.state == "stopped"
    assert "declined" in row.because.lower()
    assert topped(member) == ["failed"]
    assert Execution.objects.get(saga="top_up").state == "compensated"
    alert = Alert.objects.get(code="topup_stopped")
    assert alert.state == "open"
    assert Notification.objects.filter(member=member, type="top_up").count() == 1
    begin_due()
    meter(member, make_key(), quantity="0.5")
    follow(stripe)
    assert topped(member) == ["failed"]
    assert holds(member) == (Decimal("0.5"), Decimal(0))

    switch_on(member, saved_card(stripe, member, "pm_card_mastercard"))
    follow(stripe)

    assert topped(member) == ["failed", "minted"]
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_low_reserve__waits_and_goes_on_by_itself(stripe):
    member, card = low_member(stripe, credits="1000")
    check_backing("10200")
    row = switch_on(member, card, threshold=cloud("1500"), amount=cloud("1"))
    follow(stripe)
    assert (row.state, topped(member)) == ("on", [])
    assert topups.judge_now(member, row).why.startswith("The reserve is low")
    check_backing()
    begin_due()
    follow(stripe)
    assert topped(member) == ["minted"]


def test_daily_load_cap__is_respected(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card, threshold=cloud("500"), amount=cloud("150"))
    follow(stripe)
    begin_due()
    follow(stripe)
    # 2,000 USD a day: one of 1,500 fits, the second does not.
    assert topped(member) == ["minted"]
    assert "500.00 USD are left of the limit" in topups.judge_now(member, TopUp.objects.get()).why


def test_suspended_member__is_not_charged(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    meter(member, make_key(), quantity="16")
    members.suspend(member=member, reason="looked into", acting=SYSTEM)
    follow(stripe)
    assert topped(member) == []


# What may happen between a top-up's beginning and its charge, and what its purchase says then.
WITHDRAWN = {
    "off": "The automatic top-up is not switched on.",
    "suspended": "Ada is suspended, so this cannot be done. Ask operations if that is a mistake.",
    "another card": "Another card was chosen since: this one is not charged.",
    "another amount": "It buys 1 CLOUD at a time since: the card is not charged for 10.",
    "less is low": "The balance is not low any more.",
    "enough": "The balance is not low any more.",
    "other terms": "The terms changed: accept them, then switch it on again.",
    "low reserve": "The reserve is low. It goes on by itself.",
    "load cap": "At most 90.00 USD may be loaded a day by now: choose a smaller amount, then switch it on again.",
    "day's limit": "Today 50.00 USD are left of the limit. It goes on tomorrow (UTC).",
}


def withdraw(change, member, card, another):
    """Something because of which the top-up would not begin now, or not so."""
    if change == "off":
        topups.switch_off(member=member, acting=actor(member))
    elif change == "suspended":
        members.suspend(member=member, reason="looked into", acting=SYSTEM)
    elif change == "another card":
        assert another != card
        switch_on(member, another)
    elif change == "another amount":
        switch_on(member, card, amount=cloud("1"))
    elif change == "less is low":
        switch_on(member, card, threshold=cloud("1"))
    elif change == "enough":
        rich = make_member(credits="500")
        transfer(sender=rich, recipient=member, amount=cloud("400"), idempotency_key=key(), acting=actor(rich))
    elif change == "other terms":
        terms.publish(title="Terms 2", body="Other terms.", reason="changed", acting=SYSTEM)
    elif change == "low reserve":
        check_backing("10.2")
    elif change == "load cap":
        runtime_settings.change(key=LOAD_CAP, value=90, reason="careful", acting=SYSTEM)
    else:
        wish(member, "195")


@pytest.mark.parametrize("change", WITHDRAWN)
def test_begun_and_not_wished_any_more__is_not_charged_nor_alerted(stripe, change):
    member, card = low_member(stripe, credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    assert topped(member) == ["created"]
    withdraw(change, member, card, another)
    held = holds(member)

    sagas.drain()
    hear(stripe)

    purchase = Purchase.objects.get(kind="topup")
    assert (purchase.state, purchase.problem) == ("failed", WITHDRAWN[change])
    assert [call for call in stripe.sandbox.calls() if call["path"] == "/v1/payment_intents"] == []
    assert (TopUp.objects.get().state, TopUp.objects.get().because) == ("off" if change == "off" else "on", "")
    assert Execution.objects.get(saga="top_up").state == "compensated"
    assert Alert.objects.filter(code="topup_stopped").count() == 0
    assert holds(member) == held
    if change in {"another card", "another amount"}:
        assert begin_due() == 1
        follow(stripe)
        assert topped(member) == ["failed", "minted"]
        assert Purchase.objects.filter(kind="topup").latest("pk").amount == TopUp.objects.get().amount


def test_begun_and_terms_changed__its_member_is_told_when_it_is_looked_at_again(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card)
    withdraw("other terms", member, card, card)
    sagas.drain()
    page = browser(member).get(f"/cloud/purchases/{Purchase.objects.get(kind='topup').pk}/").content.decode()
    assert WITHDRAWN["other terms"] in page

    assert begin_due() == 0
    deliveries.drain()

    assert (TopUp.objects.get().state, TopUp.objects.get().because) == ("stopped", WITHDRAWN["other terms"])
    assert Notification.objects.filter(member=member, type="top_up").count() == 1


def test_begun_and_fewer_a_day_wished__is_not_charged(stripe):
    member, card = low_member(stripe, credits="1")
    given = {"threshold": cloud("500"), "amount": cloud("1")}
    switch_on(member, card, **given)
    follow(stripe)
    assert begin_due() == 1
    switch_on(member, card, **given, most_a_day=1)

    follow(stripe)

    assert topped(member) == ["minted", "failed"]
    problem = Purchase.objects.filter(kind="topup").latest("pk").problem
    assert problem == "There were 1 today already. It goes on tomorrow (UTC)."


@pytest.mark.parametrize("told_by", ["its saga", "Stripe"])
def test_decline_of_the_card_before__leaves_on_the_one_chosen_since(stripe, charges, monkeypatch, told_by):
    asked, lost = charges
    member, card = low_member(stripe, "pm_card_chargeCustomerFail", credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    if told_by == "Stripe":
        first_try(lost, "after")
        switch_on(member, another)
    else:
        real = StripeClientGateway.charge_saved

        def slow(self, **given):
            """The member chooses while the bank thinks."""
            monkeypatch.setattr(StripeClientGateway, "charge_saved", real)
            switch_on(member, another)
            return real(self, **given)

        monkeypatch.setattr(StripeClientGateway, "charge_saved", slow)
        sagas.drain()
    hear(stripe)

    purchase, row = Purchase.objects.get(kind="topup"), TopUp.objects.get()
    assert (purchase.state, purchase.problem, len(asked)) == ("failed", "Your card was declined.", 1)
    assert (row.state, row.because, row.method_id) == ("on", "", another)
    assert Alert.objects.filter(code="topup_stopped").count() == 0
    assert begin_due() == 1
    follow(stripe)
    assert topped(member) == ["failed", "minted"]


def test_decline_told_late__leaves_alone_what_was_switched_on_again_with_another_card(stripe):
    member, card = low_member(stripe, "pm_card_chargeCustomerFail", credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    sagas.drain()
    assert (TopUp.objects.get().state, topped(member)) == ("stopped", ["failed"])
    switch_on(member, another)

    # Now Stripe tells of the decline, and after it the second one is charged.
    hear(stripe)
    hear(stripe)

    assert (TopUp.objects.get().state, topped(member)) == ("on", ["failed", "minted"])
    assert Alert.objects.get(code="topup_stopped").state == "resolved"


@pytest.mark.parametrize("heard", [False, True], ids=["by the clock", "in the handler of a fact"])
def test_one_member_in_trouble__holds_up_no_other(stripe, monkeypatch, caplog, heard):
    first, first_card = low_member(stripe)
    second, second_card = low_member(stripe, name="Bo")
    for member, card in ((first, first_card), (second, second_card)):
        switch_on(member, card)
        transfer(
            sender=member, recipient=make_member(), amount=cloud("18"), idempotency_key=key(), acting=actor(member)
        )
    real = topups.judge_now

    def troubled(member, row):
        if member.pk == first.pk:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return real(member, row)

    monkeypatch.setattr(topups, "judge_now", troubled)
    if heard:
        with transaction.atomic():
            assert topups.consider(member_ids=[first.pk, second.pk], acting=SYSTEM) == 1
    else:
        assert begin_due() == 1
    assert (topped(first), topped(second)) == ([], ["created"])
    assert f"The automatic top-up of member {first.pk} could not begin" in caplog.text


def test_load_cap_below_the_amount__stops_it_with_the_reason(stripe):
    member, card = low_member(stripe)
    switch_on(member, card, amount=cloud("50"))
    runtime_settings.change(key=LOAD_CAP, value=400, reason="careful", acting=SYSTEM)
    meter(member, make_key(), quantity="16")
    follow(stripe)
    assert topped(member) == []
    row = TopUp.objects.get()
    assert (row.state, row.because) == (
        "stopped",
        "At most 400.00 USD may be loaded a day by now: choose a smaller amount, then switch it on again.",
    )
    assert Alert.objects.get(code="topup_stopped").state == "open"


def test_new_terms__stop_it_until_they_are_accepted(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    terms.publish(title="Terms 2", body="Other terms.", reason="changed", acting=SYSTEM)
    meter(member, make_key(), quantity="16")
    follow(stripe)
    assert topped(member) == []
    assert (TopUp.objects.get().state, Alert.objects.get(code="topup_stopped").state) == ("stopped", "open")


def test_switch_off__charges_nothing_any_more(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    topups.switch_off(member=member, acting=actor(member))
    meter(member, make_key(), quantity="16")
    follow(stripe)
    assert (topped(member), TopUp.objects.get().state) == ([], "off")
    with pytest.raises(TopUpNotOn):
        topups.switch_off(member=member, acting=actor(member))


def test_switch_on__refusals_change_nothing(stripe):
    member, card = low_member(stripe)
    stranger, _ = low_member(stripe, name="Bo")
    no_terms = make_member(email="terms@example.org")
    suspended = buyer(name="Cy")
    members.suspend(member=suspended, reason="looked into", acting=SYSTEM)
    runtime_settings.change(key="topup.most_a_day", value=2, reason="careful", acting=SYSTEM)
    for who, changes, refusal in (
        (member, {"method_id": "pm_nobody"}, CardNotSaved),
        (stranger, {"method_id": card}, CardNotSaved),
        (member, {"amount": cloud("0.05")}, PurchaseTooSmall),
        (member, {"amount": cloud("1.0001")}, WholeCentsOnly),
        (member, {"most_a_day": 3}, TooManyTopUps),
        (member, {"most_a_day": 0}, TooManyTopUps),
        (member, {"amount": cloud("200.001")}, TopUpAboveDailyLimit),
        (no_terms, {}, TermsNotAccepted),
        (suspended, {}, MemberNotActive),
    ):
        with pytest.raises(refusal):
            switch_on(who, card, **changes)
    with pytest.raises(NotAllowed):
        topups.switch_on(
            member=member, threshold=cloud("5"), amount=cloud("10"), method_id=card, most_a_day=1, acting=SYSTEM
        )
    assert TopUp.objects.count() == 0


def test_own_keys__cannot_be_the_houses(stripe):
    member, _ = low_member(stripe)
    with pytest.raises(IdempotencyKeyReserved):
        purchases.begin(member=member, amount=cloud("1"), idempotency_key="topup:1", acting=actor(member))


def test_spending_elsewhere__is_found_by_the_clock(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    transfer(sender=member, recipient=make_member(), amount=cloud("18"), idempotency_key=key(), acting=actor(member))
    follow(stripe)
    assert topped(member) == []
    assert (begin_due(), begin_due()) == (1, 0)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cloud_credits_topup SET member_id = member_id + 1",
        "DELETE FROM cloud_credits_topup",
        "UPDATE cloud_credits_topup SET state = 'stopped', because = ''",
        "UPDATE cloud_credits_topup SET amount = 0",
    ],
)
def test_database__refuses_what_no_member_did(stripe, sql):
    member, card = low_member(stripe)
    switch_on(member, card)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def another(member, amount="10"):
    """A top-up that nothing but the database judges."""
    Purchase.objects.create(
        member=member,
        amount=Decimal(amount),
        usd=Decimal(amount) * 10,
        kind="topup",
        key=f"topup:{key()}",
        digest="0" * 64,
    )


def refused_by(verb, *given):
    """The constraint by which the database refuses it."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        verb(*given)
    return caught.value.__cause__.diag.constraint_name


@pytest.mark.parametrize("standing", ["never on", "off", "stopped", "on"])
def test_database__buys_for_nobody_whose_top_up_is_not_on(stripe, standing):
    member, card = low_member(stripe)
    if standing != "never on":
        switch_on(member, card)
    if standing == "off":
        topups.switch_off(member=member, acting=actor(member))
    elif standing == "stopped":
        row = TopUp.objects.get()
        row.stop()
        row.because = "declined"
        row.save()
    if standing == "on":
        another(member)
    else:
        assert refused_by(another, member) == "purchase_top_up_wished"
    assert topped(member) == (["created"] if standing == "on" else [])


@pytest.mark.parametrize("amount", ["1", "10.001", "100"])
def test_database__buys_no_other_amount_than_was_chosen(stripe, amount):
    member, card = low_member(stripe)
    switch_on(member, card)
    assert refused_by(another, member, amount) == "purchase_top_up_wished"
    assert topped(member) == []


def test_database__buys_no_more_a_day_than_was_allowed_whatever_the_row_says_of_its_day(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    for _ in range(2):
        another(member)
        made = Purchase.objects.filter(kind="topup", state="created").get()
        purchases.fail(purchase_id=made.pk, problem="declined", acting=SYSTEM)

    assert refused_by(another, member) == "purchase_top_up_wished"

    dated = {"created_at": timezone.now() - timedelta(days=3)}
    values = {"amount": 10, "usd": 100, "kind": "topup", "digest": "0" * 64, "key": "topup:dated"}
    assert refused_by(lambda: Purchase.objects.create(member=member, **values, **dated)) == "purchase_top_up_wished"
    assert topped(member) == ["failed", "failed"]
    switch_on(member, card, most_a_day=3)
    made = Purchase.objects.create(member=member, **values, **dated)
    assert timezone.now() - made.created_at < timedelta(minutes=1)


def test_database__buys_nothing_beside_one_that_waits_for_its_credits(stripe):
    member, card = low_member(stripe, credits="1")
    switch_on(member, card)
    sagas.drain()
    members.suspend(member=member, reason="looked into", acting=SYSTEM)
    hear(stripe)
    assert topped(member) == ["paid"]
    assert refused_by(another, member) == "purchase_top_up_wished"


def test_money_of_a_closed_one__is_never_refused_though_another_is_under_way(stripe, charges):
    """Why the index of one at a time leaves out the paid."""
    _, lost = charges
    member, card = low_member(stripe, credits="1")
    switch_on(member, card)
    first_try(lost, "after")
    first = Purchase.objects.get(kind="topup")
    purchases.fail(purchase_id=first.pk, problem="given up", acting=SYSTEM)
    assert begin_due() == 1
    assert topped(member) == ["failed", "created"]

    hear(stripe)

    # Its credits came, so the balance is not low any more: the other one asks no card.
    assert topped(member) == ["minted", "failed"]
    assert Purchase.objects.get(kind="topup", state="failed").problem == NOT_LOW
    assert holds(member) == (Decimal(11), Decimal(0))


# --- money that went back


def goes_back(payment, how):
    if how == "refund asked here":
        refunds.request(payment=payment, amount=cloud("1"), reason="asked", idempotency_key=key(), acting=SYSTEM)
    elif how == "refunded at Stripe":
        refunded_at_stripe(payment, "100")
    elif how == "refund on its way":
        refunded_at_stripe(payment, "100", status="pending")
    else:
        disputed(payment, {"dispute opened": "needs_response", "dispute won": "won", "dispute lost": "lost"}[how])
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)


def bought_and_spent(side):
    """A member whose first top-up arrived, and who spent the most of it."""
    member, card = low_member(side, credits="1")
    switch_on(member, card)
    follow(side)
    assert topped(member) == ["minted"]
    return member, card, Purchase.objects.get(kind="topup").payment


@pytest.mark.parametrize(
    "how", ["refund asked here", "refund on its way", "refunded at Stripe", "dispute opened", "dispute lost"]
)
def test_money_that_went_back__is_not_charged_again_until_its_member_says_so(stripe, how):
    member, card, payment = bought_and_spent(stripe)
    goes_back(payment, how)
    if holds(member)[0] > 5:
        transfer(sender=member, recipient=make_member(), amount=cloud("8"), idempotency_key=key(), acting=actor(member))

    assert begin_due() == 0

    row = TopUp.objects.get()
    assert (len(topped(member)), row.state, row.because) == (
        1,
        "stopped",
        "Money of an automatic top-up went back, or its payer contests it: switch it on again if your card is to be "
        "charged for more.",
    )
    assert Alert.objects.get(code="topup_stopped").state == "open"
    deliveries.drain()
    assert Notification.objects.filter(member=member, type="top_up").count() == 1

    # A new yes starts clean.
    switch_on(member, card)
    assert (TopUp.objects.get().state, topped(member)[1:]) == ("on", ["created"])


def test_dispute_won__stops_nothing(stripe):
    member, _, payment = bought_and_spent(stripe)
    goes_back(payment, "dispute won")
    transfer(sender=member, recipient=make_member(), amount=cloud("8"), idempotency_key=key(), acting=actor(member))
    assert (begin_due(), TopUp.objects.get().state) == (1, "on")


def test_dispute_lost_after_a_new_yes__stops_it_again(stripe):
    member, card, payment = bought_and_spent(stripe)
    goes_back(payment, "dispute opened")
    switch_on(member, card)
    assert topped(member) == ["minted"]
    goes_back(payment, "dispute lost")
    assert (begin_due(), TopUp.objects.get().state) == (0, "stopped")


# --- a charge that is tried again


@pytest.fixture
def charges(monkeypatch):
    """The keys under which Stripe was asked to charge; while `lost` is true its answers do not arrive."""
    asked, real = [], StripeClientGateway.charge_saved
    lost = {"before": False, "after": False}

    def charge(self, **given):
        if lost["before"]:
            raise ConnectionError("Stripe is away")
        asked.append(given["idempotency_key"])
        try:
            answer = real(self, **given)
        except StripeRefused:
            if lost["after"]:
                raise ConnectionError("its answer is lost") from None
            raise
        if lost["after"]:
            raise ConnectionError("its answer is lost")
        return answer

    monkeypatch.setattr(StripeClientGateway, "charge_saved", charge)
    return asked, lost


def first_try(lost, where):
    lost[where] = True
    sagas.drain()
    lost[where] = False
    execution = Execution.objects.get(saga="top_up")
    assert execution.steps.get(name="charge").state == "calling"
    # However slow the machine is, nothing but a person's retry begins the next attempt.
    Execution.objects.filter(pk=execution.pk).update(due_at=timezone.now() + timedelta(hours=1))
    return execution


def try_again(execution):
    saga_actions.retry(execution=execution, reason="Stripe is back", acting=SYSTEM)
    sagas.drain()


@pytest.mark.parametrize(("change", "problem"), [*WITHDRAWN.items(), ("closed", "asked by its member")])
def test_charge_tried_again__asks_first_whether_it_is_still_wished(stripe, charges, change, problem):
    asked, lost = charges
    member, card = low_member(stripe, credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    execution = first_try(lost, "before")
    if change == "closed":
        purchases.close_unopened(purchase_id=int(execution.key), reason=problem, acting=SYSTEM)
    else:
        withdraw(change, member, card, another)
    held = holds(member)

    try_again(execution)
    hear(stripe)

    purchase = Purchase.objects.get(kind="topup")
    assert (purchase.state, purchase.problem, asked) == ("failed", problem, [])
    assert (TopUp.objects.get().state, TopUp.objects.get().because) == ("off" if change == "off" else "on", "")
    assert Execution.objects.get(pk=execution.pk).state == "compensated"
    assert Alert.objects.filter(code="topup_stopped").count() == 0
    assert holds(member) == held


def test_charge_tried_again_after_earlier_money_went_back__takes_nothing(stripe, charges):
    asked, lost = charges
    member, _, payment = bought_and_spent(stripe)
    transfer(sender=member, recipient=make_member(), amount=cloud("8"), idempotency_key=key(), acting=actor(member))
    assert begin_due() == 1
    lost["before"] = True
    sagas.drain()
    lost["before"] = False
    goes_back(payment, "dispute opened")

    try_again(Execution.objects.filter(saga="top_up").latest("pk"))

    assert (len(asked), topped(member)) == (1, ["minted", "failed"])
    assert (begin_due(), TopUp.objects.get().state) == (0, "stopped")


@pytest.mark.parametrize("change", [change for change in WITHDRAWN if change != "suspended"])
def test_charge_whose_answer_was_lost__is_found_though_nothing_is_wished_any_more(stripe, charges, change):
    asked, lost = charges
    member, card = low_member(stripe, credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    execution = first_try(lost, "after")
    withdraw(change, member, card, another)
    held, _ = holds(member)

    try_again(execution)
    assert (Execution.objects.get(pk=execution.pk).state, topped(member)) == ("completed", ["created"])
    hear(stripe)

    assert (len(asked), topped(member)) == (1, ["minted"])
    assert TopUp.objects.get().state == ("off" if change == "off" else "on")
    assert holds(member) == (held + 10, Decimal(0))


def test_decline_whose_answer_was_lost__is_not_charged_anew_a_day_later(stripe, charges):
    asked, lost = charges
    member, card = low_member(stripe, "pm_card_chargeCustomerFail", credits="1")
    another = saved_card(stripe, member, "pm_card_mastercard")
    switch_on(member, card)
    execution = first_try(lost, "after")
    hear(stripe)
    assert (TopUp.objects.get().state, topped(member)) == ("stopped", ["failed"])
    switch_on(member, another)
    # Stripe forgot the key meanwhile, and the first one is tried again before the second is begun.
    execution.steps.filter(name="charge").update(first_called_at=timezone.now() - timedelta(hours=25))

    try_again(execution)
    hear(stripe)

    assert len(asked) == len(set(asked)) == 2
    assert (TopUp.objects.get().state, topped(member)) == ("on", ["failed", "minted"])
    assert Execution.objects.get(pk=execution.pk).state == "compensated"


# --- the page


def test_page__on_history_and_off(stripe):
    member, card = low_member(stripe, credits="1")
    client = browser(member)
    first = client.get("/cloud/top-up/").content.decode()
    assert "Visa ending in 4242" in first
    form = {"threshold": "5", "amount": "10", "most_a_day": "1", "method": card, "agreed": "on"}
    assert client.post("/cloud/top-up/", form | {"agreed": ""}).status_code == 422
    assert client.post("/cloud/top-up/", form | {"amount": "0.01"}).status_code == 422
    assert client.post("/cloud/top-up/", form | {"method": "pm_other"}).status_code == 422
    assert client.post("/cloud/top-up/", form | {"method": "pm_other", "confirmed": "yes"}).status_code == 422
    preview = client.post("/cloud/top-up/", form)
    assert preview.status_code == 200
    assert "Switch it on and pay $100.00" in preview.content.decode()
    assert "Visa ending in 4242" in preview.content.decode()
    assert (TopUp.objects.count(), Purchase.objects.count()) == (0, 0)

    confirmed = {name: str(field.value()) for name, field in zip(form, fields_of(preview, form), strict=True)}
    done = client.post("/cloud/top-up/", confirmed | {"confirmed": "yes"}, follow=True).content.decode()
    assert "the purchase of 10 CLOUD for 100.00 USD has begun" in done
    hear(stripe)

    assert topped(member) == ["minted"]
    page = client.get("/cloud/top-up/").content.decode()
    assert "10 CLOUD for $100.00, at most 1 a day" in page
    assert "automatic" in page
    assert client.post("/cloud/top-up/off/").status_code == 302
    assert TopUp.objects.get().state == "off"
    assert "not switched on" in client.post("/cloud/top-up/off/", follow=True).content.decode()


def fields_of(preview, names):
    return [preview.context["form"][name] for name in names]


def test_page__not_due__says_that_nothing_is_charged(stripe):
    member, card = low_member(stripe)
    client = browser(member)
    form = {"threshold": "5", "amount": "10", "most_a_day": "1", "method": card, "agreed": "on"}
    assert "<strong>Nothing</strong>" in client.post("/cloud/top-up/", form).content.decode()
    done = client.post("/cloud/top-up/", form | {"confirmed": "yes"}, follow=True).content.decode()
    assert "The automatic top-up is on. Nothing was charged." in done
    assert (TopUp.objects.get().state, topped(member)) == ("on", [])


def test_page__declined_at_once__says_that_it_stopped(stripe):
    member, card = low_member(stripe, "pm_card_chargeCustomerFail", credits="1")
    form = {"threshold": "5", "amount": "10", "most_a_day": "1", "method": card, "agreed": "on", "confirmed": "yes"}
    done = browser(member).post("/cloud/top-up/", form, follow=True).content.decode()
    assert "The automatic top-up stopped: Your card was declined." in done
    assert topped(member) == ["failed"]


def test_page__of_a_suspended_member__switches_off_what_is_on(stripe):
    member, card = low_member(stripe)
    switch_on(member, card)
    members.suspend(member=member, reason="looked into", acting=SYSTEM)
    client = browser(member)
    page = client.get("/cloud/top-up/").content.decode()
    assert "10 CLOUD for $100.00, at most 2 a day" in page
    assert "Your membership is suspended: only active members buy credits." in page
    assert "/cloud/top-up/off/" in page
    assert 'name="agreed"' not in page
    form = {"threshold": "5", "amount": "10", "most_a_day": "1", "method": card, "agreed": "on", "confirmed": "yes"}
    assert client.post("/cloud/top-up/", form).status_code == 422

    client.post("/cloud/top-up/off/")

    assert TopUp.objects.get().state == "off"
    assert "/cloud/top-up/off/" not in client.get("/cloud/top-up/").content.decode()


def test_page__without_a_card_says_how_to_save_one(stripe):
    check_backing()
    member = buyer(name="Ada", email="ada@example.org")
    assert "No saved card" in browser(member).get("/cloud/top-up/").content.decode()
