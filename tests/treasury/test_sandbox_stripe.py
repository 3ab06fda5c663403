"""The Stripe sandbox, asked by the real `stripe` package over a socket."""

import http.server
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import stripe

from tests.sandboxes import Sandbox

pytestmark = pytest.mark.usefixtures("stripe_sandbox")

VISA, DECLINED, POOR = "4242424242424242", "4000000000000002", "4000000000009995"
CONFIRM, DISPUTED, BANK = "4000002500003155", "4000000000000259", "us_bank_account"


@pytest.fixture
def api(stripe_sandbox: Sandbox) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_sandbox", base_addresses={"api": stripe_sandbox.url}, max_network_retries=0)


def customer(api, **more):
    return api.v1.customers.create({"email": "ada@example.org", "metadata": {"member_id": "7"}, **more})


def session(api, cents=100_000, **more):
    data: dict[str, Any] = {
        "mode": "payment",
        "line_items": [
            {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": cents, "product_data": {"name": "CLOUD"}}}
        ],
        "success_url": "https://example.org/done?session={CHECKOUT_SESSION_ID}",
        **more,
    }
    return api.v1.checkout.sessions.create(data)


def paid(api, sandbox, cents=100_000, card=VISA, **more):
    """An intent that was paid through Checkout."""
    opened = session(api, cents, customer=customer(api).id, **more)
    done = sandbox.control("pay", session=opened.id, card=card)
    return api.v1.payment_intents.retrieve(done["payment_intent"], {"expand": ["latest_charge.balance_transaction"]})


def balance(api):
    found = api.v1.balance.retrieve()
    return found.available[0].amount, found.pending[0].amount


def event_types(api):
    return [event.type for event in reversed(api.v1.events.list({"limit": 100}).data)]


# --- paying


def test_card__succeeds_with_fee_pending_then_available(api, stripe_sandbox):
    opened = session(
        api,
        customer=customer(api).id,
        payment_intent_data={"metadata": {"purchase": "p1"}, "setup_future_usage": "off_session"},
        metadata={"purchase": "p1"},
    )
    assert (opened.status, opened.payment_status, opened.payment_intent) == ("open", "unpaid", None)
    assert opened.amount_total == 100_000

    done = stripe_sandbox.control("pay", session=opened.id, card=VISA)

    assert (done["status"], done["payment_status"], done["url"]) == ("complete", "paid", None)
    intent = api.v1.payment_intents.retrieve(
        done["payment_intent"], {"expand": ["latest_charge.balance_transaction", "payment_method"]}
    )
    assert (intent.status, intent.amount_received, intent.metadata["purchase"]) == ("succeeded", 100_000, "p1")
    entry = intent.latest_charge.balance_transaction
    assert (entry.type, entry.amount, entry.fee, entry.net, entry.status) == (
        "charge",
        100_000,
        2_930,
        97_070,
        "pending",
    )
    assert balance(api) == (0, 97_070)
    assert intent.payment_method.customer == opened.customer
    assert event_types(api) == [
        "customer.created",
        "payment_intent.created",
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert httpx.get(intent.latest_charge.receipt_url).status_code == 200

    assert stripe_sandbox.control("make_available") == {"changed": 1}
    assert balance(api) == (97_070, 0)


@pytest.mark.parametrize(
    ("cents", "fee"),
    [(50, 31), (100, 33), (500, 45), (1_500, 74), (1_050, 60), (1_051, 60), (1_052, 61), (99_999_999, 2_900_030)],
)
def test_card_fee__is_rounded_half_up(api, stripe_sandbox, cents, fee):
    assert paid(api, stripe_sandbox, cents).latest_charge.balance_transaction.fee == fee


@pytest.mark.parametrize(
    ("cents", "code"),
    [(0, "amount_too_small"), (1, "amount_too_small"), (49, "amount_too_small"), (100_000_000, "amount_too_large")],
)
def test_amount__outside_what_stripe_takes_is_refused(api, stripe_sandbox, cents, code):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        session(api, cents)
    assert (refused.value.code, refused.value.http_status) == (code, 400)
    assert stripe_sandbox.calls() == []


@pytest.mark.parametrize(("card", "code"), [(DECLINED, "generic_decline"), (POOR, "insufficient_funds")])
def test_declined_card__leaves_the_session_open_and_can_be_followed_by_a_good_one(api, stripe_sandbox, card, code):
    opened = session(api)
    refused = httpx.post(f"{stripe_sandbox.url}/_sandbox/pay", json={"session": opened.id, "card": card})
    assert refused.status_code == 402
    assert refused.json()["error"]["decline_code"] == code
    after = api.v1.checkout.sessions.retrieve(opened.id, {"expand": ["payment_intent"]})
    assert (after.status, after.payment_intent.status) == ("open", "requires_payment_method")
    assert balance(api) == (0, 0)

    done = stripe_sandbox.control("pay", session=opened.id, card=VISA)
    assert done["payment_intent"] == after.payment_intent.id
    assert [charge.status for charge in api.v1.charges.list({"payment_intent": done["payment_intent"]}).data] == [
        "succeeded",
        "failed",
    ]


def test_bank_debit__processes_then_succeeds(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox, card=BANK)
    assert (intent.status, intent.latest_charge.status, intent.latest_charge.balance_transaction) == (
        "processing",
        "pending",
        None,
    )
    stripe_sandbox.control("settle_bank_debit", payment_intent=intent.id)
    after = api.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    entry = after.latest_charge.balance_transaction
    assert (after.status, entry.type, entry.fee, after.latest_charge.id[:3]) == ("succeeded", "payment", 500, "py_")
    assert event_types(api)[-3:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]


def test_bank_debit__fails_later(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox, card=BANK)
    stripe_sandbox.control("fail_bank_debit", payment_intent=intent.id)
    assert api.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"
    assert balance(api) == (0, 0)
    assert event_types(api)[-2:] == ["payment_intent.payment_failed", "checkout.session.async_payment_failed"]


def test_saved_card__is_charged_off_session(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox, payment_intent_data={"setup_future_usage": "off_session"})
    methods = api.v1.customers.payment_methods.list(intent.customer).data
    assert [method.id for method in methods] == [intent.payment_method]
    order = {"amount": 5_000, "currency": "usd", "customer": intent.customer, "confirm": True, "off_session": True}
    again = api.v1.payment_intents.create({**order, "payment_method": methods[0].id})
    assert (again.status, again.amount_received) == ("succeeded", 5_000)

    stranger = customer(api)
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.create({**order, "customer": stranger.id, "payment_method": methods[0].id})
    with pytest.raises(stripe.CardError) as refused:
        api.v1.payment_intents.create({**order, "payment_method": "pm_card_authenticationRequired"})
    assert refused.value.code == "authentication_required"
    assert refused.value.error.payment_intent.status == "requires_payment_method"


def test_setup__saves_a_card_that_can_be_taken_off_again(api):
    who = customer(api)
    setup = api.v1.setup_intents.create(
        {"customer": who.id, "payment_method": "pm_card_authenticationRequired", "confirm": True}
    )
    assert setup.status == "succeeded"
    order = {"amount": 5_000, "currency": "usd", "customer": who.id, "confirm": True, "off_session": True}
    assert api.v1.payment_intents.create({**order, "payment_method": setup.payment_method}).status == "succeeded"
    assert api.v1.payment_methods.detach(setup.payment_method).customer is None
    assert api.v1.customers.payment_methods.list(who.id).data == []


def test_refused_card__off_session_keeps_the_failed_charge_and_replays_the_refusal(api, stripe_sandbox):
    who = customer(api)
    saved = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": who.id})
    order = {"amount": 5_000, "currency": "usd", "customer": who.id, "confirm": True, "payment_method": saved.id}
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            api.v1.payment_intents.create(order, {"idempotency_key": "top-up"})
        assert (refused.value.http_status, refused.value.code) == (402, "card_declined")
    (intent,) = api.v1.payment_intents.list({"customer": who.id}).data
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert [charge.status for charge in api.v1.charges.list({"customer": who.id}).data] == ["failed"]


def test_balance_transaction__comes_later_on_request(api, stripe_sandbox):
    stripe_sandbox.control("delay_balance_transactions")
    intent = paid(api, stripe_sandbox)
    assert intent.latest_charge.balance_transaction is None
    assert balance(api) == (0, 0)
    assert stripe_sandbox.control("release_balance_transactions") == {"released": [intent.latest_charge.id]}
    assert api.v1.charges.retrieve(intent.latest_charge.id).balance_transaction.startswith("txn_")
    assert event_types(api)[-1] == "charge.updated"


def test_session__expires(api, stripe_sandbox):
    opened = session(api)
    assert api.v1.checkout.sessions.expire(opened.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.checkout.sessions.expire(opened.id)
    assert httpx.post(f"{stripe_sandbox.url}/_sandbox/pay", json={"session": opened.id}).status_code == 400


# --- refunds and disputes


def test_refunds__partial_several_and_not_over(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox)
    first = api.v1.refunds.create({"payment_intent": intent.id, "amount": 30_000})
    second = api.v1.refunds.create({"charge": intent.latest_charge.id, "amount": 60_000})
    assert (first.status, second.status) == ("succeeded", "succeeded")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.refunds.create({"payment_intent": intent.id, "amount": 10_001})
    assert "($100.01) is greater than unrefunded amount on charge ($100.00)" in str(refused.value)
    api.v1.refunds.create({"payment_intent": intent.id})
    charge = api.v1.charges.retrieve(intent.latest_charge.id, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (100_000, True)
    assert [refund.amount for refund in charge.refunds.data] == [10_000, 60_000, 30_000]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"
    assert balance(api) == (-100_000, 97_070)


def test_refund__pending_then_failed_gives_the_money_back(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox)
    stripe_sandbox.control("next_refund", outcome="pending")
    refund = api.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "pending"
    stripe_sandbox.control("settle_refund", refund=refund.id, outcome="failed", reason="expired_or_canceled_card")
    after = api.v1.refunds.retrieve(refund.id)
    assert (after.status, after.failure_reason) == ("failed", "expired_or_canceled_card")
    assert api.v1.charges.retrieve(intent.latest_charge.id).amount_refunded == 0
    assert balance(api) == (0, 97_070)
    assert event_types(api)[-1] == "refund.failed"


def test_refund__of_a_bank_debit_is_a_payment_refund(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox, card=BANK)
    stripe_sandbox.control("settle_bank_debit", payment_intent=intent.id)
    refund = api.v1.refunds.create(
        {"payment_intent": intent.id},
    )
    entry = api.v1.balance_transactions.retrieve(refund.balance_transaction)
    assert (refund.id[:4], entry.type, entry.net) == ("pyr_", "payment_refund", -100_000)


@pytest.mark.parametrize(("outcome", "available"), [("won", -1_500), ("lost", -101_500)])
def test_dispute__takes_amount_and_fee_and_gives_back_when_won(api, stripe_sandbox, outcome, available):
    intent = paid(api, stripe_sandbox, card=DISPUTED)
    (dispute,) = api.v1.disputes.list({"payment_intent": intent.id}).data
    (entry,) = dispute.balance_transactions
    assert (entry.type, entry.amount, entry.fee, entry.net) == ("adjustment", -100_000, 1_500, -101_500)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    stripe_sandbox.control("close_dispute", dispute=dispute.id, outcome=outcome)
    assert balance(api) == (available, 97_070)
    assert api.v1.disputes.retrieve(dispute.id).status == outcome


# --- payouts and the balance


def test_payout__names_its_transactions_and_can_fail(api, stripe_sandbox):
    intent = paid(api, stripe_sandbox)
    stripe_sandbox.control("make_available")
    payout = stripe_sandbox.control("payout", outcome="paid")
    assert (payout["amount"], payout["status"], balance(api)) == (97_070, "paid", (0, 0))
    inside = api.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert [(entry.type, entry.net) for entry in inside] == [("payout", -97_070), ("charge", 97_070)]
    assert inside[1].source == intent.latest_charge.id
    stripe_sandbox.control("settle_payout", payout=payout["id"], outcome="failed")
    assert api.v1.payouts.retrieve(payout["id"]).status == "failed"
    assert [entry.type for entry in api.v1.balance_transactions.list({"source": payout["id"]}).data] == [
        "payout_failure",
        "payout",
    ]
    assert balance(api) == (97_070, 0)


def test_negative_payout__is_a_debit_of_the_bank(api, stripe_sandbox):
    stripe_sandbox.control("adjust_balance", amount=-2_500, type="stripe_fee")
    payout = stripe_sandbox.control("payout", outcome="paid")
    assert (payout["amount"], balance(api)) == (-2_500, (0, 0))


def test_set_balance__changes_the_reading_and_no_transaction(api, stripe_sandbox):
    paid(api, stripe_sandbox)
    stripe_sandbox.control("set_balance", available=5, pending=-7)
    assert balance(api) == (5, -7)
    assert len(api.v1.balance_transactions.list().data) == 1
    stripe_sandbox.control("set_balance", clear=True)
    assert balance(api) == (0, 97_070)


# --- subscriptions


def subscribe(api, sandbox, card=VISA):
    opened = session(
        api,
        mode="subscription",
        customer=customer(api).id,
        line_items=[
            {
                "quantity": 2,
                "price_data": {
                    "currency": "usd",
                    "unit_amount": 2_500,
                    "recurring": {"interval": "month"},
                    "product_data": {"name": "CLOUD"},
                },
            }
        ],
        subscription_data={"metadata": {"recurring": "r1"}},
    )
    return api.v1.subscriptions.retrieve(sandbox.control("pay", session=opened.id, card=card)["subscription"])


def test_subscription__first_payment_and_renewal(api, stripe_sandbox):
    subscription = subscribe(api, stripe_sandbox)
    assert (subscription.status, subscription.metadata["recurring"]) == ("active", "r1")
    renewed = stripe_sandbox.control("renew_subscription", subscription=subscription.id)
    invoice = api.v1.invoices.retrieve(renewed["id"], {"expand": ["payments"]})
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 5_000, "subscription_cycle")
    assert invoice.parent.subscription_details.metadata["recurring"] == "r1"
    intent = invoice.payments.data[0].payment.payment_intent
    (joined,) = api.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}}).data
    assert joined.invoice == invoice.id
    assert api.v1.payment_intents.retrieve(intent).status == "succeeded"
    assert len(api.v1.invoices.list({"customer": subscription.customer, "status": "paid"}).data) == 2
    assert httpx.get(invoice.hosted_invoice_url).status_code == 200


def test_subscription__paused_bills_nothing_and_resumes(api, stripe_sandbox):
    subscription = subscribe(api, stripe_sandbox)
    paused = api.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    assert paused.pause_collection.behavior == "void"
    assert stripe_sandbox.control("renew_subscription", subscription=subscription.id)["status"] == "void"
    assert balance(api) == (0, 4_825)
    assert api.v1.subscriptions.update(subscription.id, {"pause_collection": ""}).pause_collection is None
    assert stripe_sandbox.control("renew_subscription", subscription=subscription.id)["status"] == "paid"
    assert api.v1.subscriptions.cancel(subscription.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.subscriptions.cancel(subscription.id)


def test_subscription__whose_card_is_declined_is_past_due(api, stripe_sandbox):
    subscription = subscribe(api, stripe_sandbox)
    invoice = stripe_sandbox.control("renew_subscription", subscription=subscription.id, card="4000000000000341")
    assert invoice["status"] == "open"
    assert api.v1.subscriptions.retrieve(subscription.id).status == "past_due"
    assert event_types(api)[-1] == "invoice.payment_failed"


# --- the API's own manners


def test_idempotency__same_key_same_answer_other_params_refused(api, stripe_sandbox):
    options = {"idempotency_key": "k1"}
    first = api.v1.customers.create({"name": "Ada", "metadata": {"a": "1"}}, options)
    second = api.v1.customers.create({"name": "Ada", "metadata": {"a": "1"}}, options)
    assert second.id == first.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError) as refused:
        api.v1.customers.create({"name": "Bob"}, options)
    assert (refused.value.http_status, refused.value.error.type) == (400, "idempotency_error")
    assert len(api.v1.customers.list().data) == 1
    assert [call["idempotency_key"] for call in stripe_sandbox.calls()] == ["k1"]
    assert len(stripe_sandbox.ask("calls")["replays"]) == 1
    stripe_sandbox.control("forget_idempotency_keys")
    assert api.v1.customers.create({"name": "Ada", "metadata": {"a": "1"}}, options).id != first.id


def test_calls__two_equal_runs_leave_equal_logs(api, stripe_sandbox):
    logs = []
    for seed in ("one", "two"):
        stripe_sandbox.control("reset", seed=seed)
        who = api.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "c"})
        intent = api.v1.payment_intents.create(
            {
                "amount": 5_000,
                "currency": "usd",
                "customer": who.id,
                "payment_method": "pm_card_visa",
                "confirm": True,
            },
            {"idempotency_key": "p"},
        )
        api.v1.refunds.create({"payment_intent": intent.id}, {"idempotency_key": "r"})
        logs.append((stripe_sandbox.calls(), intent.id))
    assert logs[0][0] == logs[1][0]
    assert logs[0][1] != logs[1][1]
    assert logs[0][0][2] == {
        "method": "POST",
        "path": "/v1/refunds",
        "idempotency_key": "r",
        "params": {"payment_intent": "payment_intent#1"},
        "status": 200,
        "object": "refund",
    }


def test_errors__as_stripe_words_them(api, stripe_sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.customers.retrieve("cus_none")
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (404, "resource_missing", "id")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.customers.create({"nickname": "Ada"})
    assert (refused.value.code, refused.value.param) == ("parameter_unknown", "nickname")
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.create({"amount": 5_000, "currency": "eur"})
    stranger = stripe.StripeClient("sk_test_wrong", base_addresses={"api": stripe_sandbox.url})
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.balance.retrieve()
    assert api.v1.balance.retrieve().last_response.headers["Stripe-Version"] == stripe.api_version


def test_lists__page_and_filter_and_search(api, stripe_sandbox):
    made = [
        customer(api, email=f"m{number}@example.org", metadata={"member_id": str(number)}).id for number in range(5)
    ]
    page = api.v1.customers.list({"limit": 2})
    assert ([row.id for row in page.data], page.has_more) == (made[:2:-1], True)
    assert [row.id for row in page.auto_paging_iter()] == made[::-1]
    created = api.v1.customers.retrieve(made[0]).created
    assert len(api.v1.customers.list({"created": {"gte": created}}).data) == 5
    assert api.v1.customers.list({"created": {"gt": created + 60}}).data == []
    assert [row.id for row in api.v1.customers.list({"email": "m3@example.org"}).data] == [made[3]]
    found = api.v1.customers.search({"query": "metadata['member_id']:'3' AND email:'m3@example.org'"})
    assert [row.id for row in found.data] == [made[3]]
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.customers.search({"query": "nonsense"})


def test_metadata__is_merged_and_unset(api):
    who = customer(api, metadata={"a": "1", "b": "2"})
    after = api.v1.customers.update(who.id, {"metadata": {"a": "", "c": "3"}, "name": "Ada"})
    assert (after.metadata.to_dict(), after.name) == ({"b": "2", "c": "3"}, "Ada")


# --- faults


@pytest.mark.parametrize(("kind", "error"), [("500", stripe.APIError), ("reset", stripe.APIConnectionError)])
@pytest.mark.parametrize(("moment", "effects"), [("before", 0), ("after", 1)])
def test_fault__strikes_once_before_or_after_the_effect(api, stripe_sandbox, kind, error, moment, effects):
    stripe_sandbox.control("faults", kind=kind, moment=moment, method="POST", path="/v1/customers")
    with pytest.raises(error):
        api.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert len(api.v1.customers.list().data) == effects
    api.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert len(api.v1.customers.list().data) == 1


def test_fault__429_says_when_to_come_back(api, stripe_sandbox):
    stripe_sandbox.control("faults", kind="429", path="/v1/balance", retry_after=7)
    with pytest.raises(stripe.RateLimitError) as refused:
        api.v1.balance.retrieve()
    assert refused.value.headers["Retry-After"] == "7"


def test_fault__reset_is_a_reset_and_no_orderly_end(stripe_sandbox):
    stripe_sandbox.control("faults", kind="reset", path="/v1/balance")
    with socket.create_connection(("127.0.0.1", stripe_sandbox.port), timeout=10) as connection:
        connection.sendall(b"GET /v1/balance HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_fault__timeout_is_silence_then_a_reset(api, stripe_sandbox):
    stripe_sandbox.control("faults", kind="timeout", moment="after", method="POST", path="/v1/refunds", seconds=1)
    intent = paid(api, stripe_sandbox)
    with pytest.raises(stripe.APIConnectionError):
        api.v1.refunds.create({"payment_intent": intent.id}, {"idempotency_key": "r"})
    refund = api.v1.refunds.create({"payment_intent": intent.id}, {"idempotency_key": "r"})
    assert [row.id for row in api.v1.refunds.list({"payment_intent": intent.id}).data] == [refund.id]


def test_faults__retried_by_the_package_itself_have_one_effect(api, stripe_sandbox):
    patient = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": stripe_sandbox.url}, max_network_retries=2)
    stripe_sandbox.control("faults", kind="reset", moment="after", method="POST", path="/v1/customers")
    stripe_sandbox.control("faults", kind="500", moment="before", method="POST", path="/v1/customers")
    who = patient.v1.customers.create({"name": "Ada"})
    assert [row.id for row in api.v1.customers.list().data] == [who.id]


# --- webhooks


class Listener:
    """A webhook endpoint that keeps what it was sent and answers as told."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.refuse = 0
        listener, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    listener.received.append((self.headers["Stripe-Signature"], body))
                    listener.refuse -= 1
                    status = 500 if listener.refuse >= 0 else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None: ...

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]


@pytest.fixture
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def test_webhook__is_signed_and_retried(api, stripe_sandbox, listener):
    listener.refuse = 2
    stripe_sandbox.control("webhooks", url=listener.url, retry_ms=20)
    customer(api)
    assert stripe_sandbox.control("wait_webhooks")["deliveries"] == {"delivered": 1}
    assert listener.types() == ["customer.created"] * 3
    header, body = listener.received[-1]
    event = stripe.Webhook.construct_event(body, header, "whsec_sandbox")
    assert (event.type, event.api_version) == ("customer.created", stripe.api_version)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, "whsec_other")


@pytest.mark.parametrize(("mode", "times"), [("duplicate", 2), ("shuffle", 1), ("drop", 0)])
def test_webhook_modes__duplicate_shuffle_and_drop(api, stripe_sandbox, listener, mode, times):
    stripe_sandbox.control("webhooks", url=listener.url, mode=mode)
    for _ in range(5):
        customer(api)
    stripe_sandbox.control("wait_webhooks")
    assert len(listener.received) == 5 * times
    if mode == "shuffle":
        sent = [json.loads(body)["id"] for _, body in listener.received]
        made = [event.id for event in reversed(api.v1.events.list({"limit": 100}).data)]
        assert sent != made
        assert sorted(sent) == sorted(made)


def test_held_webhooks__go_in_the_order_asked_and_again_by_id(api, stripe_sandbox, listener):
    stripe_sandbox.control("webhooks", url=listener.url, mode="hold")
    paid(api, stripe_sandbox)
    assert listener.received == []
    sent = stripe_sandbox.control("deliver_held", order="reverse", concurrency=1)["sent"]
    assert listener.types() == [row["type"] for row in sent]
    assert listener.types()[0] == "checkout.session.completed"
    stripe_sandbox.control("resend", event=sent[0]["event"])
    assert listener.types()[-1] == "checkout.session.completed"


def test_held_webhooks__each_as_often_as_asked_with_what_it_took(api, stripe_sandbox, listener):
    stripe_sandbox.control("webhooks", url=listener.url, mode="hold")
    for _ in range(3):
        customer(api)
    sent = stripe_sandbox.control("deliver_held", order="shuffle", times=2)["sent"]
    assert len(listener.received) == len(sent) == 6
    assert sorted(Counter(row["event"] for row in sent).values()) == [2, 2, 2]
    assert {row["answer"] for row in sent} == {"200"}
    assert all(row["microseconds"] > 0 for row in sent)
    assert stripe_sandbox.ask("deliveries")["counts"] == {"delivered": 6}


def test_many_at_once__64_connections_and_64_deliveries(api, stripe_sandbox, listener):
    stripe_sandbox.control("webhooks", url=listener.url)
    with ThreadPoolExecutor(64) as pool:
        made = list(pool.map(lambda _: customer(api).id, range(192)))
    assert len(set(made)) == 192
    assert stripe_sandbox.control("wait_webhooks")["deliveries"] == {"delivered": 192}
    assert len(listener.received) == 192


def test_paid_payout__is_told_to_the_bank(tmp_path):
    told: list[tuple[str, dict[str, Any]]] = []

    class Bank(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    bank = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bank)
    threading.Thread(target=bank.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{bank.server_port}"
    sandbox = Sandbox("treasury.sandbox.stripe", "--data", tmp_path / "s.sqlite3", "--bank-url", url)
    try:
        sandbox.control("adjust_balance", amount=97_070, type="topup")
        first = sandbox.control("payout")
        assert told == []
        sandbox.control("settle_payout", payout=first["id"], outcome="paid")
        sandbox.control("adjust_balance", amount=-2_505, type="stripe_fee")
        second = sandbox.control("payout", outcome="paid")
    finally:
        sandbox.stop()
        bank.shutdown()
        bank.server_close()
    assert told == [
        (
            "/_sandbox/transactions",
            {
                "amount": amount,
                "counterpartyName": "STRIPE",
                "bankDescription": f"STRIPE TRANSFER {payout['id']}",
                "externalId": payout["id"],
            },
        )
        for amount, payout in (("970.70", first), ("-25.05", second))
    ]


# --- pages


def test_checkout_page__declined_then_authenticated(api, stripe_sandbox):
    opened = session(api)
    shown = httpx.get(opened.url)
    assert "Pay $1000.00" in shown.text
    assert "<script" not in shown.text
    refused = httpx.post(opened.url, data={"card": "4000 0000 0000 9995"})
    assert (refused.status_code, "insufficient funds" in refused.text) == (402, True)
    asked = httpx.post(opened.url, data={"card": CONFIRM})
    assert "Confirm with your bank" in asked.text
    done = httpx.post(opened.url, data={"saved": "pm_card_authenticationRequired", "authenticate": "yes"})
    assert done.status_code == 303
    assert done.headers["Location"] == f"https://example.org/done?session={opened.id}"
    assert api.v1.checkout.sessions.retrieve(opened.id).payment_status == "paid"


# --- a restart


def test_restart__forgets_nothing(tmp_path):
    sandbox = Sandbox("treasury.sandbox.stripe", "--data", tmp_path / "s.sqlite3", "--api-key", "sk_test_sandbox")
    try:
        api = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
        intent = paid(api, sandbox)
        sandbox.kill()
        sandbox.start()
        assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"
        assert len(sandbox.calls()) == 2
    finally:
        sandbox.stop()
