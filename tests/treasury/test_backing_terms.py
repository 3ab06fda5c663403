"""What is held between readings: nothing is missed for long, and no dollar counts twice (docs/design/backing.md)."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.treasury.postings import posted
from tests.treasury.reserves import (
    ago,
    arrives,
    bank_account,
    bank_read,
    booked,
    held,
    owe,
    paid_by_card,
    payout,
    stripe_read,
    terms,
)
from treasury.models import Payout
from treasury.policies.backing import Band, Provider
from treasury.reports.backing import computed

pytestmark = pytest.mark.django_db


def test_terms__are_the_readings_and_never_the_ledgers_clearing_account():
    paid_by_card("500", 120)
    bank_read("1000")
    stripe_read("20", "300")
    assert terms() == {"bank": Decimal(1000), "stripe_available": Decimal(20), "stripe_pending": Decimal(300)}


def test_terms__stripe_owes_less_than_nothing__counts_against():
    bank_read("1000")
    stripe_read("-50", "10")
    assert held() == Decimal(960)


def test_account_that_does_not_back__counts_for_nothing():
    bank_read("1000")
    bank_account("1120", is_backing=False).readings.create(available=9, current=9, read_at=ago(1))
    assert held() == Decimal(1000)


def test_backing_account_never_read__makes_the_whole_unknown():
    owe("100")
    bank_read("1000")
    bank_account("1120")
    backing = computed().backing
    assert (backing.unread, backing.held, backing.band) == ((Provider.BANK,), Decimal(0), Band.UNKNOWN)


def test_stripe__is_missed_once_it_is_connected(settings):
    owe("100")
    bank_read("1000")
    assert computed().backing.unread == ()
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    assert computed().backing.unread == (Provider.STRIPE,)


def test_payment__made_before_the_reading_and_booked_after_it__is_in_the_reading():
    bank_read("0")
    stripe_read("0", "100", minutes=10)
    paid_by_card("100", 11)
    assert terms() == {"stripe_pending": Decimal(100)}


def test_payment__made_after_the_reading__is_added():
    bank_read("0")
    stripe_read("0", "100", minutes=10)
    paid_by_card("70", 9)
    assert terms() == {"stripe_pending": Decimal(100), "stripe_since": Decimal(70)}


def test_fee_and_refund_after_the_reading__are_taken_off():
    stripe_read("0", "100", minutes=10)
    bank_read("0")
    posted(("5910", "3.2", None), ("1115", None, "3.2"), occurred_at=ago(9))
    posted(("2240", "10", None), ("1115", None, "10"), occurred_at=ago(8))
    assert held() == Decimal("86.8")


@pytest.mark.parametrize("stripe_minutes", [50, 5], ids=["sent after the reading", "sent before the reading"])
def test_payout_sent__moves_from_stripe_to_transit(stripe_minutes):
    bank_read("0")
    stripe_read("1000" if stripe_minutes == 50 else "400", minutes=stripe_minutes)
    payout("600", 30)
    assert (terms()["payouts_in_transit"], held()) == (Decimal(600), Decimal(1000))


def test_payout_matched__line_younger_than_the_banks_reading__is_booked_since():
    stripe_read("400", minutes=40)
    sent = payout("600", 45)
    bank_read("50", minutes=30)
    booked(sent, 10)
    assert terms() == {"bank": Decimal(50), "bank_since": Decimal(600), "stripe_available": Decimal(400)}


def test_payout_matched__line_older_than_the_banks_reading__is_in_the_reading():
    stripe_read("400", minutes=40)
    sent = payout("600", 45)
    bank_read("650", minutes=5)
    booked(sent, 10)
    assert terms() == {"bank": Decimal(650), "stripe_available": Decimal(400)}


def test_payout_sent_and_matched__both_after_stripes_reading__leaves_stripe_once():
    stripe_read("1000", minutes=60)
    sent = payout("600", 45)
    bank_read("650", minutes=5)
    booked(sent, 10)
    assert terms() == {"bank": Decimal(650), "stripe_available": Decimal(1000), "stripe_since": Decimal(-600)}


def test_payout_seen_at_the_bank_but_not_confirmed__counts_once():
    stripe_read("400", minutes=40)
    sent = payout("600", 45)
    bank_read("650", minutes=5)
    arrives(sent, 10)
    assert terms() == {"bank": Decimal(650), "stripe_available": Decimal(400)}


def test_payout_suggested__bank_not_read_since__is_still_in_transit():
    stripe_read("400", minutes=40)
    sent = payout("600", 45)
    bank_read("50", minutes=20)
    arrives(sent, 10)
    assert terms()["payouts_in_transit"] == Decimal(600)
    assert held() == Decimal(1050)


def test_payout_failed__is_nowhere_until_stripe_is_read_again():
    stripe_read("400", minutes=40)
    bank_read("0")
    sent = payout("600", 45)
    sent.fail()
    sent.save(update_fields=["state"])
    assert held() == Decimal(400)
    stripe_read("1000", minutes=0)
    assert held() == Decimal(1000)


def test_stripe_debits_the_bank__is_a_payout_turned_round():
    stripe_read("-30", minutes=40)
    bank_read("500", minutes=40)
    sent = payout("-30", 20)
    assert terms() == {
        "bank": Decimal(500),
        "stripe_available": Decimal(-30),
        "stripe_since": Decimal(30),
        "payouts_in_transit": Decimal(-30),
    }
    Payout.objects.filter(pk=sent.pk).update(matched_at=timezone.now())
    posted(("1115", "30", None), ("1110", None, "30"), occurred_at=ago(10))
    assert held() == Decimal(470)


def test_daily_check__turns_back_what_came_between_midnight_and_the_reading():
    midnight = datetime.combine(timezone.now().date(), time(), UTC)
    if (timezone.now() - midnight).total_seconds() < 900:
        pytest.skip("the day is too young for anything to have come")
    owe("100", 60 * 24 * 2)
    bank_read("1000", minutes=2)
    stripe_read("0", "70", minutes=2)
    paid_by_card("70", 5)
    posted(("1110", "25", None), ("3320", None, "25"), occurred_at=ago(4))
    found = computed(as_of=midnight, books_until=midnight.date()).backing
    assert (found.outstanding, found.in_flight) == (Decimal(100), Decimal(0))
    assert found.held == Decimal(975)
    assert computed().backing.in_flight == Decimal(70)


def test_reading__of_the_moment_is_the_first_after_it_else_the_last_before():
    for amount, minutes in (("1", 50), ("2", 40), ("3", 20), ("4", 10)):
        bank_read(amount, minutes)
    assert held(ago(30)) == Decimal(3)
    assert held() == Decimal(4)
