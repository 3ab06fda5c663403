"""The trace page: a payment whole, each link with its page, in a fixed number of queries; and who may read it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from habitat.members.policies.roles import Role
from habitat.site.reports.trace import search, trace, trace_of_unknown
from tests.cloud_credits.bought import bought, buyer, check_backing, wish
from tests.faces.people import browser, reader
from tests.factories import make_member
from tests.members.people import trusted
from tests.treasury.banking import OLGA, deposit, read, the_line
from tests.treasury.money_in import received
from treasury.actions import bank_matches
from treasury.models import Payment, Payout, StripeEvent, StripeMovement
from treasury.policies.bank import MatchKind, TargetKind
from treasury.policies.matching import Target
from treasury.reports.trace import By

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 4, 15, 12, tzinfo=UTC)


def webhook(payment: Payment) -> StripeEvent:
    payload = {"data": {"object": {"id": payment.reference}}}
    kind = "payment_intent.succeeded"
    return StripeEvent.objects.create(event_id=f"evt_{payment.pk}", type=kind, payload=payload)


def make_payout(amount: str, payout_id: str = "") -> Payout:
    name = payout_id or f"po_{Payout.objects.count()}"
    return Payout.objects.create(payout_id=name, amount=Decimal(amount), created_at=NOON)


def moved(payment: Payment, payout: Payout | None) -> StripeMovement:
    return StripeMovement.objects.create(
        bt_id=f"txn_{payment.pk}",
        type="charge",
        amount=payment.amount,
        fee=0,
        net=payment.amount,
        source_id=payment.charge_id,
        payout=payout,
        available_on=NOON,
        occurred_at=NOON,
    )


def words(payment: Payment) -> list[tuple[str, str]]:
    return [(gap.arrow.value, gap.what) for gap in trace(payment, now=timezone.now()).gaps]


def arrows(payment: Payment) -> list[str]:
    return [link.arrow.value for link in trace(payment, now=timezone.now()).trail.links]


def test_card__from_webhook_to_matched_line(mercury_sandbox):
    payment = received("250")
    payout = make_payout("250")
    webhook(payment)
    moved(payment, payout)
    assert [gap for gap, _ in words(payment)] == ["event", "mint", "bank_line"]

    line_id = deposit(mercury_sandbox, "250.00", "STRIPE TRANSFER", counterpartyName="Stripe")
    read(mercury_sandbox)
    line = the_line(line_id)
    if not line.match_lines.filter(match__state="confirmed").exists():
        bank_matches.match_by_hand(
            kind=MatchKind.PAYOUT,
            lines=[line],
            targets=[Target(TargetKind.PAYOUT, str(payout.pk), Decimal(250))],
            reason="the amounts agree",
            idempotency_key="a",
            acting=OLGA,
        )

    assert arrows(payment) == ["event", "payment", "movement", "payout", "bank_line", "match"]
    assert [gap for gap, _ in words(payment)] == ["event", "mint"]


@pytest.mark.parametrize("by", ["reference", "charge", "payout", "movement", "payment", "member"])
def test_search__finds_the_payment_by_every_name_of_it(by):
    received()
    payment = received("70")
    moved(payment, make_payout("70", "po_x"))
    wanted = {
        "reference": (By.REFERENCE, payment.reference),
        "charge": (By.REFERENCE, payment.charge_id),
        "payout": (By.REFERENCE, "po_x"),
        "movement": (By.REFERENCE, f"txn_{payment.pk}"),
        "payment": (By.PAYMENT, str(payment.pk)),
        "member": (By.MEMBER, str(payment.member_id)),
    }[by]

    assert search(*wanted) == [payment]


def test_search__finds_the_payment_by_the_number_the_member_sees(client):
    check_backing()
    member = buyer()
    received("70")
    first, unpaid, second = bought(member), wish(member), bought(member)
    # Purchases and payments are numbered apart, and may meet in one number: then the other pair does not.
    payment = second if first.purchase.pk == first.pk else first
    purchase = payment.purchase
    client.force_login(trusted(Role.OPERATIONS).user)

    page = client.get("/admin/trace/", {"by": "purchase", "q": str(purchase.pk)}).content.decode()

    assert purchase.pk != payment.pk
    assert search(By.PURCHASE, str(purchase.pk)) == [payment]
    assert payment.reference in page
    assert "Purchase number" in page
    assert search(By.PURCHASE, str(unpaid.pk)) == []


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (By.REFERENCE, "pi_none"),
        (By.PAYMENT, "x"),
        (By.PAYMENT, "9" * 40),
        (By.MEMBER, "0"),
        (By.LINE, "12"),
        (By.TRANSACTION, "-1"),
        (By.TRANSACTION, "99999999"),
        (By.PURCHASE, "99999999"),
        (By.PURCHASE, "9" * 40),
        (By.PURCHASE, "pi_none"),
    ],
)
def test_search__of_what_is_not_there_finds_nothing(by, wanted):
    assert search(by, wanted) == []


def test_unknown_payment__says_that_the_webhook_never_came():
    shown = trace_of_unknown(By.REFERENCE, "pi_never_heard_of", now=timezone.now())

    assert [(gap.arrow.value, gap.remedy) for gap in shown.gaps] == [
        ("event", "Run the sweep of Stripe's balance transactions.")
    ]
    assert trace_of_unknown(By.REFERENCE, "Ada", now=timezone.now()) is None


def test_trace__asks_the_same_number_of_queries_however_much_there_is():
    asked = []
    for number in range(2):
        payment = received("70")
        for _ in range(number * 3):
            received("70", member=payment.member)
        webhook(payment)
        moved(payment, make_payout("70"))
        with CaptureQueriesContext(connection) as queries:
            trace(Payment.objects.select_related("member").get(pk=payment.pk), now=timezone.now())
        asked.append(len(queries))

    assert asked == [10, 10]


def test_webhook_of_a_payment__is_found_by_an_index():
    rows = StripeEvent.objects.filter(payload__data__object__id__in=["pi_1", "ch_1"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "stripeevent_object" in rows.explain()


def test_page__shows_links_gaps_and_addresses(client):
    payment = received("70")
    webhook(payment)
    client.force_login(trusted(Role.OPERATIONS).user)

    page = client.get("/admin/trace/", {"by": "reference", "q": payment.reference}).content.decode()

    assert f'href="/admin/treasury/journalentry/{payment.journal_entry_id}/change/"' in page
    assert "What is missing: 3" in page
    assert "balance transaction is not read yet" in page
    assert "The worker mints it within a minute" in page


def test_page__lists_several_and_tells_of_nothing(client):
    member = make_member()
    first, second = received("10", member=member), received("20", member=member)
    client.force_login(trusted(Role.OPERATIONS).user)

    page = client.get("/admin/trace/", {"by": "member", "q": str(member.pk)}).content.decode()
    assert page.index(f"Payment {second.pk}") < page.index(f"Payment {first.pk}")
    assert "Nothing is known of 77777." in client.get("/admin/trace/", {"by": "line", "q": "77777"}).content.decode()
    assert client.get("/admin/trace/", {"by": "nonsense", "q": "1"}).status_code == 422
    assert client.post("/admin/trace/").status_code == 405


def test_page__is_for_who_may_see_payments():
    assert browser(reader()).get("/admin/trace/").status_code == 302
