"""When what a patient sent is to be deleted."""

from datetime import UTC, datetime, timedelta

import pytest

from capture.domain.requests import MOVES, State
from capture.domain.retention import CONFIRM_AFTER, KEEP_UNFINISHED, is_confirmed, purge_due

SINCE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
KEPT = {
    State.ATTACHED: timedelta(days=30),
    State.COLLECTED: timedelta(days=90),
    State.EXPIRED: KEEP_UNFINISHED,
    State.CANCELLED: KEEP_UNFINISHED,
    State.LOCKED: KEEP_UNFINISHED,
}


@pytest.mark.parametrize("state", State)
def test_when_a_request_is_due(state: State) -> None:
    """Each state has its time or none: what is on its way, or waits to be opened, is never due, however old it is."""
    due = purge_due(state, SINCE, 30, 90)
    assert due == (SINCE + KEPT[state] if state in KEPT else None)
    assert due is None or State.PURGED in MOVES[state]


def test_a_note_counts_a_day_later() -> None:
    """SECURITY 41: what is due is deleted a day after that was first seen, and not an instant before."""
    noted_at = SINCE + timedelta(hours=1)
    assert not is_confirmed(SINCE, noted_at, noted_at)
    assert not is_confirmed(SINCE, noted_at, noted_at + CONFIRM_AFTER - timedelta(seconds=1))
    assert is_confirmed(SINCE, noted_at, noted_at + CONFIRM_AFTER)


def test_a_note_of_another_time_counts_for_nothing() -> None:
    """A note made before the request was due, since it has moved on, or that is due no longer, deletes nothing."""
    assert not is_confirmed(SINCE + timedelta(seconds=1), SINCE, SINCE + timedelta(days=100))
    assert not is_confirmed(None, SINCE, SINCE + timedelta(days=100))
