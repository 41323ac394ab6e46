"""Opening hours: read, stored, said in words, and counted between two times."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.domain.hours import USUAL, ZONE, Hours, clock, describe, open_hours_between, parse_hours, to_text
from capture.domain.practices import read_day
from capture.errors import NotAllowed

NINE, NOON, FIVE = time(9), time(12), time(17)
MIXED = Hours(((NINE, FIVE), (NINE, FIVE), (NINE, NOON), None, (NINE, FIVE), (NINE, NOON), (NINE, NOON)))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
PERIODS = st.tuples(TIMES, TIMES).filter(lambda ends: ends[0] < ends[1])
WEEKS = st.tuples(*[st.none() | PERIODS] * 7).map(Hours)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """In 2026, as the practice's clock shows it; 22 November is a Sunday."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (USUAL, "Monday to Friday, 8am to 6:30pm"),
        (
            MIXED,
            "Monday and Tuesday, 9am to 5pm; Wednesday, 9am to noon; Friday, 9am to 5pm; Saturday and Sunday, 9am to noon",
        ),
        (Hours((None,) * 7), ""),
        (Hours(((time(0, 5), time(23, 59)),) * 7), "Monday to Sunday, 12:05am to 11:59pm"),
    ],
)
def test_hours_are_said_in_few_words(hours: Hours, words: str) -> None:
    """Days with the same hours are said together, and times as people say them."""
    assert describe(hours) == words


def test_a_time_at_noon_and_at_midnight() -> None:
    """Noon is called noon, since few know whether it is am or pm; what is near it is not."""
    assert [clock(one) for one in (NOON, time(12, 30), time(0), time(13))] == ["noon", "12:30pm", "12am", "1pm"]


@given(WEEKS)
def test_what_is_stored_is_read_again(hours: Hours) -> None:
    """Hours survive the column that keeps them, which has room for 500 characters; nothing stored means the usual hours."""
    assert parse_hours(to_text(hours)) == hours
    assert len(to_text(hours)) <= 500
    assert parse_hours("") == USUAL


@pytest.mark.parametrize("text", ["[]", "{}", '["8", "9"]', "nonsense", '[["25:00", "26:00"], null, null, null, null, null, null]'])
def test_what_is_no_week_is_not_read(text: str) -> None:
    """Text that is not a week's hours is an error, never hours that nobody set."""
    with pytest.raises(ValueError):  # noqa: PT011 - json and datetime raise kinds of their own
        parse_hours(text)


@pytest.mark.parametrize(
    ("opens", "closes", "period"),
    [("08:00", "18:30", (time(8), time(18, 30))), ("8:00", "9:15", (time(8), time(9, 15))), ("", "", None)],
)
def test_a_day_is_read_as_forms_send_it(opens: str, closes: str, period: object) -> None:
    """Two times make a day, no times a day on which the practice is closed."""
    assert read_day(opens, closes) == period


@pytest.mark.parametrize(
    ("opens", "closes", "said"),
    [
        ("08:00", "", "both times"),
        ("", "18:30", "both times"),
        ("eight", "18:30", "both times"),
        ("24:00", "25:00", "both times"),
        ("18:30", "08:00", "later"),
        ("08:00", "08:00", "later"),
    ],
)
def test_a_day_that_cannot_be(opens: str, closes: str, said: str) -> None:
    """Half a day, a time that is none and an end before its beginning are told in a sentence."""
    with pytest.raises(NotAllowed, match=said):
        read_day(opens, closes)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (at(23, 9), at(23, 11), 2),
        (at(23, 6), at(23, 20), 10.5),
        (at(20, 18), at(23, 9), 1.5),  # half an hour on Friday, nothing at the weekend, one hour on Monday
        (at(21, 9), at(22, 20), 0),
        (at(23, 11), at(23, 9), 0),
        (at(16, 0), at(23, 0), 52.5),
        (at(27, 12, month=3), at(30, 12, month=3), 6.5 + 4),  # the clocks go forward on the Sunday between
    ],
)
def test_open_hours_are_counted_on_the_practices_clock(start: datetime, end: datetime, hours: float) -> None:
    """Nights, weekends and the change of the clocks are left out of what photos have waited."""
    assert open_hours_between(USUAL, start.astimezone(UTC), end.astimezone(UTC)) == timedelta(hours=hours)


@given(WEEKS, MOMENTS, MOMENTS, MOMENTS)
def test_open_hours_add_up(hours: Hours, first: datetime, second: datetime, third: datetime) -> None:
    """Two stretches one after the other count as much as both together, and never more than has passed."""
    first, second, third = sorted((first, second, third))
    parts = open_hours_between(hours, first, second) + open_hours_between(hours, second, third)
    assert parts == open_hours_between(hours, first, third)
    assert timedelta(0) <= parts <= third - first
