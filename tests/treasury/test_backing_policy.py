"""The bands of backing, to the last digit; what each means; the load cap."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from treasury.policies.backing import (
    Backing,
    Band,
    Provider,
    Term,
    TermName,
    above_target,
    band,
    breaks,
    daily_limit,
    load_cap,
    may_mint,
    ratio,
    term_of,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REQUIRED = Decimal("100000000")


@pytest.mark.parametrize(
    ("held", "expected", "shown"),
    [
        ("-1", Band.SHORTFALL, "0"),
        ("0", Band.SHORTFALL, "0"),
        ("99999999.99999999", Band.SHORTFALL, "99.9999"),
        ("100000000", Band.LOW, "100"),
        ("104999999.99999999", Band.LOW, "104.9999"),
        ("105000000", Band.HEALTHY, "105"),
        ("110000000", Band.HEALTHY, "110"),
        ("110000000.00000001", Band.EXCESS, "110"),
        ("400000000", Band.EXCESS, "400"),
    ],
)
def test_band__edges_are_exact(held, expected, shown):
    assert band(required=REQUIRED, held=Decimal(held), is_known=True) is expected
    assert ratio(required=REQUIRED, held=Decimal(held)) == Decimal(shown)


@pytest.mark.parametrize("held", ["-5", "0", "10"])
@pytest.mark.parametrize("is_known", [True, False])
def test_band__nothing_required__is_healthy(held, is_known):
    assert band(required=Decimal(0), held=Decimal(held), is_known=is_known) is Band.HEALTHY
    assert ratio(required=Decimal(0), held=Decimal(held)) is None


def test_band__somebody_never_read__is_unknown():
    assert band(required=Decimal(1), held=Decimal(1000), is_known=False) is Band.UNKNOWN


def test_band__the_largest_books__keep_every_digit():
    largest = Decimal("999999999999.99999999")
    assert band(required=largest, held=largest, is_known=True) is Band.LOW
    assert band(required=largest, held=largest - Decimal("0.00000001"), is_known=True) is Band.SHORTFALL
    assert ratio(required=Decimal("0.00000001"), held=largest) == Decimal("9999999999999999.9999")


@pytest.mark.parametrize(
    ("found", "outdated", "allowed"),
    [
        (Band.HEALTHY, (), True),
        (Band.EXCESS, (), True),
        (Band.LOW, (), True),
        (Band.SHORTFALL, (), False),
        (Band.UNKNOWN, (), False),
        (Band.HEALTHY, (Provider.BANK,), False),
        (Band.EXCESS, (Provider.STRIPE,), False),
    ],
)
def test_automatic_flag__needs_cover_and_young_readings(found, outdated, allowed):
    assert may_mint(found=found, required=Decimal(1), outdated=outdated) is allowed


@pytest.mark.parametrize(("more", "refused"), [("0", False), ("5", False), ("5.00000001", True)])
def test_mint_without_cash__may_go_down_to_exactly_whole(more, refused):
    assert breaks(required=Decimal(95), held=Decimal(100), more=Decimal(more)) is refused


@pytest.mark.parametrize(
    ("found", "limit"),
    [
        (Band.EXCESS, None),
        (Band.HEALTHY, None),
        (Band.LOW, Decimal(200)),
        (Band.SHORTFALL, Decimal(200)),
        (Band.UNKNOWN, Decimal(200)),
    ],
)
def test_purchase_limit__holds_from_the_low_band_down(found, limit):
    assert daily_limit(found, lambda: Decimal(200)) == limit


@pytest.mark.parametrize(
    ("chosen", "signoff", "cap"),
    [
        ("500", "", "500"),
        ("2000", "", "2000"),
        ("5000", "", "2000"),
        ("5000", "  ", "2000"),
        ("5000", "Letter of 2026-03-01", "5000"),
    ],
)
def test_load_cap__above_two_thousand_needs_counsel(chosen, signoff, cap):
    assert load_cap(chosen=Decimal(chosen), signoff=signoff) == Decimal(cap)


@pytest.mark.parametrize(("held", "above"), [("120", "10"), ("110", "0"), ("101", "-9")])
def test_reserve_target__what_is_above_or_missing(held, above):
    assert above_target(required=Decimal(100), held=Decimal(held), target=Decimal(10)) == Decimal(above)


def _backing(*terms: Term, unread: tuple[Provider, ...] = ()) -> Backing:
    read_at = {Provider.BANK: NOON - timedelta(hours=26), Provider.STRIPE: NOON - timedelta(hours=48, microseconds=1)}
    return Backing(NOON, Decimal(100), Decimal(20), terms, read_at, unread)


def test_settled__leaves_out_what_is_still_on_its_way_but_never_what_is_owed():
    backing = _backing(
        Term(TermName.BANK, Decimal(100), "Mercury", NOON),
        Term(TermName.BANK_SINCE, Decimal(5), "Books", NOON),
        Term(TermName.STRIPE_AVAILABLE, Decimal(10), "Stripe", NOON),
        Term(TermName.STRIPE_PENDING, Decimal(7), "Stripe", NOON),
        Term(TermName.STRIPE_SINCE, Decimal(-3), "Books", NOON),
        Term(TermName.IN_TRANSIT, Decimal(20), "Pay-outs", NOON),
    )
    assert (backing.required, backing.held, backing.settled_held) == (Decimal(120), Decimal(139), Decimal(112))


def test_age__is_counted_from_the_moment_of_the_check():
    backing = _backing(unread=())
    assert backing.older_than(timedelta(hours=26)) == (Provider.STRIPE,)
    assert backing.older_than(timedelta(hours=48)) == (Provider.STRIPE,)
    assert backing.older_than(timedelta(hours=49)) == ()
    assert _backing(unread=(Provider.BANK,)).older_than(timedelta(hours=49)) == (Provider.BANK,)


def test_term__is_the_same_after_it_was_kept():
    term = Term(TermName.STRIPE_PENDING, Decimal("-12.34000001"), "Stripe", NOON)
    assert term_of(term.written()) == term
