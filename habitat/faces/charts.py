"""Charts the server draws: geometry in SVG, words in HTML, and the same numbers in a table beneath."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from habitat.faces.templatetags.faces import cloud

WIDTH: Final = Decimal(1000)
HEIGHT: Final = Decimal(300)
# The share of a bar's slot that the bar fills.
BAR_SHARE: Final = Decimal("0.64")
# So few bars are named one by one; of more, the axis names the first and the last.
MOST_NAMED_BARS: Final = 6
NICE_STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Series:
    title: str
    values: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Drawing:
    """`polyline` and `area` are points of a stretched 1000 × 300 box."""

    title: str
    polyline: str
    area: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One place on the x axis: where the pointer finds it, and the bar that may stand there."""

    x: str
    width: str
    bar_x: str
    bar_width: str
    bar_y: str
    bar_height: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`labels` name the places on the x axis, in order; every series has one value, ≥ 0, for each."""

    name: str
    title: str
    unit: str
    label_title: str
    labels: Sequence[str]
    series: Sequence[Series]

    def __post_init__(self) -> None:
        if any(len(series.values) != len(self.labels) for series in self.series):
            message = "every series needs one value for each label"
            raise ValueError(message)

    @property
    def top(self) -> Decimal:
        """The upper end of the axis: the next round number at or above the largest value."""
        return round_top(max((value for series in self.series for value in series.values), default=Decimal(0)))

    def lines(self) -> SafeString:
        """A step line a series: a balance holds until the next movement."""
        drawings = [self._steps(series) for series in self.series]
        return self._render(drawings=drawings, is_bars=False)

    def bars(self) -> SafeString:
        """One bar a label, of the first series."""
        return self._render(drawings=[], is_bars=True)

    def _steps(self, series: Series) -> Drawing:
        slot = WIDTH / max(len(series.values), 1)
        points: list[str] = []
        for index, value in enumerate(series.values):
            y = _n(HEIGHT - self._height(value))
            points += [f"{_n(slot * index)},{y}", f"{_n(slot * (index + 1))},{y}"]
        area = f"0,{_n(HEIGHT)} {' '.join(points)} {_n(WIDTH)},{_n(HEIGHT)}" if points else ""
        return Drawing(series.title, " ".join(points), area)

    def _height(self, value: Decimal) -> Decimal:
        return value / self.top * HEIGHT

    def _slots(self) -> list[Slot]:
        width = WIDTH / max(len(self.labels), 1)
        bar = width * BAR_SHARE
        values = self.series[0].values if self.series else []
        return [
            Slot(
                x=_n(width * index),
                width=_n(width),
                bar_x=_n(width * index + (width - bar) / 2),
                bar_width=_n(bar),
                bar_y=_n(HEIGHT - self._height(value)),
                bar_height=_n(self._height(value)),
            )
            for index, value in enumerate(values)
        ]

    def _render(self, *, drawings: Sequence[Drawing], is_bars: bool) -> SafeString:
        rows = [
            (label, [cloud(series.values[index]) for series in self.series]) for index, label in enumerate(self.labels)
        ]
        return render_to_string(
            "faces/chart.html",
            {
                "chart": self,
                "drawings": drawings,
                "slots": self._slots(),
                "is_bars": is_bars,
                "ticks": [cloud(self.top), cloud(self.top / 2), "0"],
                "grid": ["0", _n(HEIGHT / 2), _n(HEIGHT)],
                "each_named": is_bars and len(self.labels) <= MOST_NAMED_BARS,
                "first": self.labels[0] if self.labels else "",
                "last": self.labels[-1] if len(self.labels) > 1 else "",
                "rows": rows,
                "summary": self._summary(),
            },
        )

    def _summary(self) -> str:
        if not self.labels:
            return "Nothing to draw yet."
        parts = [
            f"{series.title}: {cloud(series.values[0])} at {self.labels[0]}, "
            f"{cloud(series.values[-1])} at {self.labels[-1]}, highest {cloud(max(series.values))} {self.unit}"
            for series in self.series
        ]
        return "; ".join(parts) + "."


def round_top(largest: Decimal) -> Decimal:
    """1, 2, 2.5, 5 or 10 times a power of ten, at or above `largest`; 1 for an empty chart."""
    if largest <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(largest.adjusted())
    return next(step * power for step in NICE_STEPS if step * power >= largest)


def _n(value: Decimal) -> str:
    """A coordinate: two decimals are finer than any screen."""
    return f"{value.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP).normalize():f}"
