"""The dashboard: how asking for photos goes, week by week, drawn by the server. Counts only; nothing that names anyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median

from flask import Blueprint, g, render_template

from capture.domain.hours import ZONE
from capture.store import figures
from capture.web import services

blueprint = Blueprint("dashboard", __name__)
WEEKS = 12
SENT, OPENED, FINISHED, KEPT = "request sent", "request confirmed", "request submitted", "photo kept"
WIDTH, HEIGHT, TOP, GAP = 336, 130, 20, 4
"""Of a drawing, in its own units: all of it, the room for numbers above the bars, and the room between two bars."""

_UNITS = (("day", 1_440, 2_880), ("hour", 60, 120), ("minute", 1, 0))
"""Each with its minutes, and from how many of them on it is used."""


@dataclass(frozen=True)
class Bar:
    """One week in a drawing: a place, a size, and the number that it stands for in words."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A drawing of bars, one a week. `says` is what it shows, for those who do not see it."""

    name: str
    title: str
    says: str
    bars: tuple[Bar, ...]
    words: tuple[str, ...]
    empty: bool


@blueprint.get("")
def show_dashboard() -> str:
    """The last twelve weeks, and what is there now."""
    now = services().clock()
    starts = week_starts(now, WEEKS)
    with services().database.read() as db:
        counts = figures.count_by_week(db, g.practice.id, (SENT, OPENED, FINISHED), starts)
        kept = figures.count_requests(db, g.practice.id, KEPT, starts[0])
        times = figures.times_to_photos(db, g.practice.id, starts[0])
        stored, size = figures.bytes_stored(db, g.practice.id)
        waiting = figures.waiting(db, g.practice.id)
    weekly = [[took for at, took in times if _week_of(at, starts) == number] for number in range(WEEKS)]
    finished = sum(counts[FINISHED])
    charts = [
        _count_chart("sent", "Links sent", counts[SENT]),
        _count_chart("opened", "Patients who started", counts[OPENED]),
        _count_chart("finished", "Patients who sent photos", counts[FINISHED]),
        _time_chart("time", "Time from link to photos", [_middle(week) for week in weekly]),
    ]
    return render_template(
        "staff/dashboard.jinja",
        charts=charts,
        weeks=[start.astimezone(ZONE) for start in starts],
        finished=finished,
        kept=min(kept, finished) if finished else kept,
        typical=_say(_middle([took for _, took in times])),
        stored=stored,
        size=size,
        waiting=waiting.count,
        oldest=in_words(now - waiting.oldest) if waiting.oldest else "",
    )


def week_starts(now: datetime, count: int) -> list[datetime]:
    """When each of the last weeks began, oldest first, this one last: Mondays at midnight where the practice is, in UTC."""
    today = now.astimezone(ZONE).date()
    monday = today - timedelta(days=today.weekday())
    days: list[date] = [monday - timedelta(weeks=back) for back in reversed(range(count))]
    return [datetime.combine(day, time(), ZONE).astimezone(UTC) for day in days]


def in_words(took: timedelta) -> str:
    """A length of time as people say it: `20 minutes`, `3 hours`, `2 days`."""
    minutes = max(1, round(took.total_seconds() / 60))
    unit, size = next((unit, size) for unit, size, least in _UNITS if minutes >= least)
    number = round(minutes / size)
    return f"{number} {unit}{'s' if number != 1 else ''}"


def _week_of(at: datetime, starts: Sequence[datetime]) -> int:
    return sum(at >= start for start in starts) - 1


def _middle(times: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(took.total_seconds() for took in times)) if times else None


def _say(took: timedelta | None) -> str:
    return in_words(took) if took is not None else ""


def _count_chart(name: str, title: str, counts: Sequence[int]) -> Chart:
    says = f"{sum(counts)} in {len(counts)} weeks, {counts[-1]} of them this week, {max(counts)} in the busiest week."
    return _chart(name, title, says, counts, [str(count) for count in counts])


def _time_chart(name: str, title: str, medians: Sequence[timedelta | None]) -> Chart:
    hours = [took.total_seconds() / 3_600 if took is not None else 0 for took in medians]
    words = [_say(took) for took in medians]
    longest = words[hours.index(max(hours))]
    says = f"Half of the patients took longer. In the slowest week: {longest}." if longest else "Nobody has sent photos."
    return _chart(name, title, says, hours, words)


def _chart(name: str, title: str, says: str, values: Sequence[float], words: Sequence[str]) -> Chart:
    """Bars that stand on the ground, the highest as high as there is room."""
    step, highest = WIDTH / len(values), max(values) or 1
    bars = []
    for number, (value, text) in enumerate(zip(values, words, strict=True)):
        height = round(value / highest * (HEIGHT - TOP), 1)
        place = round(number * step + GAP / 2, 1), round(HEIGHT - height, 1), round(step - GAP, 1), height
        bars.append(Bar(*place, _short(text)))
    return Chart(name, title, says, tuple(bars), tuple(words), not any(values))


def _short(words: str) -> str:
    """For the little room above a bar: `3h` for `3 hours`."""
    number, _, unit = words.partition(" ")
    return f"{number}{unit[:1]}" if unit else number
