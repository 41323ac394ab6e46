"""`capture practice token` and `capture practice webhook`: what an operator makes is shown once, works, and can be ended."""

from collections.abc import Callable

import pytest

from capture.actions.tokens import use_token
from capture.errors import TokenRefused
from capture.services import Services
from capture.store.models import AuditEvent
from tests.cli.conftest import Command

ODS = ("--ods", "A81001")
TOKEN, WEBHOOK = ("practice", "token"), ("practice", "webhook")


@pytest.fixture
def practice(capture: Command) -> str:
    return str(capture.json("practice", "add", *ODS, "--name", "Elm Surgery", "--phone", "0191 498 0456")["id"])


def test_a_token(capture: Command, practice: str, open_services: Callable[[], Services]) -> None:
    """SECURITY 3: a token is printed once and works; the list never shows it; revoked it opens nothing. All is in the trail."""
    assert "There is no token yet." in capture(*TOKEN, "list", *ODS).stdout
    scopes = ("--scope", "bundles:acknowledge", "--scope", "bundles:read")
    made = capture.json(*TOKEN, "add", *ODS, "--name", "Record system", *scopes, "--days", "30")
    assert made["scopes"] == ["bundles:read", "bundles:acknowledge"]
    services = open_services()
    found, of_practice = use_token(services, made["token"])
    assert (found.id, of_practice.id, (found.expires_at - found.created_at).days) == (made["id"], practice, 30)
    (row,) = capture.json(*TOKEN, "list", *ODS)
    assert (row["id"], row["name"], row["state"]) == (made["id"], "Record system", "works")
    assert row["used_at"]
    assert made["token"] not in str(row)
    line = capture(*TOKEN, "list", *ODS).stdout
    assert "Record system (bundles:read bundles:acknowledge)" in line
    assert capture.json(*TOKEN, "revoke", *ODS, "--id", made["id"])["state"] == "revoked"
    with pytest.raises(TokenRefused):
        use_token(services, made["token"])
    assert "revoked" in capture(*TOKEN, "list", *ODS).stdout
    plain = capture(*TOKEN, "add", *ODS, "--name", "EMIS", "--scope", "requests:read").stdout.strip()
    assert use_token(services, plain)[0].name == "EMIS"
    with services.database.read() as db:
        events = [(event.action, event.actor) for event in db.query(AuditEvent).filter(AuditEvent.action.like("token %"))]
    assert events == [("token made", "operator"), ("token revoked", "operator"), ("token made", "operator")]


def test_a_webhook(capture: Command, practice: str, open_services: Callable[[], Services]) -> None:
    """A webhook's secret is printed once and again when it is renewed; the list shows addresses; removed it is gone."""
    assert "There is no webhook yet." in capture(*WEBHOOK, "list", *ODS).stdout
    made = capture.json(*WEBHOOK, "add", *ODS, "--url", "https://hooks.example.org/capture")
    assert made["secret"].startswith("whsec_")
    (row,) = capture.json(*WEBHOOK, "list", *ODS)
    assert row == {"id": made["id"], "url": "https://hooks.example.org/capture", "state": "on"}
    renewed = capture(*WEBHOOK, "renew", *ODS, "--id", made["id"]).stdout.strip()
    assert renewed.startswith("whsec_")
    assert renewed != made["secret"]
    assert "https://hooks.example.org/capture" in capture(*WEBHOOK, "list", *ODS).stdout
    assert capture.json(*WEBHOOK, "remove", *ODS, "--id", made["id"])["state"] == "removed"
    assert capture.json(*WEBHOOK, "list", *ODS) == []


def test_what_cannot_be_done(capture: Command, practice: str) -> None:
    """No such practice, id or scope, an address that is not https: a sentence and an exit code, and nothing is made."""
    assert (
        capture.json(*TOKEN, "add", "--ods", "B1", "--name", "x", "--scope", "requests:read", code=1)["error"]["code"]
        == "not-found"
    )
    assert capture.json(*TOKEN, "revoke", *ODS, "--id", "0" * 32, code=1)["error"]["code"] == "not-found"
    assert capture.json(*TOKEN, "add", *ODS, "--name", "", "--scope", "requests:read", code=1)["error"]["code"] == "token-name"
    capture(*TOKEN, "add", *ODS, "--name", "x", "--scope", "everything", code=2)
    capture(*TOKEN, "add", *ODS, "--name", "x", "--scope", "requests:read", "--days", "0", code=2)
    capture(*TOKEN, "add", *ODS, "--name", "x", code=2)
    assert capture.json(*WEBHOOK, "add", *ODS, "--url", "http://hooks.example.org", code=1)["error"]["code"] == "webhook-url"
    for verb in ("renew", "remove"):
        assert capture.json(*WEBHOOK, verb, *ODS, "--id", "0" * 32, code=1)["error"]["code"] == "not-found"
    assert capture.json(*TOKEN, "list", *ODS) == capture.json(*WEBHOOK, "list", *ODS) == []
