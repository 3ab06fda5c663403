"""Every pair of ink and ground in the stylesheet holds WCAG's 4.5 : 1, in both themes."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static/faces/faces.css").read_text()
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
COLOURS = {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall(CSS)}
TEXT_ON = [
    *[(ink, ground) for ink in ("ink", "ink-2", "accent", "accent-strong") for ground in ("paper", "sheet", "sheet-2")],
    *[(ink, "accent-wash") for ink in ("ink", "ink-2", "accent", "accent-strong")],
    ("accent-ink", "accent"),
    ("accent-ink", "accent-strong"),
    *[(tone, f"{tone}-wash") for tone in ("ok", "wait", "bad", "info")],
    *[("ink", f"{tone}-wash") for tone in ("ok", "wait", "bad", "info")],
    *[(tone, ground) for tone in ("ok", "bad") for ground in ("paper", "sheet", "sheet-2")],
]
EDGES = [("rule-strong", "sheet"), ("rule-strong", "paper"), ("focus", "paper"), ("focus", "sheet")]


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_can_be_read__4_5_to_1(ink, ground, theme):
    assert ratio(COLOURS[ink][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_of_controls_can_be_seen__3_to_1(edge, ground, theme):
    assert ratio(COLOURS[edge][theme], COLOURS[ground][theme]) >= 3
