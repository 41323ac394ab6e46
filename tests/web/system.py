"""Another system of a practice: it holds a token and calls the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers

from capture.actions.tokens import issue_token
from capture.domain.tokens import SCOPES
from capture.services import Services
from tests.builders import APractice
from tests.web.html import ORIGIN

ROOT = "/api/v1"
ASKED = {
    "label": "Quillon Xystus",
    "date_of_birth": "1957-08-23",
    "protocol": "lesion",
    "site": "back-of-forearm",
    "side": "left",
    "reference": "AG-77-1234",
}


@dataclass(frozen=True)
class Answer:
    """What the API said; `json` is None where it is none."""

    status_code: int
    headers: Headers
    data: bytes
    mimetype: str | None
    json: Any

    @property
    def text(self) -> str:
        return self.data.decode()


class System:
    """Calls with a token, or with none."""

    def __init__(self, app: Flask, token: str = "", token_id: str = "") -> None:
        self.client, self.token, self.token_id = app.test_client(use_cookies=False), token, token_id

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Answer:
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = path if path.startswith(ROOT) else ROOT + path
        response = self.client.open(address, method=method, base_url=ORIGIN, headers={**given, **(headers or {})}, **options)
        assert response.headers.get("Cache-Control") == "no-store"
        assert "Set-Cookie" not in response.headers
        made = Answer(response.status_code, response.headers, response.data, response.mimetype, response.get_json(silent=True))
        response.close()
        return made

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        return self.call("POST", path, **options)

    def ask(self, key: str = "", **changes: Any) -> Answer:
        """Ask for photos; `changes` of None leave a field out."""
        values = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        return self.post("/requests", json=values, headers={"Idempotency-Key": key} if key else {})


def make_system(
    app: Flask, services: Services, practice: APractice, *scopes: str, name: str = "Record system", days: int = 365
) -> System:
    """A system with a token of its own, for all scopes if none is named."""
    chosen: Sequence[str] = scopes or tuple(SCOPES)
    made, token = issue_token(services, practice.id, name=name, scopes=chosen, days=days, actor="operator")
    return System(app, token, made.id)


def error_of(response: Answer) -> tuple[int, str]:
    """Status and code; and that the answer is an error in the API's form."""
    (error,) = response.json.values()
    assert set(error) == {"code", "sentence"}
    assert error["sentence"].strip()
    return response.status_code, error["code"]
