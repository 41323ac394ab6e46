"""A journal, what is noted in it, and what is read back, for the tests of it."""

from datetime import timedelta

from capture.store.journal import Ending, Journal, Position, since
from tests.store.conftest import NOW

DAY = timedelta(days=1)


def ending(number: int, act: str = "submitted", practice: str = "p", days: float = 0) -> Ending:
    """The end of a link, so many days after NOW."""
    return Ending((NOW + days * DAY).isoformat(), act, practice, number, f"request {number}")


def numbers(journal: Journal) -> list[int]:
    """The numbers of all lines, the first one's too."""
    return [line.number for line in journal.read()]


def at(journal: Journal) -> Position:
    """How far it has come."""
    found = journal.position()
    assert found
    return found


def after(journal: Journal, position: Position, **heads: int) -> list[int] | None:
    """What ended since, by the numbers of the events; None if the journal does not say."""
    found = since(journal.read(), position, heads)
    return None if found is None else [one.number for one in found]
