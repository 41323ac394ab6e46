"""Workers that are killed at any point of their work: nothing is lost and nothing doubled."""

from pathlib import Path

from tests.system.outbox import KILLS, run


def test_kills(var: Path, url: str) -> None:
    """The table of faults: 200 kills, from before a lease to after a settlement, and each bundle arrives once, in order."""
    found = run("kills", var, url)
    points = found.pop("points")
    assert found == {
        "kills": KILLS,
        "lost": 0,
        "doubled": 0,
        "altered": 0,
        "in order": True,
        "deliveries": {"delivered": 320},
        "arrived": 160,
        "once": True,
        "chains": True,
    }
    assert set(points) >= {
        *("begin", "before commit", "after commit", "before put", "after put", "before fsync", "after fsync"),
        *("before rename", "after rename", "before mark_delivered", "after mark_delivered"),
    }
