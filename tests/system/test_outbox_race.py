"""Two workers at once: nothing is done twice."""

from pathlib import Path

from tests.system.outbox import run


def test_a_race(var: Path, url: str) -> None:
    """The table of faults: two workers at once on a thousand bundles make a thousand effects, and both have work."""
    assert run("race", var, url) == {
        "effects": 1_000,
        "of": 1_000,
        "in order": True,
        "workers": 2,
        "deliveries": {"delivered": 1_000},
        "arrived": 1_000,
        "once": True,
        "chains": True,
    }
