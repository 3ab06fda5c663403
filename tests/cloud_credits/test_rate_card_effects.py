"""What a card would have cost: exact, event by event, for one member and for all; a dry run writes nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from cloud_credits.models import RateCard
from cloud_credits.policies.pricing import cost
from cloud_credits.policies.primitives import Primitive
from cloud_credits.reports import rate_card_effects as effects
from cloud_credits.reports.rate_card_effects import Span
from habitat.members.policies.statuses import SystemAccount
from tests.cloud_credits.metered import make_key, meter, rows
from tests.factories import fund, make_member, system_member
from treasury.models import Period

pytestmark = pytest.mark.django_db

UNITS = {"compute": "compute-hours", "transfer": "gigabytes", "ltm": "gigabyte-months", "stm": "gigabyte-hours"}


def proposal(**fields: str | None) -> RateCard:
    """A card like version 1 with `fields` in their place; it is never saved."""
    terms = {
        "compute_rate": "1", "transfer_rate": "0.1", "ltm_rate": "0.05", "stm_rate": "0.5",
        "compute_cost": "0.0416", "transfer_cost": "0.01", "ltm_cost": "0.023", "stm_cost": "0.05",
    } | fields  # fmt: skip
    return RateCard(**{name: None if value is None else Decimal(value) for name, value in terms.items()})


def around_now() -> Span:
    now = datetime.now(tz=UTC)
    return Span("this", "now", now - timedelta(hours=1), now + timedelta(hours=1))


def use(member, key, primitive: str, quantity: str, **fields):
    meter(member, key, primitive=primitive, quantity=quantity, unit=UNITS[primitive], **fields)


def test_member__each_primitive_under_both_prices():
    member, key = make_member(credits="100"), make_key()
    use(member, key, "compute", "2.5")
    use(member, key, "compute", "1.5")
    use(member, key, "stm", "3")
    use(make_member(credits="10"), key, "compute", "7")

    effect = effects.of_member(member.pk, proposal(compute_rate="1.2", stm_rate="0.4"), around_now())

    assert [(line.primitive, line.events, line.quantity, line.was, line.would_be) for line in effect.lines] == [
        (Primitive.COMPUTE, 2, Decimal(4), Decimal(4), Decimal("4.8")),
        (Primitive.STM, 1, Decimal(3), Decimal("1.5"), Decimal("1.2")),
    ]
    assert (effect.was, effect.would_be, effect.change) == (Decimal("5.5"), Decimal(6), Decimal("0.5"))
    assert effect.percent == Decimal("9.09")


def test_member__sums_rounded_costs_and_never_rounds_a_sum():
    member, key = make_member(credits="1"), make_key()
    for _ in range(3):
        use(member, key, "stm", "0.000001")
    card = proposal(stm_rate="0.55555555")
    # 0.00000055555555 is 0.00000056 each; three of them together would be 0.00000167.
    assert effects.of_member(member.pk, card, around_now()).would_be == Decimal("0.00000168")


def test_member__usage_is_never_free_under_a_proposal():
    member, key = make_member(credits="1"), make_key()
    use(member, key, "stm", "0.000001")
    assert effects.of_member(member.pk, proposal(stm_rate="0.00000001"), around_now()).would_be == Decimal("1E-8")


def test_member__agrees_with_the_price_of_each_event():
    member, key = make_member(credits="100"), make_key()
    rates = {"compute": "1.33333333", "transfer": "0.14999999", "ltm": "0.06123457", "stm": "0.74999999"}
    card = proposal(**{f"{name}_rate": rate for name, rate in rates.items()})
    quantities = ["0.000001", "0.000007", "0.333333", "1.999999", "5"]
    for name in rates:
        for quantity in quantities:
            use(member, key, name, quantity)

    effect = effects.of_member(member.pk, card, around_now())
    shown, _ = effects.events(member.pk, card, around_now(), size=100)

    by_hand = {name: sum(cost(Decimal(q), Decimal(rate)) for q in quantities) for name, rate in rates.items()}
    assert {line.primitive.value: line.would_be for line in effect.lines} == by_hand
    assert len(shown) == 20
    assert sum(event.would_be for event in shown) == effect.would_be
    assert sum(event.change for event in shown) == effect.change


def test_events__show_both_arithmetics():
    member, key = make_member(credits="100"), make_key()
    use(member, key, "compute", "2.5")
    [event], mark = effects.events(member.pk, proposal(compute_rate="1.1"), around_now(), size=5)
    assert mark is None
    assert event.was_arithmetic == "2.5 compute-hours × 1 CLOUD = 2.5 CLOUD (25.00 USD)"
    assert event.arithmetic == "2.5 compute-hours × 1.1 CLOUD = 2.75 CLOUD (27.50 USD)"


def test_span__is_half_open():
    member, key = make_member(credits="100"), make_key()
    at = datetime.now(tz=UTC) - timedelta(minutes=5)
    use(member, key, "compute", "1", timestamp=at.isoformat())
    card, second = proposal(), timedelta(microseconds=1)
    found = [
        len(effects.of_member(member.pk, card, Span("x", "x", start, end)).lines)
        for start, end in ((at, at + second), (at - second, at), (at + second, at + 2 * second))
    ]
    assert found == [1, 0, 0]


def test_all__revenue_cost_and_margin_under_both_cards():
    ann, bob, key = make_member("Ann", credits="100"), make_member("Bob", credits="100"), make_key()
    use(ann, key, "compute", "10")
    use(bob, key, "compute", "30")
    use(bob, key, "ltm", "100")

    effect = effects.of_all(proposal(compute_rate="1.25", compute_cost="0.05", ltm_rate="0.06"), around_now())

    compute, ltm = effect.lines
    assert (compute.events, compute.quantity, compute.was, compute.would_be) == (2, 40, Decimal(40), Decimal(50))
    assert (compute.revenue_was, compute.revenue_would_be) == (Decimal(400), Decimal(500))
    assert (compute.cost_was, compute.cost_would_be) == (Decimal("1.664"), Decimal(2))
    assert (compute.margin_was, compute.margin_would_be) == (Decimal("99.58"), Decimal("99.6"))
    assert (ltm.was, ltm.would_be, ltm.cost_was, ltm.cost_would_be) == (5, 6, Decimal("2.3"), Decimal("2.3"))
    assert (effect.was, effect.would_be) == (Decimal(45), Decimal(56))
    assert (effect.cost_was, effect.cost_would_be) == (Decimal("3.964"), Decimal("4.3"))
    # (450 - 3.964) / 450 and (560 - 4.3) / 560
    assert (effect.margin_was, effect.margin_would_be) == (Decimal("99.12"), Decimal("99.23"))


def test_all__who_pays_more_who_less_and_the_largest_changes():
    key = make_key()
    members = [make_member(name, credits="1000") for name in ("Ann", "Bob", "Cleo", "Dan")]
    for member, (primitive, quantity) in zip(
        members, [("compute", "10"), ("compute", "100"), ("stm", "30"), ("transfer", "5")], strict=True
    ):
        use(member, key, primitive, quantity)

    effect = effects.of_all(proposal(compute_rate="1.1", stm_rate="0.4"), around_now())

    assert (effect.paying_more, effect.paying_less, effect.paying_same) == (2, 1, 1)
    assert [(row.name, row.change) for row in effect.largest] == [
        ("Bob", Decimal(10)), ("Cleo", Decimal(-3)), ("Ann", Decimal(1)),
    ]  # fmt: skip
    assert [row.percent for row in effect.largest] == [Decimal(10), Decimal(-20), Decimal(10)]


def test_all__techne_owes_itself_and_is_left_out():
    key, techne = make_key(), system_member(SystemAccount.TECHNE)
    fund(techne, "10")
    use(techne, key, "compute", "5")
    effect = effects.of_all(proposal(compute_rate="1.1"), around_now())
    assert (effect.lines, effect.paying_more, effect.margin_was) == ([], 0, None)


def test_all__a_draft_without_costs_has_no_margin_yet():
    use(make_member(credits="9"), make_key(), "compute", "1")
    effect = effects.of_all(proposal(compute_cost=None), around_now())
    assert (effect.lines[0].cost_would_be, effect.lines[0].margin_would_be) == (None, None)
    assert (effect.cost_would_be, effect.margin_would_be) == (None, None)
    assert effect.margin_was == Decimal("99.58")


def test_dry_run__writes_nothing(django_assert_num_queries):
    member = make_member(credits="9")
    use(member, make_key(), "compute", "1")
    before = rows()
    with django_assert_num_queries(2):
        effects.of_all(proposal(compute_rate="1.1"), around_now())
    with django_assert_num_queries(1):
        effects.of_member(member.pk, proposal(compute_rate="1.1"), around_now())
    assert rows() == before


def test_spans__are_the_ended_period_and_the_running_one():
    found = effects.spans(date(2026, 8, 10))
    assert [(span.key, span.name, span.start.date(), span.end.date()) for span in found] == [
        ("last", "2026-Q2", date(2026, 4, 1), date(2026, 7, 1)),
        ("this", "2026-Q3 so far", date(2026, 7, 1), date(2026, 10, 1)),
    ]
    assert [span.key for span in effects.spans(date(2026, 1, 5))] == ["this"]
    assert effects.spans(date(2025, 12, 31)) == []
    assert effects.span_called("nonsense", found) is None


def test_spans__where_no_period_is_running_the_newest_that_ended_is_the_last_one():
    found = effects.spans(date(2030, 8, 10))
    newest = Period.objects.order_by("-start")[0]
    assert [(span.key, span.name) for span in found] == [("last", newest.name)]
    assert effects.span_called("last", found).end.date() == newest.end


def test_fitting__is_the_last_period_where_something_was_used_in_it():
    member = make_member(credits="9")
    spans = effects.spans(datetime.now(tz=UTC).date())
    assert effects.fitting(member.pk, proposal(), spans).lines == []
    assert effects.fitting(member.pk, proposal(), []) is None
    use(member, make_key(), "compute", "1")
    assert effects.fitting(member.pk, proposal(), spans).was == Decimal(1)
    assert effects.fitting(member.pk, proposal(), spans).span.key == "this"
