"""Bad input over HTTP, with real processes: a clear refusal or a stored exception, never a lost dollar or two mints.

The list is issue 3's. Each row either changes nothing at all, or its money is accounted for to the cent in the books
and every proof holds.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.db.models import Model
from django.utils import timezone

from cloud_credits.models import CloudTransaction, PaymentMint, Purchase
from tests.site.cooperative import broken, verify_books
from tests.site.world import STRIPE_KEY, WEBHOOK_SECRET, World, books, credits_of, payment_of
from treasury.models import BankLine, BankReading, BankRowAside, JournalEntry, Payment, Refund, StripeEvent
from treasury.policies.references import member_reference
from treasury.workflows import sweep

pytestmark = pytest.mark.django_db(transaction=True)

CAPITAL = {"1110": Decimal(20_000), "3320": Decimal(-20_000)}
MONEY: tuple[type[Model], ...] = (
    CloudTransaction,
    JournalEntry,
    Payment,
    PaymentMint,
    Purchase,
    Refund,
    StripeEvent,
    BankLine,
)


def rows() -> dict[str, int]:
    """How many rows there are of everything that is money or tells of it."""
    return {model.__name__: model._default_manager.count() for model in MONEY}


def check_books() -> None:
    code, output = verify_books()
    assert (code, broken(output)) == (0, []), output[:3000]


# --- asking for nonsense


def test_checkout__of_a_bad_amount_is_refused_and_changes_nothing(world: World) -> None:
    ada = world.signed_in(world.member())
    before, calls = rows(), world.stripe.calls()

    for amount, status, code in (
        ("0", 422, "amount_not_positive"),
        ("-1", 422, "amount_not_positive"),
        ("0.001", 422, "purchase_too_small"),
        ("0.0999", 422, "purchase_too_small"),
        ("1.0001", 422, "whole_cents_only"),
        ("1.000000001", 422, "too_many_decimals"),
        ("100000", 422, "daily_limit_reached"),
        ("NaN", 422, "amount_not_a_number"),
        ("ten", 422, "amount_not_a_number"),
    ):
        answer = ada.post("/api/stripe/checkout", json={"cloudAmount": amount}, headers={"Idempotency-Key": amount})
        assert (amount, answer.status_code, answer.json()["code"]) == (amount, status, code)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (amount, rows(), world.stripe.calls()) == (amount, before, calls)


def test_checkout__of_the_least_and_the_most_is_opened(world: World) -> None:
    ada = world.signed_in(world.member())

    for amount in ("0.1", "199.9"):
        answer = ada.post("/api/stripe/checkout", json={"cloudAmount": amount}, headers={"Idempotency-Key": amount})
        assert answer.status_code == 201, answer.text

    assert list(Purchase.objects.order_by("pk").values_list("usd", "state")) == [
        (Decimal(1), "open"),
        (Decimal(1999), "open"),
    ]


# --- payments at Stripe that are not what they should be


def charge(world: World, amount: int, customer: str = "", **marks: str) -> str:
    """A PaymentIntent made past our own checkout, paid by card; its id."""
    given = {
        "amount": amount,
        "currency": "usd",
        "payment_method": "pm_card_bypassPending",
        "confirm": "true",
        "off_session": "true",
        **({"customer": customer} if customer else {}),
        **{f"metadata[{name}]": value for name, value in marks.items()},
    }
    answer = httpx.post(
        f"{world.stripe.url}/v1/payment_intents",
        data=given,
        headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        trust_env=False,
    )
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def customer_of(world: World, member_id: object) -> str:
    answer = httpx.post(
        f"{world.stripe.url}/v1/customers",
        data={"metadata[habitat_member_id]": str(member_id)},
        headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        trust_env=False,
    )
    return str(answer.json()["id"])


def unknown_member(world: World) -> str:
    return charge(world, 10_000, habitat_member_id="999999")


def nobody(world: World) -> str:
    return charge(world, 10_000)


def marked_nonsense(world: World) -> str:
    return charge(world, 10_000, habitat_member_id="'; drop table")


def others_customer(world: World) -> str:
    """Ada's purchase, paid by what is Bob's customer at Stripe."""
    ada, bob = world.member("Ada"), world.member("Bob")
    purchase = world.wish(ada)
    return charge(
        world,
        10_000,
        customer_of(world, bob.pk),
        habitat_member_id=str(ada.pk),
        habitat_purchase_id=str(purchase.pk),
    )


def others_purchase(world: World) -> str:
    """Bob's own customer, and a mark of Ada's purchase on it."""
    ada, bob = world.member("Ada"), world.member("Bob")
    purchase = world.wish(ada)
    return charge(
        world, 10_000, customer_of(world, bob.pk), habitat_member_id=str(bob.pk), habitat_purchase_id=str(purchase.pk)
    )


def other_amount(world: World) -> str:
    """A hundred dollars were asked for; another sum was paid with its mark."""
    ada = world.member("Ada")
    purchase = world.wish(ada, "50")
    return charge(
        world, 10_000, customer_of(world, ada.pk), habitat_member_id=str(ada.pk), habitat_purchase_id=str(purchase.pk)
    )


@pytest.mark.parametrize(
    "made",
    [unknown_member, nobody, marked_nonsense, others_customer, others_purchase, other_amount],
    ids=lambda made: made.__name__,
)
def test_payment__that_can_never_be_minted_goes_back_whole(world: World, made: Callable[[World], str]) -> None:
    reference = made(world)
    world.hear()
    world.hear()

    payment = payment_of(reference)
    assert (payment.state, payment.refunded) == ("refunded", Decimal(100))
    assert world.stripe_said(f"charges/{payment.charge_id}")["amount_refunded"] == 10_000
    assert not PaymentMint.objects.exists()
    # The payer has it all; Stripe kept its fee, which is the cooperative's loss.
    assert books() == CAPITAL | {"1115": Decimal("-3.20"), "5910": Decimal("3.20")}
    check_books()


@pytest.mark.parametrize(("rate", "lost"), [(108, "0"), (110, "2"), (80, "-28")])
def test_payment__in_another_currency_goes_back_whole_whatever_the_rate_has_become(
    world: World, rate: int, lost: str
) -> None:
    """A hundred euros came in as 108 dollars. A hundred euros go back; what their dollars lost or won is 5930's."""
    ada = world.member()
    world.stripe.control("currency", code="eur", rate=108)
    reference = world.buy(ada)
    world.stripe.control("currency", code="eur", rate=rate)
    world.hear()

    payment = payment_of(reference)
    charged = world.stripe_said(f"charges/{payment.charge_id}")
    assert (payment.amount, payment.problem, payment.state) == (Decimal(108), "wrong_currency", "refunded")
    assert (charged["currency"], charged["amount_refunded"], charged["refunded"]) == ("eur", 10_000, True)
    assert (credits_of(ada), PaymentMint.objects.count()) == (0, 0)
    expected = {"1115": -Decimal("3.43") - Decimal(lost), "5910": Decimal("3.43"), "5930": Decimal(lost)}
    assert books() == CAPITAL | {code: amount for code, amount in expected.items() if amount}
    check_books()


@pytest.mark.parametrize(("cents", "credits"), [(50, "0.05"), (99_999_999, "99999.999")])
def test_payment__of_any_size_a_card_can_pay_is_minted_once_at_the_peg(world: World, cents: int, credits: str) -> None:
    """Past our own limits the money is the member's all the same: it is booked and minted, not lost."""
    ada = world.member()
    reference = charge(world, cents, customer_of(world, ada.pk), habitat_member_id=str(ada.pk))
    world.hear()
    sweep.sweep(now=timezone.now())
    world.hear()

    assert payment_of(reference).amount == Decimal(cents) / 100
    assert credits_of(ada) == Decimal(credits)
    assert books()["2220"] == Decimal(credits) * -10
    assert PaymentMint.objects.count() == 1
    check_books()


def test_amount__that_no_card_can_pay_is_refused_by_stripe_and_nothing_is_booked(world: World) -> None:
    for cents in ("0", "-100", "1", "49", "100000000", "1.5"):
        answer = httpx.post(
            f"{world.stripe.url}/v1/payment_intents",
            data={"amount": cents, "currency": "usd"},
            headers={"Authorization": f"Bearer {STRIPE_KEY}"},
            trust_env=False,
        )
        world.hear()
        assert (cents, answer.status_code, Payment.objects.count(), books()) == (cents, 400, 0, CAPITAL)


# --- webhooks that are not Stripe's, or not what they say


def told(reference: str, kind: str = "payment_intent.succeeded", **changes: Any) -> bytes:
    body = {
        "id": "evt_forged",
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": {"id": reference, "amount_received": 1_000_000_00, "currency": "usd"}},
    }
    return json.dumps(body | changes).encode()


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    at = int(time.time()) - age
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


FORGED: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "stale signature": lambda body: (body, signed(body, age=301)),
    "signature of tomorrow's": lambda body: (body, signed(body).replace("v1=", "v1=0")),
    "wrong secret": lambda body: (body, signed(body, secret="whsec_other")),
    "body altered": lambda body: (body.replace(b"usd", b"eur"), signed(body)),
    "body longer": lambda body: (body + b" ", signed(body)),
    "no signature": lambda body: (body, ""),
    "nonsense": lambda body: (body, "t=now,v1=yes"),
}


def test_webhook__that_stripe_did_not_sign_changes_nothing(world: World) -> None:
    ada = world.member()
    before = rows()

    for name, forge in FORGED.items():
        answer = world.deliver(*forge(told(f"pi_of_{ada.pk}")))
        world.work()
        assert (name, answer.status_code, answer.json()["code"]) == (name, 400, "signature_invalid")
        assert (name, rows(), credits_of(ada), books()) == (name, before, 0, CAPITAL)


def test_webhook__signed_and_still_nonsense_changes_nothing(world: World) -> None:
    before = rows()

    for body, code in (
        (b"{", "webhook_body_invalid"),
        (b"[]", "webhook_body_invalid"),
        (told("pi_1", id=""), "webhook_body_invalid"),
        (told("pi_1", livemode=True), "webhook_of_other_mode"),
    ):
        answer = world.deliver(body, signed(body))
        assert (answer.status_code, answer.json()["code"], rows()) == (400, code, before), body


def test_webhook__of_an_unknown_kind_is_kept_and_ignored(world: World) -> None:
    body = told("un_1", kind="unicorn.found")

    answer = world.deliver(body, signed(body))
    world.work()

    assert answer.status_code == 200
    assert StripeEvent.objects.get().state == "ignored"
    assert books() == CAPITAL


def test_webhook__that_lies_about_the_amount_books_what_stripe_says(world: World) -> None:
    """The body is never believed: a signed event with a million in it books the hundred that were paid."""
    world.stripe.control("webhooks", mode="drop")
    ada = world.member()
    reference = world.buy(ada)
    body = told(reference)

    assert world.deliver(body, signed(body)).status_code == 200
    world.work()

    assert (payment_of(reference).amount, credits_of(ada)) == (Decimal(100), Decimal(10))
    check_books()


def test_webhook__of_a_payment_that_stripe_does_not_know_fails_and_books_nothing(world: World) -> None:
    body = told("pi_invented")

    world.deliver(body, signed(body))
    world.work()

    event = StripeEvent.objects.get()
    assert (event.state, bool(event.error)) == ("received", True)
    assert (Payment.objects.count(), books()) == (0, CAPITAL)


def test_webhook__of_a_payment_that_was_not_made_books_nothing(world: World) -> None:
    """It says succeeded; at Stripe the card was declined."""
    ada = world.member()
    purchase = world.wish(ada)
    httpx.post(purchase.checkout_url, data={"card": "4000 0000 0000 0002"}, trust_env=False)
    reference = world.stripe_said("payment_intents")["data"][0]["id"]
    body = told(reference)

    world.deliver(body, signed(body))
    world.hear()

    assert (Payment.objects.count(), credits_of(ada), books()) == (0, 0, CAPITAL)
    # The card is replaced on the same page, and this time it is paid.
    world.pay(purchase)
    world.hear()
    assert (credits_of(ada), PaymentMint.objects.count()) == (Decimal(10), 1)
    check_books()


def test_webhook__sent_again_and_again_mints_once(world: World) -> None:
    world.stripe.control("webhooks", mode="duplicate")
    ada = world.member()
    reference = world.buy(ada)
    world.hear()
    for event in world.stripe_said("events")["data"]:
        world.stripe.control("resend", event=event["id"])
    # The same facts under event ids that were never seen.
    for number in range(3):
        body = told(reference, id=f"evt_again_{number}")
        assert world.deliver(body, signed(body)).status_code == 200
    world.hear()
    sweep.sweep(now=timezone.now())
    world.hear()

    assert (credits_of(ada), PaymentMint.objects.count(), Payment.objects.count()) == (Decimal(10), 1, 1)
    assert books() == CAPITAL | {"1115": Decimal("96.80"), "2220": Decimal(-100), "5910": Decimal("3.20")}
    check_books()


@pytest.mark.parametrize("kind", ["500", "429", "reset"])
def test_stripe_down__while_a_webhook_is_processed_loses_nothing(world: World, kind: str) -> None:
    ada = world.member()
    world.buy(ada)
    world.stripe.control("faults", kind=kind, method="GET", path="/v1/", times=1_000)
    world.hear()
    assert (Payment.objects.count(), credits_of(ada), books()) == (0, 0, CAPITAL)
    assert not StripeEvent.objects.exclude(state="received").filter(type="payment_intent.succeeded").exists()

    world.stripe.control("clear_faults")
    StripeEvent.objects.filter(state="received").update(due_at=timezone.now())
    world.work()

    assert (credits_of(ada), PaymentMint.objects.count()) == (Decimal(10), 1)
    check_books()


# --- a bank that answers badly


def test_bank_row__without_a_field_is_set_aside_and_booked_once_when_it_is_whole(world: World) -> None:
    ada = world.member()
    for number, field in enumerate(("id", "amount", "status", "createdAt", "postedAt"), start=1):
        text = f"WIRE {number} {member_reference(ada.pk)}"
        world.bank.control("transactions", amount="70", bankDescription=text)
        row = number - 1
        world.bank.control("faults", fault="missing_field", field=field, row=row, path="transactions")
        world.read_bank()

        assert (field, BankRowAside.objects.count(), credits_of(ada)) == (field, number, 7 * row)
        for _ in range(2):
            world.read_bank()
        assert (field, credits_of(ada), BankLine.objects.count()) == (field, 7 * number, number)
    assert PaymentMint.objects.count() == 5
    assert books() == {"1110": Decimal(20_350), "2220": Decimal(-350), "3320": Decimal(-20_000)}
    check_books()


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", "seventy"), ("amount", None), ("status", "perhaps"), ("postedAt", "yesterday")],
)
def test_bank_row__with_nonsense_in_a_field_is_set_aside(world: World, field: str, value: object) -> None:
    ada = world.member()
    world.bank.control("transactions", amount="70", bankDescription=f"WIRE {member_reference(ada.pk)}")
    world.bank.control("faults", fault="wrong_field", field=field, value=value, path="transactions")
    world.read_bank()

    assert (BankRowAside.objects.count(), credits_of(ada), books()) == (1, 0, CAPITAL)
    world.read_bank()
    assert credits_of(ada) == 7


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "500"},
        {"fault": "malformed"},
        {"fault": "429", "retryAfter": 0},
        {"fault": "500", "path": "transactions"},
        {"fault": "missing_field", "field": "availableBalance", "path": "accounts"},
    ],
    ids=lambda fault: " ".join(str(part) for part in fault.values()),
)
def test_bank__that_answers_badly_is_named_and_moves_nothing(world: World, fault: dict[str, Any]) -> None:
    """The back office's verb tells it in words; the last reading stands, and the line is booked once it can be read."""
    ada = world.member()
    world.bank.control("transactions", amount="70", bankDescription=f"WIRE {member_reference(ada.pk)}")
    readings = BankReading.objects.values_list("available", flat=True)
    world.bank.control("faults", times=1_000, **fault)

    is_row = fault["fault"] == "missing_field"
    said = world.press("/admin/treasury/bankaccount/verb/read-now/", refused=not is_row)
    world.work()

    assert "The bank" in said or is_row
    assert set(readings) <= {Decimal(20_000), Decimal(20_070)}
    assert (Payment.objects.count(), credits_of(ada), books()) == (0, 0, CAPITAL)

    world.bank.control("clear_faults")
    world.read_bank()
    assert (credits_of(ada), PaymentMint.objects.count()) == (Decimal(7), 1)
    check_books()


@pytest.mark.parametrize("amount", ["0", "0.01", "-70", "1000000"])
def test_wire__of_any_size_is_accounted_for(world: World, amount: str) -> None:
    """Nothing, a cent, money that left, a million: booked as a payment exactly where money came in."""
    ada = world.member()
    world.bank.control("transactions", amount=amount, bankDescription=f"WIRE {member_reference(ada.pk)}")
    world.read_bank()
    world.read_bank()

    came = max(Decimal(amount), Decimal(0))
    assert credits_of(ada) == came / 10
    assert BankLine.objects.count() == 1
    assert books().get("2220", Decimal(0)) == -came
    assert books()["1110"] == 20_000 + came
    check_books()


def test_wire__in_another_members_name_is_nobodys_until_a_person_says(world: World) -> None:
    """A slip of the pen in the reference names nobody; two references in one text name nobody either."""
    ada, bob = world.member("Ada"), world.member("Bob")
    right = member_reference(ada.pk)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    for text in (wrong, f"{right} {member_reference(bob.pk)}"):
        world.bank.control("transactions", amount="70", bankDescription=text)
    world.read_bank()

    assert list(Payment.objects.values_list("member", "state", "amount")) == [(None, "received", Decimal(70))] * 2
    assert (credits_of(ada), credits_of(bob), books()["2240"]) == (0, 0, Decimal(-140))
    check_books()
