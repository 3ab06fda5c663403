"""A chart is drawn by the server, carries its table, and needs no style attribute."""

from decimal import Decimal

import pytest

from habitat.faces.charts import Chart, Series, round_top


def chart(values, second=None):
    series = [Series("Liquid", [Decimal(v) for v in values])]
    if second:
        series.append(Series("Staked", [Decimal(v) for v in second]))
    return Chart("balance", "Balance", "CLOUD", "Day", [f"2026-04-{n + 1:02}" for n in range(len(values))], series)


@pytest.mark.parametrize(
    ("largest", "top"),
    [
        ("0", "1"),
        ("0.00000003", "0.00000005"),
        ("1", "1"),
        ("1.01", "2"),
        ("2.4", "2.5"),
        ("70", "100"),
        ("100", "100"),
    ],
)
def test_axis_ends_at_a_round_number(largest, top):
    assert round_top(Decimal(largest)) == Decimal(top)


def test_lines_are_steps__a_balance_holds_until_the_next_day():
    html = chart(["0", "50", "100"]).lines()
    assert 'points="0,300 333.33,300 333.33,150 666.67,150 666.67,0 1000,0"' in html


def test_table_holds_every_value_exactly():
    html = chart(["1.50000000", "0.00000001"]).lines()
    assert '<th scope="row">2026-04-01</th><td class="num">1.5</td>' in html
    assert '<th scope="row">2026-04-02</th><td class="num">0.00000001</td>' in html


def test_chart_is_named_and_described_for_screen_readers():
    html = chart(["1", "3"]).lines()
    assert 'aria-labelledby="balance-title balance-desc"' in html
    assert "Liquid: 1 at 2026-04-01, 3 at 2026-04-02, highest 3 CLOUD." in html


def test_two_series_have_a_key__one_has_none():
    assert 'class="key"' in chart(["1"], ["2"]).lines()
    assert 'class="key"' not in chart(["1"]).lines()


def test_bars_stand_on_the_ground_line():
    html = chart(["100", "50"]).bars()
    assert '<rect class="chart__bar" x="90" y="0" width="320" height="300"/>' in html
    assert '<rect class="chart__bar" x="590" y="150" width="320" height="150"/>' in html


def test_no_style_attribute__the_policy_would_refuse_it():
    assert "style=" not in chart(["1", "2"], ["0", "0"]).lines()


def test_an_empty_chart_says_so():
    html = chart([]).lines()
    assert "Nothing to draw yet." in html


def test_a_series_of_another_length_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="one value for each label"):
        Chart("a", "A", "CLOUD", "Day", ["x"], [Series("s", [])])


def test_bars__a_few_are_named_one_by_one_and_many_by_their_ends():
    def drawn(count: int) -> str:
        labels = [f"label {number}" for number in range(count)]
        values = [Decimal(number) for number in range(count)]
        return Chart(
            name="few", title="Few", unit="CLOUD", label_title="Day", labels=labels, series=[Series("Cost", values)]
        ).bars()

    assert "chart__x--each" in drawn(6)
    assert "<span>label 3</span>" in drawn(6)
    assert "chart__x--each" not in drawn(7)
    assert "<span>label 6</span>" in drawn(7)
    assert "<span>label 3</span>" not in drawn(7)
