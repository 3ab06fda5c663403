"""Operations' desk for purchases: refunds looked at twice, checkouts closed, subscriptions changed, terms published."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cloud_credits.actions import clawbacks, recurring, refunds
from cloud_credits.models import (
    Clawback,
    PaymentMint,
    Purchase,
    RecurringPurchase,
    RefundRequest,
    TermsVersion,
)
from cloud_credits.policies.purchases import PurchaseKind, RecurringChange
from cloud_credits.reports.purchases import open_today
from habitat.faces.admin import KEY_FIELD
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.money import cloud
from habitat.workflows.actions import sagas as saga_verbs
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas
from tests.cloud_credits.bought import bought, buyer, check_backing, mint, pay, refunded_at_stripe, suspend, wish
from tests.cloud_credits.ledger import account, broken_proofs, holds, row_counts
from tests.cloud_credits.test_clawbacks import spend
from tests.faces.desk import desk_of, look, page, send
from tests.factories import key
from treasury.models import Payment

pytestmark = pytest.mark.django_db


def everything() -> tuple[Any, ...]:
    """What a refused verb must leave as it was."""
    return (
        row_counts(),
        list(Purchase.objects.order_by("id").values()),
        list(Payment.objects.order_by("id").values()),
        list(RecurringPurchase.objects.order_by("id").values()),
        list(RefundRequest.objects.order_by("id").values()),
        TermsVersion.objects.count(),
        Execution.objects.count(),
    )


def unchanged(attempt: Callable[[], Any], status: int) -> str:
    before = everything()
    answer = attempt()
    assert answer.status_code == status
    assert everything() == before
    return answer.content.decode()


# --- refunds


def test_refund__is_looked_at_twice_and_then_asked_for_once():
    ada = buyer()
    payment, olga = bought(ada, "10"), desk_of(Role.OPERATIONS)
    form = page(olga, payment)
    assert "Of this payment 10 CLOUD are left" in form
    assert "At most 10 CLOUD, $100.00." in form
    assert "The reason is shown to the member." in form
    given = {KEY_FIELD: "one form", "amount": "4", "reason": "bought twice"}

    seen = unchanged(lambda: look(olga, payment, "refund", **given), 200)
    for words in (
        "4 CLOUD, $40.00",
        "10 CLOUD, then 6",
        "2220 to 2240",
        "2240 to 1115",
        "bought twice",
        "shown to the member",
    ):
        assert words in seen
    answer = send(olga, payment, "refund", **given)
    assert (answer.status_code, RefundRequest.objects.count()) == (302, 1)
    again = send(olga, payment, "refund", **given)
    assert (again.status_code, RefundRequest.objects.count()) == (302, 1)

    request = RefundRequest.objects.get()
    assert (request.payment_id, request.amount, request.reason) == (payment.pk, 4, "bought twice")
    assert answer["Location"] == f"/admin/cloud_credits/refundrequest/{request.pk}/change/"
    assert f"/admin/treasury/payment/{payment.pk}/" in page(olga, request)
    assert f"/admin/cloud_credits/refundrequest/{request.pk}/" in page(olga, payment)


def test_refund__on_the_purchases_page_is_the_same_verb():
    payment, olga = bought(buyer(), "10"), desk_of(Role.OPERATIONS)
    assert send(olga, payment.purchase, "refund", amount="1", reason="asked").status_code == 302
    assert RefundRequest.objects.get().payment_id == payment.pk


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"amount": "4", "reason": " "}, 422, "This field is required"),
        ({"amount": "10.5", "reason": "x"}, 422, "10 CLOUD can still be refunded"),
        ({"amount": "0.0001", "reason": "x"}, 422, "not a whole number of cents"),
        ({"amount": "many", "reason": "x"}, 422, "verb-error"),
    ],
)
def test_refund__refused__changes_nothing(fields, status, says):
    payment, olga = bought(buyer(), "10"), desk_of(Role.OPERATIONS)
    assert says in unchanged(lambda: send(olga, payment, "refund", **fields), status)


def test_refund__above_what_the_member_can_spend__is_refused_at_the_first_look():
    ada = buyer()
    payment, olga = bought(ada, "10"), desk_of(Role.OPERATIONS)
    refunded_at_stripe(bought(ada, "5"), "50")
    for row in Payment.objects.exclude(pk=payment.pk):
        clawbacks.claw_back(payment_id=row.pk, acting=SYSTEM)
    assert holds(ada) == (10, 0)
    spend(ada, "7")
    assert holds(ada) == (3, 0)
    assert "has 3 CLOUD to spend" in unchanged(lambda: look(olga, payment, "refund", amount="4", reason="x"), 402)
    assert send(olga, payment, "refund", amount="3", reason="x").status_code == 302


def test_refund__of_a_payment_that_waits__is_a_conflict():
    suspend()
    ada = buyer()
    purchase = wish(ada, "10")
    payment, olga = pay(ada, "100", purchase_ref=str(purchase.pk)), desk_of(Role.OPERATIONS)
    mint(payment)
    assert "received" in unchanged(lambda: send(olga, payment, "refund", amount="1", reason="x"), 409)
    assert "Refund this payment" not in page(olga, payment)
    unpaid = wish(ada, "1")
    assert "Nobody has paid" in unchanged(lambda: send(olga, unpaid, "refund", amount="1", reason="x"), 409)


@pytest.mark.parametrize("verb", ["refund", "send-back"])
def test_refund_verbs__need_the_permission(verb):
    payment, steward = bought(buyer(), "10"), desk_of(Role.STEWARD)
    unchanged(lambda: send(steward, payment, verb, amount="1", reason="x"), 403)
    assert "Refund this payment" not in page(steward, payment)


def test_send_back__of_a_waiting_payment_starts_its_way_and_of_a_minted_one_does_not():
    suspend()
    ada = buyer()
    payment, olga = pay(ada, "100"), desk_of(Role.OPERATIONS)
    unchanged(lambda: send(olga, payment, "send-back", reason=""), 422)
    assert "$100.00, all that is left of it" in unchanged(lambda: look(olga, payment, "send-back", reason="x"), 200)
    assert send(olga, payment, "send-back", reason="wrong person").status_code == 302
    execution = Execution.objects.get(saga="payment_refund")
    assert (execution.input["payment_id"], execution.input["why"]) == (payment.pk, "wrong person")


def test_send_back__of_a_minted_payment_is_a_conflict():
    payment, olga = bought(buyer(), "10"), desk_of(Role.OPERATIONS)
    unchanged(lambda: send(olga, payment, "send-back", reason="x"), 409)


# --- pages and links


def test_pages__lead_both_ways():
    ada = buyer()
    payment, olga = bought(ada, "10"), desk_of(Role.OPERATIONS)
    refunded_at_stripe(payment, "40")
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    made, purchase = PaymentMint.objects.get(), payment.purchase
    entry = made.transaction.journal_entry_id

    for words in (
        f"/admin/cloud_credits/purchase/{purchase.pk}/",
        f"/admin/cloud_credits/cloudtransaction/{made.transaction_id}/",
        f"/admin/cloud_credits/clawback/{Clawback.objects.get().pk}/",
        f"/admin/trace/?by=payment&amp;q={payment.pk}",
    ):
        assert words in page(olga, payment)
    for row in (purchase, made):
        shown = page(olga, row)
        assert f"/admin/treasury/payment/{payment.pk}/" in shown
        assert f"/admin/cloud_credits/cloudtransaction/{made.transaction_id}/" in shown
        assert f"/admin/treasury/journalentry/{entry}/" in shown
        assert f"/admin/trace/?by=payment&amp;q={payment.pk}" in shown
    assert f"/admin/treasury/payment/{payment.pk}/" in page(olga, made.transaction)
    assert Execution.objects.get(saga="checkout", key=str(purchase.pk)).saga in page(olga, purchase)


@pytest.mark.parametrize(
    "model", ["purchase", "refundrequest", "clawback", "paymentmint", "recurringpurchase", "termsacceptance"]
)
def test_lists__ask_as_much_for_more_rows(model, django_assert_max_num_queries):
    olga = desk_of(Role.OPERATIONS)
    for _ in range(3):
        ada = running().member
        payment = bought(ada, "5")
        refunds.request(payment=payment, amount=cloud("1"), reason="x", idempotency_key=key(), acting=SYSTEM)
        refunded_at_stripe(payment, "20")
        clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)

    with django_assert_max_num_queries(14):
        listed = olga.get(f"/admin/cloud_credits/{model}/")

    assert listed.status_code == 200
    assert olga.get(f"/admin/cloud_credits/{model}/export/csv/").content.count(b"\n") >= 4


# --- checkouts


def opened(member) -> Purchase:
    purchase = wish(member, "10")
    sagas.advance(Execution.objects.get(saga="checkout", key=str(purchase.pk)).pk)
    purchase.refresh_from_db()
    return purchase


@pytest.mark.django_db(transaction=True)
def test_checkout__is_closed_at_stripe_and_here(stripe_sandbox, settings):
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, "sk_test_sandbox"
    check_backing()
    purchase, olga = opened(buyer()), desk_of(Role.OPERATIONS)
    assert purchase.state == "open"
    unchanged(lambda: send(olga, purchase, "expire", reason=" "), 422)
    unchanged(lambda: send(desk_of(Role.STEWARD), purchase, "expire", reason="x"), 403)

    assert send(olga, purchase, "expire", reason="ordered twice").status_code == 302

    purchase.refresh_from_db()
    assert (purchase.state, purchase.problem) == ("expired", "ordered twice")
    assert [call for call in stripe_sandbox.calls() if "expire" in str(call)]
    unchanged(lambda: send(olga, purchase, "expire", reason="again"), 409)


@pytest.mark.django_db(transaction=True)
def test_checkout__that_was_just_paid_is_not_closed(stripe_sandbox, settings):
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, "sk_test_sandbox"
    check_backing()
    purchase, olga = opened(buyer()), desk_of(Role.OPERATIONS)
    stripe_sandbox.control("pay", session=purchase.session_id)

    assert "Stripe refused" in unchanged(lambda: send(olga, purchase, "expire", reason="x"), 422)


def test_checkout__that_never_began_is_closed_with_its_saga():
    purchase, olga = wish(buyer(), "10"), desk_of(Role.OPERATIONS)
    unchanged(lambda: send(olga, purchase, "expire", reason=" "), 422)
    unchanged(lambda: send(desk_of(Role.STEWARD), purchase, "expire", reason="x"), 403)

    assert send(olga, purchase, "expire", reason="ordered twice").status_code == 302

    purchase.refresh_from_db()
    assert (purchase.state, purchase.problem) == ("failed", "ordered twice")
    execution = Execution.objects.get(saga="checkout", key=str(purchase.pk))
    assert (execution.state, execution.decisions[0]["reason"]) == ("cancelled", "ordered twice")
    unchanged(lambda: send(olga, purchase, "expire", reason="again"), 409)


@pytest.mark.django_db(transaction=True)
def test_checkout__that_stripe_never_answered_is_closed_and_frees_the_day(settings):
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = "http://127.0.0.1:9", "sk_test_sandbox"
    check_backing()
    ada, olga = buyer(), desk_of(Role.OPERATIONS)
    # Stripe does not answer: the saga pauses, and tries again.
    purchase = opened(ada)
    assert (purchase.state, open_today(ada.pk)) == ("created", 100)

    assert send(olga, purchase, "expire", reason="Stripe is down").status_code == 302

    purchase.refresh_from_db()
    assert (purchase.state, purchase.problem, open_today(ada.pk)) == ("failed", "Stripe is down", 0)
    execution = Execution.objects.get(saga="checkout", key=str(purchase.pk))
    assert execution.heading != "forward"


def test_checkout__whose_saga_was_called_off_or_is_stuck_takes_nothing_of_the_day():
    ada = buyer()
    purchase = wish(ada, "10")
    assert open_today(ada.pk) == 100
    execution = Execution.objects.get(saga="checkout", key=str(purchase.pk))
    saga_verbs.cancel(execution=execution, reason="by hand", acting=SYSTEM)
    assert open_today(ada.pk) == 0
    assert send(desk_of(Role.OPERATIONS), purchase, "expire", reason="tidy").status_code == 302
    purchase.refresh_from_db()
    assert (purchase.state, purchase.problem) == ("failed", "tidy")


# --- recurring purchases


def running() -> RecurringPurchase:
    check_backing()
    first = wish(buyer(), "10", kind=PurchaseKind.RECURRING)
    return recurring.activate(recurring_id=first.recurring_id, subscription_id=f"sub_{first.pk}", acting=SYSTEM)


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_recurring__is_changed_through_stripe_with_a_reason(verb):
    row, olga = running(), desk_of(Role.OPERATIONS)
    unchanged(lambda: send(olga, row, verb, reason=""), 422)
    unchanged(lambda: send(desk_of(Role.STEWARD), row, verb, reason="x"), 403)

    assert send(olga, row, verb, reason="asked by letter").status_code == 302

    execution = Execution.objects.get(saga="recurring_change")
    assert (execution.input["change"], execution.input["because"]) == (verb, "asked by letter")
    assert RecurringPurchase.objects.get(pk=row.pk).state == "active"


def test_recurring__resumes_from_its_pause_only():
    row, olga = running(), desk_of(Role.OPERATIONS)
    unchanged(lambda: send(olga, row, "resume", reason="x"), 409)
    assert "Resume</button>" not in page(olga, row)
    recurring.changed(recurring_id=row.pk, to=RecurringChange.PAUSE, because="asked", acting=SYSTEM)
    assert send(olga, row, "resume", reason="asked").status_code == 302
    recurring.changed(recurring_id=row.pk, to=RecurringChange.CANCEL, because="asked", acting=SYSTEM)
    unchanged(lambda: send(olga, row, "resume", reason="again"), 409)


# --- terms


def test_terms__are_published_with_a_reason_after_a_second_look():
    olga = desk_of(Role.OPERATIONS)
    given = {"title": "Terms", "body": "# Terms\n\nCredits are prepaid service.", "reason": "voted on 2 November"}
    unchanged(lambda: send(olga, TermsVersion, "publish", **given | {"reason": ""}), 422)
    unchanged(lambda: send(olga, TermsVersion, "publish", **given | {"body": " "}), 422)
    unchanged(lambda: send(desk_of(Role.STEWARD), TermsVersion, "publish", **given), 403)
    assert "2, in place of 1" in unchanged(lambda: look(olga, TermsVersion, "publish", **given), 200)

    assert send(olga, TermsVersion, "publish", **given).status_code == 302

    made = TermsVersion.objects.get(version=2)
    assert (made.title, made.body, made.reason) == (given["title"], given["body"], given["reason"])
    shown = page(olga, made)
    assert "Credits are prepaid service." in shown
    assert "0 members" in shown


def test_desk__leaves_the_books_whole():
    ada = buyer()
    payment, olga = bought(ada, "10"), desk_of(Role.OPERATIONS)
    assert send(olga, payment, "refund", amount="4", reason="asked").status_code == 302
    refunds.burn(request_id=RefundRequest.objects.get().pk, acting=SYSTEM)
    assert (account("2240"), account("2220"), holds(ada)) == (Decimal(-40), Decimal(-60), (6, 0))
    assert broken_proofs() == []
