"""When a practice is open, day by day of the week; bank holidays are taken for days like any other. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/London")
"""Where practices are: what a clock on their wall says."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Period = tuple[time, time]


@dataclass(frozen=True)
class Hours:
    """From when to when, for each day of the week from Monday on; None: closed that day."""

    days: tuple[Period | None, ...]


@dataclass(frozen=True)
class Stretch:
    """Days one after the other (0 is Monday, both ends belong to it) with the same hours."""

    first: int
    last: int
    opens: time
    closes: time


USUAL = Hours(((time(8), time(18, 30)),) * 5 + (None, None))
"""The core hours of general practice in England."""


def parse_hours(text: str) -> Hours:
    """What `to_text` has written; the empty text stands for the usual hours. ValueError: it is something else."""
    if not text:
        return USUAL
    days = [None if day is None else (time.fromisoformat(day[0]), time.fromisoformat(day[1])) for day in json.loads(text)]
    if len(days) != len(DAYS):
        raise ValueError("hours of a week have seven days")
    return Hours(tuple(days))


def to_text(hours: Hours) -> str:
    """As it is stored: JSON, a list of seven, each null or two times such as "08:00"."""
    return json.dumps([day and [f"{end:%H:%M}" for end in day] for day in hours.days])


def open_hours_between(hours: Hours, start: datetime, end: datetime, zone: tzinfo = ZONE) -> timedelta:
    """For how long the practice was open between two times, as its own clocks go; nothing if the end is not after the start."""
    total, day = timedelta(0), start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        period = hours.days[day.weekday()]
        if period:
            opens, closes = (datetime.combine(day, at, zone).astimezone(UTC) for at in period)
            total += max(min(closes, end) - max(opens, start), timedelta(0))
        day += timedelta(days=1)
    return total


def stretches(hours: Hours) -> Iterator[Stretch]:
    """The days that the practice is open, those next to each other with the same hours together."""
    day = 0
    while day < len(DAYS):
        first, period = day, hours.days[day]
        while day < len(DAYS) and hours.days[day] == period:
            day += 1
        if period:
            yield Stretch(first, day - 1, *period)


def describe(hours: Hours) -> str:
    """In English, such as `Monday to Friday, 8am to 6:30pm; Saturday, 9am to noon`."""
    return "; ".join(f"{_days(one)}, {clock(one.opens)} to {clock(one.closes)}" for one in stretches(hours))


def clock(at: time) -> str:
    """A time as people say it: `8am`, `6:30pm`, `noon`."""
    if at == time(12):
        return "noon"
    return f"{at.hour % 12 or 12}{f':{at:%M}' if at.minute else ''}{'am' if at.hour < 12 else 'pm'}"


def _days(one: Stretch) -> str:
    if one.first == one.last:
        return DAYS[one.first]
    return f"{DAYS[one.first]} {'to' if one.last - one.first > 1 else 'and'} {DAYS[one.last]}"
