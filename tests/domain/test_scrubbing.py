"""How far the scrub should have come, and what is an orphan."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from capture.domain.scrubbing import END, is_orphan, reach

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_round_comes_round_in_its_days() -> None:
    """Nothing at the start, half of all ids in half of the time, everything once the days are over, and never less again."""
    assert reach(NOW, NOW, 8) == "00000000"
    assert reach(NOW, NOW + 4 * DAY, 8) == "80000000"
    assert reach(NOW, NOW + 8 * DAY, 8) == reach(NOW, NOW + 80 * DAY, 8) == END > "f" * 32
    assert reach(NOW, NOW - DAY, 8) == "00000000"


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_later_is_farther(one: int, other: int) -> None:
    """A later look never asks for less than an earlier one."""
    first, second = sorted((one, other))
    assert reach(NOW, NOW + first * timedelta(minutes=1), 7) <= reach(NOW, NOW + second * timedelta(minutes=1), 7)


def test_an_orphan_has_had_a_day() -> None:
    """What is younger than a day stays, and what a clock that ran ahead has written."""
    assert is_orphan(NOW - DAY, NOW)
    assert not is_orphan(NOW - DAY + timedelta(seconds=1), NOW)
    assert not is_orphan(NOW + DAY, NOW)
