"""What a page shows for an amount, a time and a state, digit for digit."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.template import Context, Template

from habitat.faces.templatetags.faces import cloud, in_usd, signed, status, usd, when
from habitat.money import cloud as cloud_money


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("1250.50000000"), "1,250.5"),
        (Decimal("0.00000001"), "0.00000001"),
        (Decimal("100.00000000"), "100"),
        (Decimal("1E+3"), "1,000"),
        (Decimal("0E-8"), "0"),
        (Decimal("-3.10"), "−3.1"),
        (Decimal("99999999999.99999999"), "99,999,999,999.99999999"),
        (7, "7"),
        ("0.25", "0.25"),
        (None, ""),
        ("", ""),
    ],
)
def test_cloud_is_exact_and_trims_zeros(amount, shown):
    assert cloud(amount) == shown


def test_cloud_takes_money():
    assert cloud(cloud_money("12.50")) == "12.5"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("2.505"), "$2.51"),
        (Decimal("2.50499999"), "$2.50"),
        (Decimal("-2.505"), "−$2.51"),
        (Decimal("-0.004"), "$0.00"),
        (Decimal("1234567.1"), "$1,234,567.10"),
        (Decimal(0), "$0.00"),
        (None, ""),
    ],
)
def test_usd_rounds_half_up_to_cents(amount, shown):
    assert usd(amount) == shown


def test_in_usd_uses_the_peg__one_cloud_is_ten_dollars():
    assert in_usd(Decimal("0.00050000")) == "$0.01"
    assert in_usd(Decimal("1.25")) == "$12.50"


def test_signed_marks_what_comes_in_and_what_goes_out():
    assert signed(Decimal("1.50")) == "+1.5"
    assert signed(Decimal("-1.50")) == "−1.5"
    assert signed(Decimal(0)) == "0"


def test_when_is_utc_whatever_the_zone_of_the_value():
    at = datetime(2026, 4, 1, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    assert when(at) == '<time datetime="2026-04-01T00:30:00Z" data-when>2026-04-01 00:30 UTC</time>'


def test_when_keeps_microseconds_for_machines():
    at = datetime(2026, 4, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert 'datetime="2026-04-01T00:00:00.000001Z"' in when(at)


def test_when_leaves_a_day_a_day():
    assert when(date(2026, 4, 1)) == '<time datetime="2026-04-01">2026-04-01</time>'


def test_when_shows_nothing_for_nothing():
    assert when(None) == ""


@pytest.mark.parametrize(
    ("word", "tone"),
    [("completed", "ok"), ("PENDING", "wait"), ("failed", "bad"), ("reversed", "quiet"), ("<b>", "quiet")],
)
def test_status_is_a_word_and_a_colour(word, tone):
    html = status(word)
    assert f"status--{tone}" in html
    assert "<b>" not in html


def test_filters_need_no_load__they_are_built_in():
    assert Template("{{ a|cloud }} {{ a|in_usd }}").render(Context({"a": Decimal("1.20")})) == "1.2 $12.00"
