"""A wish to buy: who may, how much, once for each key; and the terms before it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from cloud_credits.actions import purchases, recurring, terms
from cloud_credits.actions.purchases import Wish
from cloud_credits.errors import (
    DailyLimitReached,
    IdempotencyKeyReserved,
    InvoiceNotPayable,
    MemberNotActive,
    NoCloudIdentity,
    PurchaseTooSmall,
    RecurringPaused,
    RecurringRunning,
    TermsEmpty,
    TermsNotAccepted,
    TermsOutdated,
    TooLittleForInvoice,
    WholeCentsOnly,
)
from cloud_credits.models import Purchase, RecurringPurchase, TermsAcceptance, TermsVersion
from cloud_credits.policies.purchases import PURCHASE_EDGES, PurchaseKind, PurchaseState
from cloud_credits.reports.purchases import open_today
from habitat.errors import IdempotencyConflict, IdempotencyKeyRequired, NotAllowed, ReasonRequired, WrongCurrency
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud, usd
from habitat.workflows.models import Execution
from tests.cloud_credits.bought import buyer, check_backing, pay, wish
from tests.cloud_credits.invoiced import item, sent
from tests.cloud_credits.ledger import row_counts
from tests.factories import actor, hold_dollars, key, make_member

pytestmark = pytest.mark.django_db


def rows() -> tuple[dict[str, int], int, int]:
    return row_counts(), Purchase.objects.count(), Execution.objects.count()


def refused(error, attempt) -> Exception:
    before = rows()
    with pytest.raises(error) as caught:
        attempt()
    assert rows() == before
    return caught.value


@pytest.fixture
def healthy():
    check_backing()


def test_wish__is_priced_at_the_peg_and_starts_its_checkout(healthy):
    ada = buyer()
    purchase = wish(ada, "12.345")
    assert (purchase.amount, purchase.usd, purchase.state) == (Decimal("12.345"), Decimal("123.45"), "created")
    assert Execution.objects.get(saga="checkout").input == {
        "purchase_id": purchase.pk,
        "member_id": ada.pk,
        "amount": "12.345",
        "usd": "123.45",
        "kind": "once",
        "invoice_id": None,
        "pay_by": "card",
        "save": False,
    }


def test_same_key__is_the_first_wish_and_other_content_a_conflict(healthy):
    ada = buyer()
    first = wish(ada, "10", idempotency_key="k")
    assert wish(ada, "10.000", idempotency_key="k").pk == first.pk
    refused(IdempotencyConflict, lambda: wish(ada, "11", idempotency_key="k"))
    refused(IdempotencyConflict, lambda: wish(ada, "10", idempotency_key="k", wish=Wish(save=True)))
    refused(IdempotencyKeyRequired, lambda: wish(ada, "10", idempotency_key=""))


@pytest.mark.parametrize(
    ("amount", "error"),
    [("0.09999999", PurchaseTooSmall), ("0.001", PurchaseTooSmall), ("1.0001", WholeCentsOnly), ("0.1", None)],
)
def test_amounts__from_a_dollar_up_in_whole_cents(healthy, amount, error):
    ada = buyer()
    if error is None:
        assert wish(ada, amount).usd == 1
    else:
        refused(error, lambda: wish(ada, amount))


def test_only_the_member__buys(healthy):
    ada, ben = buyer(), buyer()
    refused(NotAllowed, lambda: wish(ada, acting=actor(ben)))
    assert wish(ada, acting=actor(ben, purchases.BUY_FOR_MEMBERS)).member == ada


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
def test_only_active_members__buy(healthy, verb):
    ada = buyer()
    getattr(members, verb)(member=ada, reason="so", acting=SYSTEM)
    refused(MemberNotActive, lambda: wish(ada))


def test_no_cloud_identity__buys_nothing(healthy):
    refused(NoCloudIdentity, lambda: wish(make_member(identity=False)))


def test_load_cap__counts_what_was_paid_and_what_is_open(healthy):
    ada = buyer()
    wish(ada, "100")
    payment_of_today = wish(ada, "50")
    pay(ada, "500", purchase_ref=str(payment_of_today.pk))
    purchases.fail(purchase_id=payment_of_today.pk, problem="paid otherwise", acting=SYSTEM)
    assert open_today(ada.pk) == 1000
    refusal = refused(DailyLimitReached, lambda: wish(ada, "50.001"))
    assert (refusal.details["left"], refusal.details["asked"]) == ("500", "500.01")
    assert wish(ada, "50").usd == 500
    refused(DailyLimitReached, lambda: wish(ada, "0.1"))


def test_expired_and_failed_checkouts__free_their_room(healthy):
    ada = buyer()
    first = wish(ada, "200")
    refused(DailyLimitReached, lambda: wish(ada, "0.1"))
    gone = datetime.now(tz=UTC) - timedelta(seconds=1)
    purchases.open_checkout(purchase_id=first.pk, session_id="cs_1", url="https://x", expires_at=gone, acting=SYSTEM)
    second = wish(ada, "200")
    purchases.fail(purchase_id=second.pk, problem="declined", acting=SYSTEM)
    assert wish(ada, "200").usd == 2000


def test_low_band__has_a_limit_of_its_own_and_stops_recurring_ones():
    ada = buyer()
    hold_dollars("0")
    pay(ada, "1000")
    check_backing("1010")
    ben = buyer()
    refused(DailyLimitReached, lambda: wish(ben, "20.001"))
    refused(RecurringPaused, lambda: wish(ben, "1", kind=PurchaseKind.RECURRING))
    assert wish(ben, "20").usd == 200


def test_recurring__one_at_a_time(healthy):
    ada = buyer()
    purchase = wish(ada, "1", kind=PurchaseKind.RECURRING)
    assert RecurringPurchase.objects.get(purchases=purchase).state == "starting"
    recurring.activate(recurring_id=purchase.recurring_id, subscription_id="sub_1", acting=SYSTEM)
    refused(RecurringRunning, lambda: wish(ada, "1", kind=PurchaseKind.RECURRING))


def test_states__money_wins_over_an_expired_checkout(healthy):
    ada = buyer()
    purchase = wish(ada, "1")
    later = datetime.now(tz=UTC) + timedelta(hours=1)
    purchases.open_checkout(
        purchase_id=purchase.pk, session_id="cs_1", url="https://x", expires_at=later, acting=SYSTEM
    )
    assert purchases.expire(purchase_id=purchase.pk, acting=SYSTEM).state == "expired"
    assert purchases.fail(purchase_id=purchase.pk, problem="late", acting=SYSTEM).state == "expired"
    assert PurchaseState.PAID in PURCHASE_EDGES[PurchaseState.EXPIRED]


def test_invoice_of_another_member__is_not_bought_for(healthy):
    ada, ben = buyer(), buyer()
    invoice = sent(ben)
    refused(InvoiceNotPayable, lambda: wish(ada, "10", kind=PurchaseKind.INVOICE, invoice=invoice))


def test_too_little_for_its_invoice__is_refused_and_writes_nothing(healthy):
    ada = buyer()
    invoice = sent(ada, item("4", "2.5"))
    short = invoice.total - Decimal("0.001")
    refusal = refused(TooLittleForInvoice, lambda: wish(ada, str(short), kind=PurchaseKind.INVOICE, invoice=invoice))
    assert refusal.code == "too_little_for_invoice"
    assert not Purchase.objects.filter(member=ada).exists()
    assert wish(ada, str(invoice.total), kind=PurchaseKind.INVOICE, invoice=invoice).invoice == invoice


# --- terms


def test_first_purchase__asks_for_the_terms_and_again_for_a_new_version(healthy):
    ada = make_member()
    refusal = refused(TermsNotAccepted, lambda: wish(ada))
    assert (refusal.status, refusal.details["version"]) == (403, 1)
    terms.accept(member=ada, version=1, acting=actor(ada))
    wish(ada)
    terms.publish(title="Terms", body="# New\n\nWords.", reason="counsel asked", acting=SYSTEM)
    assert refused(TermsNotAccepted, lambda: wish(ada)).details["version"] == 2
    terms.accept(member=ada, version=2, acting=actor(ada))
    wish(ada)
    assert list(TermsAcceptance.objects.filter(member=ada).values_list("terms__version", flat=True)) == [2, 1]


def test_acceptance__is_of_the_standing_version_by_the_member_once(healthy):
    ada, ben = make_member(), make_member()
    with pytest.raises(TermsOutdated):
        terms.accept(member=ada, version=2, acting=actor(ada))
    for other in (actor(ben), SYSTEM):
        with pytest.raises(NotAllowed):
            terms.accept(member=ada, version=1, acting=other)
    first = terms.accept(member=ada, version=1, acting=actor(ada))
    assert terms.accept(member=ada, version=1, acting=actor(ada)) == first


def test_publishing__needs_permission_reason_and_text():
    ada = make_member()
    publisher = actor(ada, terms.PUBLISH)
    for error, given in (
        (NotAllowed, {"acting": actor(ada)}),
        (ReasonRequired, {"reason": " "}),
        (TermsEmpty, {"body": " \n"}),
        (TermsEmpty, {"title": ""}),
    ):
        with pytest.raises(error):
            terms.publish(**({"title": "T", "body": "B", "reason": "r", "acting": publisher} | given))
    assert TermsVersion.objects.count() == 1


def test_key_of_two_members__are_two_wishes(healthy):
    ada, ben, same = buyer(), buyer(), key()
    assert wish(ada, idempotency_key=same).pk != wish(ben, idempotency_key=same).pk


def test_amount_in_cloud_only(healthy):
    ada = buyer()
    with pytest.raises(WrongCurrency):
        purchases.begin(member=ada, amount=usd("10"), idempotency_key=key(), acting=actor(ada))
    assert cloud("10").amount == 10


def _opened(purchase: Purchase, session_id: str) -> Purchase:
    tomorrow = datetime.now(tz=UTC) + timedelta(days=1)
    return purchases.open_checkout(
        purchase_id=purchase.pk, session_id=session_id, url="https://x", expires_at=tomorrow, acting=SYSTEM
    )


def test_declined_card__leaves_the_page_payable_and_the_room_taken(healthy):
    """Stripe's page stays open after a decline: else 2,000 USD could be opened again after each wrong number."""
    ada = buyer()
    first = _opened(wish(ada, "200"), "cs_1")
    purchases.fail(purchase_id=first.pk, problem="declined", acting=SYSTEM)
    assert open_today(ada.pk) == 2000
    refused(DailyLimitReached, lambda: wish(ada, "0.1"))


def test_checkout_of_yesterday__may_be_paid_today_and_counts(healthy):
    ada = buyer()
    _opened(wish(ada, "200"), "cs_1")
    with time_machine.travel(datetime.now(tz=UTC) + timedelta(hours=23, minutes=59), tick=False):
        assert open_today(ada.pk) == 2000
    with time_machine.travel(datetime.now(tz=UTC) + timedelta(days=1, minutes=1), tick=False):
        assert open_today(ada.pk) == 0


def test_checkout_of_yesterday__that_stripe_has_not_answered_yet__counts_while_it_may_open(healthy):
    """Stripe is silent over midnight: its saga opens the page today, where another 2,000 USD could be open already."""
    ada = buyer()
    purchase = wish(ada, "200")
    with time_machine.travel(datetime.now(tz=UTC) + timedelta(days=1), tick=False):
        assert open_today(ada.pk) == 2000
        Execution.objects.filter(saga="checkout", key=str(purchase.pk)).update(state="stuck")
        assert open_today(ada.pk) == 0


def test_keys_of_the_house__are_nobodys(healthy):
    """The purchase that a wire brings carries the payment's number: a member who took it would stop their own mint."""
    ada = buyer()
    refused(IdempotencyKeyReserved, lambda: wish(ada, idempotency_key="payment:77"))
