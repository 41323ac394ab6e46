"""The dashboard: its figures are those of what happened, its drawings those of its figures."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from capture.services import Services
from capture.store import audit
from capture.web.dashboard import in_words, week_starts
from tests.builders import APractice, make_member, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.web.conftest import session_of
from tests.web.html import Page, Visitor, staff

HOME, SVG = "/staff/practice", "{http://www.w3.org/2000/svg}"


@pytest.fixture
def home(app: Flask, services: Services, practice: APractice, clock: Clock) -> Visitor:
    """A manager's browser, at a time when much has happened: three links, one of them last week's, two answered after hours."""
    make_submitted(services, make_request(services, make_practice(services, name="Oak Surgery")))
    clock.time = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # a Wednesday
    early = make_request(services, practice)
    clock.forward(hours=4)
    make_submitted(services, early)
    clock.time = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    late, _ = make_request(services, practice), make_request(services, practice)
    clock.forward(hours=8)
    make_submitted(services, late, views=("context", "close-up"))
    clock.forward(hours=3)
    return staff(app, session_of(services, make_member(services, practice)))


def numbers(page: Page) -> list[list[str]]:
    """The table: one line a week, the oldest first."""
    body = next(page.tree.iter("tbody"))
    return [[[text.strip() for text in cell.itertext() if text.strip()][-1] for cell in row] for row in body]


def test_counts_by_week(home: Visitor) -> None:
    """Sent, started and finished are counted in the week in which they were, of this practice alone; and the usual time told."""
    page = home.get(HOME)
    weeks = numbers(page)
    assert len(weeks) == 12
    assert [week[1:] for week in weeks[-2:]] == [["1", "1", "1", "4 hours"], ["2", "1", "1", "8 hours"]]
    assert all(week[1:] == ["0", "0", "0", "–"] for week in weeks[:-2])
    assert "Usual time to photos 6 hours" in page.text
    assert "3 photos, all sealed" in page.text


def test_what_waits(home: Visitor) -> None:
    """Photos that nobody has opened are counted, and how long the oldest of them waits is said."""
    text = home.get(HOME).text
    assert "Waiting to be opened 2 The oldest has waited 5 days" in text


def test_drawings_have_words(home: Visitor) -> None:
    """Each drawing has a title and says in a sentence what it shows; its bars are as high as their numbers."""
    page = home.get(HOME)
    drawings = [one for one in page.tree.iter(f"{SVG}svg") if one.get("aria-labelledby")]
    ids = {one.get("id"): "".join(one.itertext()) for one in page.tree.iter() if one.get("id")}
    assert len(drawings) == 4
    for drawing in drawings:
        assert drawing.get("role") == "img"
        title, says = (ids[name] for name in drawing.get("aria-labelledby", "").split())
        assert title
        assert says.endswith(".")
    heights = [float(bar.get("height", "")) for bar in drawings[0].iter(f"{SVG}rect")]
    assert heights == [0] * 10 + [55, 110]
    assert "3 in 12 weeks, 2 of them this week, 2 in the busiest week." in ids["says-sent"]


def test_sent_although_unclear(services: Services, practice: APractice, home: Visitor) -> None:
    """A patient who used a photo that may not be clear counts once, however many photos it were."""
    asked = make_request(services, practice)
    with services.database.write() as db:
        for _ in range(2):
            audit.append(db, practice.id, actor="patient", action="photo kept", subject=asked.id, at=services.clock())
    assert "Sent although unclear 1 of 2" in home.get(HOME).text


def test_a_practice_that_has_just_begun(app: Flask, services: Services) -> None:
    """With nothing to draw the page says so instead of drawing it."""
    practice = make_practice(services)
    page = staff(app, session_of(services, make_member(services, practice))).get(HOME)
    assert "Nothing waits." in page.text
    assert page.text.count("Nothing yet.") == 4
    assert "0 photos" in page.text


def test_bounded(services: Services, practice: APractice, home: Visitor) -> None:
    """The page asks the database the same few questions for one request and for many."""
    counts = []
    statements: list[str] = []
    event.listen(services.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for more in (0, 5):
        for _ in range(more):
            make_request(services, practice)
        statements.clear()
        home.get(HOME)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 24


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (timedelta(0), "1 minute"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=121), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(hours=60), "2 days"),
        (timedelta(days=9), "9 days"),
    ],
)
def test_times_in_words(took: timedelta, words: str) -> None:
    """A length of time is said in the unit that people would use."""
    assert in_words(took) == words


def test_weeks_begin_on_mondays_where_the_practice_is() -> None:
    """A week begins at midnight on the practice's clocks, summer and winter, and a Sunday evening belongs to the week before."""
    starts = week_starts(datetime(2026, 3, 29, 23, 30, tzinfo=UTC), 3)  # half past midnight there, on a Monday
    assert starts == [
        datetime(2026, 3, 16, 0, tzinfo=UTC),
        datetime(2026, 3, 23, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 23, tzinfo=UTC),
    ]
