"""How pages tell moments: UTC from the server, the reader's zone by the script, deadlines with a countdown."""

from datetime import UTC, datetime, timedelta

import pytest

from habitat.faces.templatetags.faces import countdown, deadline, when

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def test_deadline__names_the_zone_and_keeps_utc_without_a_script():
    assert deadline(NOW) == '<time datetime="2026-03-28T12:00:00Z" data-when="zone">2026-03-28 12:00 UTC</time>'
    assert deadline(None) == ""
    assert when(NOW) == '<time datetime="2026-03-28T12:00:00Z" data-when>2026-03-28 12:00 UTC</time>'


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=3, hours=4, minutes=5), "in 3 days and 4 hours"),
        (timedelta(days=3, minutes=59), "in 3 days"),
        (timedelta(days=1, hours=1), "in 1 day and 1 hour"),
        (timedelta(hours=1), "in 1 hour"),
        (timedelta(minutes=59, seconds=59), "in 59 minutes"),
        (timedelta(seconds=59), "in less than a minute"),
        (timedelta(0), "over"),
        (timedelta(days=-1), "over"),
    ],
)
def test_countdown__in_its_two_largest_units(left, words):
    assert f">{words}</span>" in countdown(NOW + left, NOW, "over")


def test_countdown__does_not_trust_its_words():
    assert "&lt;b&gt;" in countdown(NOW, NOW, "<b>")
