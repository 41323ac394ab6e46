"""`capture deliveries`: what did not arrive, and sending it again; and what `capture check` says of it."""

from collections.abc import Callable
from pathlib import Path

from capture.actions.deliver import deliver_next
from capture.services import Services
from capture.store.models import AuditEvent, Delivery
from tests.builders import make_practice, make_request, make_submitted
from tests.cli.conftest import Command

LIST = ("deliveries", "list")


def test_what_did_not_arrive(capture: Command, open_services: Callable[[], Services]) -> None:
    """It is listed for people and programs, a practice's own where asked; sent again it is made; what arrived is left alone."""
    services = open_services()
    practice = make_practice(services)
    asked = make_request(services, practice)
    make_submitted(services, asked, delivered=False)
    assert capture.json(*LIST)["deliveries"][0]["state"] == "queued"
    with services.database.write() as db:
        row = db.query(Delivery).one()
        row.state, row.attempts, row.last_error = "given up", 5, "part-altered"
    (listed,) = capture.json(*LIST, "--practice", practice.ods)["deliveries"]
    assert [listed[name] for name in ("id", "ods", "receipt", "inbox", "state", "attempts", "last_error")] == [
        row.id,
        practice.ods,
        asked.receipt,
        "web",
        "given up",
        5,
        "part-altered",
    ]
    assert f"given up   {practice.ods} {asked.receipt} to web" in capture(*LIST).stdout
    said = capture("check", code=4).stdout
    assert f"deliveries: given up, of these receipts: {practice.ods} {asked.receipt} to web (part-altered)" in said
    assert capture.json("deliveries", "again", row.id) == {"again": [row.id]}
    with services.database.read() as db:
        again = db.query(Delivery).one()
        assert (again.state, again.attempts, again.last_error) == ("queued", 0, "")
        assert db.query(AuditEvent).filter_by(action="delivery again", subject=asked.id, actor="operator").count() == 1
    assert deliver_next(services)
    assert "Every bundle has arrived." in capture(*LIST).stdout
    assert "deliveries" not in capture("check").stdout
    assert "do not wait for another try" in capture("deliveries", "again", row.id, code=1).stderr
    assert "There is no such delivery" in capture("deliveries", "again", "0" * 32, code=1).stderr
    capture(*LIST, "--practice", "Z99", code=1)


def test_only_workers_open_the_secrets_of_inboxes(capture: Command, tmp_path: Path) -> None:
    """Where the worker runs apart, other processes start without the secrets that the file of inboxes names; a worker does not."""
    path = tmp_path / "inboxes.toml"
    words = ['kind = "s3"', 'title = "the bucket"', 'bucket = "elm"', 'access_key = "CAPTURE"', 'secret_file = "of-the-workers"']
    path.write_text("\n".join(["[inboxes.elm]", *words]))
    names_it = str(path)
    listed = capture.json("deliveries", "list", CAPTURE_INBOXES=names_it, CAPTURE_WORKER="false")
    assert listed["deliveries"] == []
    for command, worker in ((("worker", "--once"), "false"), (LIST, "true")):
        done = capture(*command, code=4, CAPTURE_INBOXES=names_it, CAPTURE_WORKER=worker)
        assert "of-the-workers cannot be read" in done.stderr
