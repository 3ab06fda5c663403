"""Usage costs quantity × rate, half-up to eight decimals, never free (domain §1 and §4)."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_credits.policies.pricing import cost
from cloud_credits.policies.primitives import MEASURES, Primitive, measure_of
from habitat.money import LARGEST_QUANTITY, cloud_to_usd

QUANTITIES = st.decimals(min_value=Decimal("0.000001"), max_value=LARGEST_QUANTITY, places=6)
RATES = st.decimals(min_value=Decimal("0.00000001"), max_value=Decimal("9999.99999999"), places=8)


@pytest.mark.parametrize(
    ("quantity", "rate", "credits", "dollars"),
    [
        ("2.5", "1.0", "2.5", "25"),
        ("10", "0.1", "1", "10"),
        ("1", "0.05", "0.05", "0.5"),
        ("1", "0.5", "0.5", "5"),
        ("0.000001", "0.01", "0.00000001", "0.0000001"),
        # below half of the smallest credit: usage is never free
        ("0.000001", "0.00000001", "0.00000001", "0.0000001"),
        # half-up at the ninth decimal, on both sides of the half
        ("0.5", "0.00000003", "0.00000002", "0.0000002"),
        ("0.5", "0.00000005", "0.00000003", "0.0000003"),
        ("0.499999", "0.00000003", "0.00000001", "0.0000001"),
        ("999999999999.999999", "1.0", "999999999999.999999", "9999999999999.99999"),
        # more than Decimal's usual 28 digits: nothing is dropped before rounding
        ("999999999999.999999", "9999.99999999", "9999999999989999.99", "99999999999899999.9"),
    ],
)
def test_cost__is_quantity_times_rate(quantity, rate, credits, dollars):
    assert cost(Decimal(quantity), Decimal(rate)) == Decimal(credits)
    assert cloud_to_usd(cost(Decimal(quantity), Decimal(rate))) == Decimal(dollars)


@given(quantity=QUANTITIES, rate=RATES)
def test_cost__equals_exact_fractions_rounded_half_up(quantity, rate):
    hundred_millionths = Fraction(quantity) * Fraction(rate) * 10**8
    expected = max(floor(hundred_millionths + Fraction(1, 2)), 1)
    assert Fraction(cost(quantity, rate)) == Fraction(expected, 10**8)


@pytest.mark.parametrize(("quantity", "rate"), [("0", "1"), ("-1", "1"), ("1", "0"), ("1", "-1")])
def test_cost__takes_only_positive_factors(quantity, rate):
    with pytest.raises(ValueError, match="positive"):
        cost(Decimal(quantity), Decimal(rate))


@pytest.mark.parametrize(
    ("primitive", "unit", "abbreviation", "floor_rate", "cap"),
    [
        ("compute", "compute-hours", "comp-hr", "0.5", "0.5"),
        ("transfer", "gigabytes", "GB", "0.1", "0.5"),
        ("ltm", "gigabyte-months", "GB-mo", "0.05", "0.3"),
        ("stm", "gigabyte-hours", "GB-hr", "0.01", "0.5"),
    ],
)
def test_primitive__has_its_unit_floor_and_cap(primitive, unit, abbreviation, floor_rate, cap):
    measure = measure_of(primitive)
    assert (measure.unit, measure.abbreviation) == (unit, abbreviation)
    assert (measure.floor, measure.cap) == (Decimal(floor_rate), Decimal(cap))


def test_primitive__no_unit_belongs_to_two():
    for primitive in Primitive:
        known_by = [other for other, measure in MEASURES.items() if measure.knows(MEASURES[primitive].unit)]
        assert known_by == [primitive]
