"""The real service while all that it sends to takes connections and says nothing; bench/waiting.py says what that costs."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.system.server import Patient, run, wait_until
from tests.system.stalled import AWAY, Stalled, new_link, serving, whole_journey

PATIENCE = 9.0
"""Seconds that a patient waits for any answer here; what the service itself waits for 20 to 60 s."""


def test_no_patient_waits_for_what_stalls(tmp_path: Path) -> None:
    """The table of faults: while S3, MESH and the mail server stall together, patients go through every page and send, the staff
    pages have the photos, and the inbox that is well gets each bundle."""
    with ExitStack() as stack:
        stalled = {name: Stalled(stack) for name in AWAY}
        server = stack.enter_context(serving(tmp_path, {name: one.port for name, one in stalled.items()}))
        for number in range(1, 3):
            whole_journey(Patient(server.port, new_link(server), patience=PATIENCE))
            wait_until(partial(has_come, tmp_path / "documents", number))
        for one in stalled.values():
            wait_until(one.was_called)  # it was waited for all the while
        rows = run(server.var, "deliveries", "list")["deliveries"]
        assert {row["inbox"] for row in rows} == {"bucket", "mesh"}
        assert len(rows) == 4


def has_come(folder: Path, number: int) -> bool:
    """Whether so many bundles are there."""
    return len(list(folder.glob("*.zip"))) == number
