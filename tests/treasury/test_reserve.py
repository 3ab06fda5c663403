"""`/reserve/` and `GET /api/reserve`: for anybody, every term with source and time, as exact as the check itself."""

from decimal import Decimal

import pytest
from django.test import Client

from habitat.members.policies.actors import SYSTEM
from tests.treasury.reserves import bank_read, owe, stripe_read
from treasury.actions.backing import record_check, suspend_minting
from treasury.models import BackingCheck
from treasury.policies.backing import Band, band_in_words, percent

pytestmark = pytest.mark.django_db


def checked(bank: str = "900", available: str = "100", pending: str = "60") -> BackingCheck:
    owe("1000")
    bank_read(bank)
    stripe_read(available, pending)
    return record_check(trigger="test", acting=SYSTEM)


def test_page__tells_anybody_what_is_held_and_who_says_so():
    check = checked()
    shown = Client().get("/reserve/").content.decode()
    for words in (
        "106.00 %",
        "100.00 %",
        "healthy",
        "$1,000.00",
        "$1,060.00",
        "At Stripe, pending",
        "Mercury, account 1110",
        "$60.00",
        f'datetime="{check.as_of:%Y-%m-%dT%H:%M}',
        "Held and owed, the last 90 days",
        "The numbers as a table",
        "/api/reserve",
    ):
        assert words in shown
    assert "\u2212$40.00 to it" in shown


def test_page__says_when_minting_is_suspended():
    checked("500", "0", "0")
    suspend_minting(reason="a drill", acting=SYSTEM)
    shown = Client().get("/reserve/").content.decode()
    assert "50.00 %" in shown
    assert "shortfall" in shown
    assert ">suspended</div>" in shown


def test_page__before_the_first_check():
    assert "was not checked yet" in Client().get("/reserve/").content.decode()


def test_page__asks_five_queries_however_many_checks(django_assert_num_queries):
    for _ in range(3):
        checked()
    with django_assert_num_queries(5):
        Client().get("/reserve/")


def test_api__tells_the_same_exactly():
    check = checked("900.005")
    told = Client().get("/api/reserve").json()
    assert {name: told[name] for name in ("minting", "band", "required", "held", "settledHeld", "ratio")} == {
        "minting": True,
        "band": "healthy",
        "required": "1000",
        "held": "1060.005",
        "settledHeld": "1000.005",
        "ratio": "106.0005",
    }
    assert (told["inFlight"], told["reserveTarget"], told["aboveTarget"]) == ("0", "10", "-39.995")
    assert Decimal(told["held"]) == sum(Decimal(term["amount"]) for term in told["terms"])
    assert all(term["source"] and term["readAt"].endswith("Z") for term in told["terms"])
    assert told["asOf"] == check.as_of.isoformat().replace("+00:00", "Z")


def test_api__before_the_first_check():
    told = Client().get("/api/reserve").json()
    assert (told["band"], told["ratio"], told["held"], told["asOf"], told["terms"]) == ("unknown", None, None, None, [])


def test_percent__never_shows_more_than_there_is():
    assert percent(Decimal("99.9999")) == "99.99 %"
    assert percent(Decimal("1234.5")) == "1,234.50 %"
    assert percent(None) == "nothing is owed"
    assert len({band_in_words(band) for band in Band}) == len(Band)


def test_menu__leads_there_for_who_is_not_signed_in():
    assert 'href="/reserve/"' in Client().get("/").content.decode()
