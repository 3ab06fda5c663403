"""Arrays as text reach PostgreSQL as they were, whatever is in them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitat.statements import array_of, rows_of

pytestmark = pytest.mark.django_db

TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))), max_size=6
)


@given(TEXTS)
def test_array_of__texts_come_back_as_they_were(texts):
    assert rows_of("SELECT %s::text[]", [array_of(texts)]) == [(texts,)]


@given(st.lists(st.one_of(st.none(), st.decimals("-1e11", "1e11", places=8)), max_size=6))
def test_array_of__amounts_are_exact(amounts):
    assert rows_of("SELECT %s::numeric[]", [array_of(amounts)]) == [(amounts,)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint[]", [1, None, -(2**63)]),
        ("date[]", [date(2026, 1, 31), None]),
        ("timestamptz[]", [datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC), None]),
        ("bytea[]", [b'\x00\\"{},', None]),
        ("text[]", ["NULL", "null", "", " ", '"', "\\", "{a,b}", "a,b", None]),
        ("numeric[]", [Decimal("0E-8"), Decimal("1E+3")]),
    ],
)
def test_array_of__each_kind_survives(kind, values):
    assert rows_of(f"SELECT %s::{kind}", [array_of(values)]) == [(values,)]
