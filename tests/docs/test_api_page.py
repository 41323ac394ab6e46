"""docs/api.md can be followed: its commands run against a real server, and its events verify."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from standardwebhooks import Webhook
from werkzeug.serving import make_server

from capture.actions.tokens import issue_token
from capture.app import create_app
from capture.domain.requests import MOVES, State
from capture.domain.tokens import LONGEST_DAYS, SCOPES, new_token
from capture.services import Services
from capture.settings import ROOT
from capture.store.models import Request
from capture.web.api.calls import RATE
from tests import needs
from tests.builders import APractice, bundle_of, make_practice, make_request, make_submitted

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.fixture
def practice(services: Services) -> APractice:
    return make_practice(services)


@pytest.fixture
def origin(services: Services) -> Iterator[str]:
    app: Flask = create_app(services)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_its_commands_run(services: Services, practice: APractice, origin: str, tmp_path: Path) -> None:
    """Every curl command of the page, run as it stands by a shell, does what the page says of it."""
    needs.program("curl", install="apt install curl")
    sent = make_request(services, practice)
    make_submitted(services, sent)
    waiting, bundle = make_request(services, practice), bundle_of(services, sent)
    _, token = issue_token(services, practice.id, name="EMIS", scopes=list(SCOPES), days=1, actor="operator")
    (tmp_path / "token.header").write_text(f"Authorization: Bearer {token}\n")
    variables = {"PATH": os.environ["PATH"], "ORIGIN": origin, "REQUEST": waiting.id, "BUNDLE": bundle.id}
    commands = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines() if line.startswith("curl")]
    answers = [
        subprocess.run(["sh", "-ec", line], env=variables, cwd=tmp_path, check=True, capture_output=True, timeout=30).stdout
        for line in commands
    ]
    asked, changed, one, cancelled, listed, looked, fetched, acknowledged = (json.loads(answer or "{}") for answer in answers)
    assert asked["link"].startswith("https://photos.example.org/r/")
    assert {row["id"] for row in changed["requests"]} >= {asked["id"], waiting.id}
    assert (one["id"], one["state"], cancelled["state"]) == (waiting.id, "sent", "cancelled")
    assert [row["id"] for row in listed["bundles"]] == [bundle.id]
    assert fetched == {}
    assert (tmp_path / "bundle.zip").stat().st_size == looked["zip"]["size"]
    assert acknowledged["state"] == "collected"
    with services.database.read() as db:
        assert db.query(Request).count() == 3


def test_its_event_verifies() -> None:
    """The page's Python takes an event like the page's own, signed, and refuses it altered; the page names every state."""
    secret, (body,), now = "whsec_" + "QUJD" * 8, blocks("json"), datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", now, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    known = {"secret": secret, "headers": headers}
    (code,) = blocks("python")
    taken: dict[str, Any] = {**known, "body": body}
    exec(code, taken)
    assert taken["event"]["type"] == "request.delivered"
    with pytest.raises(Exception, match="No matching signature"):
        exec(code, {**known, "body": body.replace("KX7", "KX8")})
    assert all(f"`{state}`" in PAGE for states in MOVES.values() for state in states if state is not State.DRAFTED)


def test_its_numbers_are_those_of_the_code() -> None:
    """Scopes, the form of a token, its longest life and the rate are as the page says."""
    assert re.findall(r"^\| `([a-z]+:[a-z]+)` \|", PAGE, flags=re.M) == list(SCOPES)
    (form,) = re.findall(r"`(capture_\[[^`]+)`", PAGE)
    assert re.fullmatch(form, new_token())
    assert f"{LONGEST_DAYS} days" in PAGE
    assert f"{RATE.split()[0]} calls a minute" in PAGE
