"""Raw SQL against purchases, mints of payments, refunds, clawbacks, terms and invoices: by the application role, and by
the owner."""

import psycopg
import pytest

from cloud_credits.actions import clawbacks, purchases, refunds
from cloud_credits.actions.invoices import pay as pay_invoice
from cloud_credits.models import CloudTransaction, Invoice, Purchase
from cloud_credits.policies.purchases import PURCHASE_EDGES, RECURRING_EDGES, REFUND_REQUEST_EDGES
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.bought import bought, buyer, monthly_purchase, pay, refunded_at_stripe, wish
from tests.cloud_credits.invoiced import item, sent
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db(transaction=True)

APPEND_ONLY = [
    "paymentmint",
    "termsversion",
    "termsacceptance",
    "billingcustomer",
    "receivablepayment",
    "invoicechange",
]
KEPT = ["purchase", "recurringpurchase", "refundrequest", "clawback", "invoice", *APPEND_ONLY]
# By the owner, whom no missing privilege stops: only triggers and constraints do.
ATTACKS = [
    "UPDATE cloud_credits_purchase SET amount = 1000, usd = 10000",
    "UPDATE cloud_credits_purchase SET usd = 1",
    "UPDATE cloud_credits_purchase SET kind = 'recurring'",
    "UPDATE cloud_credits_purchase SET key = 'other'",
    "UPDATE cloud_credits_purchase SET member_id = (SELECT max(id) FROM members_member)",
    "UPDATE cloud_credits_purchase SET state = 'created' WHERE state = 'minted'",
    "UPDATE cloud_credits_purchase SET state = 'minted' WHERE state = 'open'",
    "UPDATE cloud_credits_purchase SET state = 'paid' WHERE state = 'open'",
    "UPDATE cloud_credits_purchase SET payment_id = NULL WHERE payment_id IS NOT NULL",
    "UPDATE cloud_credits_purchase SET payment_id = (SELECT max(id) FROM treasury_payment)"
    " WHERE payment_id IS NOT NULL",
    "UPDATE cloud_credits_purchase SET session_id = 'cs_other' WHERE session_id IS NOT NULL",
    "UPDATE cloud_credits_purchase SET paid_at = now() WHERE paid_at IS NOT NULL",
    "UPDATE cloud_credits_purchase SET state = 'unheard'",
    "UPDATE cloud_credits_recurringpurchase SET amount = 99",
    "UPDATE cloud_credits_recurringpurchase SET state = 'starting'",
    "UPDATE cloud_credits_recurringpurchase SET member_id = (SELECT max(id) FROM members_member)",
    "UPDATE cloud_credits_recurringpurchase SET subscription_id = 'sub_other'",
    "UPDATE cloud_credits_paymentmint SET amount = 1",
    "UPDATE cloud_credits_refundrequest SET amount = 9",
    "UPDATE cloud_credits_refundrequest SET reason = 'other'",
    "UPDATE cloud_credits_refundrequest SET state = 'asked'",
    "UPDATE cloud_credits_refundrequest SET burn_id = NULL",
    "UPDATE cloud_credits_refundrequest SET refund_id = 're_other'",
    "UPDATE cloud_credits_refundrequest SET state = 'failed'",
    "UPDATE cloud_credits_refundrequest SET state = 'burned', refund_id = ''",
    "UPDATE cloud_credits_refundrequest SET giveback_id = burn_id",
    "UPDATE cloud_credits_clawback SET total = 0, burned = 0, owed = 0",
    "UPDATE cloud_credits_clawback SET total = total + 1",
    "UPDATE cloud_credits_clawback SET total = 1000, burned = 1000 - owed",
    "UPDATE cloud_credits_clawback SET given_back = total + 1",
    "UPDATE cloud_credits_clawback SET payment_id = (SELECT max(id) FROM treasury_payment)",
    "UPDATE cloud_credits_termsversion SET body = 'everything is allowed'",
    "UPDATE cloud_credits_termsacceptance SET accepted_at = '2020-01-01'",
    "UPDATE cloud_credits_billingcustomer SET customer_id = 'cus_other'",
    "UPDATE cloud_credits_invoice SET total = 77 WHERE state = 'paid'",
    "UPDATE cloud_credits_invoice SET state = 'sent', paid_at = NULL, paid_by = '', payment_transaction_id = NULL"
    " WHERE state = 'paid'",
    "UPDATE cloud_credits_invoice SET number = 77 WHERE state = 'paid'",
    "UPDATE cloud_credits_invoiceline SET amount = 1, price = 1, quantity = 1",
    "DELETE FROM cloud_credits_invoiceline",
    "UPDATE cloud_credits_invoicechange SET actor = 'nobody'",
]
REFUSED = (psycopg.errors.IntegrityError,)


@pytest.fixture
def rows():
    """One of each, made by the verbs."""
    ada, ben = buyer(), buyer()
    opened = wish(ada, "3")
    purchases.open_checkout(
        purchase_id=opened.pk, session_id="cs_1", url="https://x", expires_at="2030-01-01T00:00:00Z", acting=SYSTEM
    )
    purchases.record_customer(member_id=ada.pk, customer_id="cus_1", acting=SYSTEM)
    monthly_purchase(buyer())
    taken = bought(ada, "10")
    refunded_at_stripe(taken, "30")
    clawbacks.claw_back(payment_id=taken.pk, acting=SYSTEM)
    asked = refunds.request(
        payment=bought(ben, "10"), amount=cloud("4"), reason="so", idempotency_key=key(), acting=SYSTEM
    )
    refunds.burn(request_id=asked.pk, acting=SYSTEM)
    refunds.record_sent(request_id=asked.pk, refund_id="re_sent", acting=SYSTEM)
    bill = sent(ben, item("1", "1"))
    pay_invoice(invoice=bill, idempotency_key=key(), acting=actor(ben))
    pay(make_member(), "500")
    assert set(Purchase.objects.values_list("state", flat=True)) == {"created", "open", "minted"}
    assert Invoice.objects.get().state == "paid"


def test_owner__cannot_rewrite(rows, owner_connection):
    taken = []
    for attack in ATTACKS:
        try:
            owner_connection.execute(attack)
        except REFUSED:
            continue
        taken.append(attack)
    assert taken == []


def test_application__cannot_rewrite_either(rows, app_connection):
    taken = []
    for attack in ATTACKS:
        try:
            app_connection.execute(attack)
        except (*REFUSED, psycopg.errors.InsufficientPrivilege):
            continue
        taken.append(attack)
    assert taken == []


def test_nothing__disappears(rows, owner_connection, app_connection):
    for table in KEPT:
        for verb in (f"DELETE FROM cloud_credits_{table}", f"TRUNCATE cloud_credits_{table} CASCADE"):
            with pytest.raises(REFUSED):
                owner_connection.execute(verb)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app_connection.execute(verb)


@pytest.mark.parametrize(
    ("table", "facts"),
    [
        ("purchase", "amount = 1, usd = 9"),
        ("purchase", "state = 'minted'"),
        ("purchase", "state = 'paid'"),
        ("recurringpurchase", "state = 'active'"),
        ("refundrequest", "state = 'burned'"),
        ("refundrequest", "state = 'settled'"),
        ("clawback", "total = 1, burned = 1"),
    ],
)
def test_born_late__is_refused(rows, owner_connection, app_connection, table, facts):
    """A copy of a row that the verbs made, with other facts."""
    copy = {
        "purchase": "INSERT INTO cloud_credits_purchase (member_id, amount, usd, kind, state, key, digest)"
        " SELECT member_id, {amount}, {usd}, kind, {state}, 'forged', digest FROM cloud_credits_purchase LIMIT 1",
        "recurringpurchase": "INSERT INTO cloud_credits_recurringpurchase (member_id, amount, state)"
        " SELECT (SELECT max(id) FROM members_member), amount, {state} FROM cloud_credits_recurringpurchase LIMIT 1",
        "refundrequest": "INSERT INTO cloud_credits_refundrequest"
        " (payment_id, member_id, amount, reason, asked_by, key, state, burn_id)"
        " SELECT payment_id, member_id, amount, reason, asked_by, 'forged', {state}, NULL"
        " FROM cloud_credits_refundrequest LIMIT 1",
        "clawback": "INSERT INTO cloud_credits_clawback (payment_id, member_id, total, burned, owed)"
        " SELECT id, member_id, {total}, {burned}, 0 FROM treasury_payment WHERE state = 'received' LIMIT 1",
    }[table]
    given = {"amount": "amount", "usd": "usd", "state": "'created'"} | dict(
        fact.split(" = ") for fact in facts.split(", ")
    )
    for one in (owner_connection, app_connection):
        with pytest.raises(REFUSED):
            one.execute(copy.format(**given))


def test_mint__of_another_amount_member_or_kind_is_refused(rows, owner_connection, app_connection):
    payment = pay(buyer(), "50")
    foreign = CloudTransaction.objects.filter(type="burn").first().pk
    minted = CloudTransaction.objects.filter(type="mint", purpose="payment").first().pk
    for one in (owner_connection, app_connection):
        for transaction_id, amount in ((foreign, "amount"), (minted, "amount"), (minted, "5")):
            with pytest.raises(REFUSED):
                one.execute(
                    "INSERT INTO cloud_credits_paymentmint (payment_id, transaction_id, amount)"
                    f" SELECT {payment.pk}, id, {amount} FROM cloud_credits_cloudtransaction"
                    f" WHERE id = {transaction_id}"
                )


def test_clawback__of_a_payment_that_minted_nothing_takes_nothing(rows, owner_connection, app_connection):
    owner_connection.execute(
        "INSERT INTO cloud_credits_clawback (payment_id, member_id)"
        " SELECT id, member_id FROM treasury_payment WHERE state = 'received' LIMIT 1"
    )
    for one in (owner_connection, app_connection):
        with pytest.raises(REFUSED):
            one.execute("UPDATE cloud_credits_clawback SET total = 5, owed = 5 WHERE total = 0")


def test_refund__is_burned_by_its_own_burn_alone(rows, owner_connection, app_connection):
    """Another member's burn, a mint, or nothing at all does not carry a refund on."""
    ada = buyer()
    asked = refunds.request(
        payment=bought(ada, "10"), amount=cloud("4"), reason="so", idempotency_key=key(), acting=SYSTEM
    )
    foreign = CloudTransaction.objects.filter(type="burn").first().pk
    own_mint = CloudTransaction.objects.get(type="mint", to_member=ada).pk
    for one in (owner_connection, app_connection):
        for burn in ("NULL", foreign, own_mint):
            with pytest.raises(REFUSED):
                one.execute(
                    f"UPDATE cloud_credits_refundrequest SET state = 'burned', burn_id = {burn} WHERE id = {asked.pk}"
                )


def test_acceptance_and_customer__stand_once(rows, owner_connection):
    for copy in (
        "INSERT INTO cloud_credits_termsacceptance (member_id, terms_id)"
        " SELECT member_id, terms_id FROM cloud_credits_termsacceptance LIMIT 1",
        "INSERT INTO cloud_credits_billingcustomer (member_id, customer_id)"
        " SELECT (SELECT max(id) FROM members_member), customer_id FROM cloud_credits_billingcustomer",
    ):
        with pytest.raises(psycopg.errors.UniqueViolation):
            owner_connection.execute(copy)


@pytest.mark.parametrize(
    ("trigger", "edges"),
    [
        ("purchase_states", PURCHASE_EDGES),
        ("recurring_states", RECURRING_EDGES),
        ("refund_request_states", REFUND_REQUEST_EDGES),
    ],
)
def test_edges__are_those_of_the_policy(owner_connection, trigger, edges):
    [(definition,)] = owner_connection.execute(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [trigger]
    ).fetchall()
    for start, ends in edges.items():
        for end in edges:
            assert (f"{start.value}>{end.value}" in definition) is (end in ends), (start, end)
