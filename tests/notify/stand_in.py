"""A server on this machine that speaks as much of GOV.UK Notify's API as is used: the real one cannot run here.

What it checks and answers follows the documentation of that API (version 2): the client's JWT, the shape of what is sent, the
errors' shape. What the real service does with a number that networks refuse, and how fast, it cannot show.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import jwt

SERVICE, SECRET = "26785a09-ab16-4eb0-8407-a37497a57506", "3d844edf-8d35-48ac-975b-e847b4f122b0"
KEY = f"capture-{SERVICE}-{SECRET}"
TEMPLATE = "f33517ff-2a88-4f6e-b855-c550268ce08a"
WRONG_NUMBER = "+447700900999"
"""A number that the stand-in refuses as the service refuses one that cannot be."""
STRANGER = "+447700900998"
"""A number that it refuses as the service does outside the team, as long as it is in trial."""


class StandIn:
    """What arrived (`texts`), and how the next calls are answered: `answers` holds "down", "lost", "moved", "odd" or nothing.

    "lost" takes the text and breaks the line before the answer.
    """

    def __init__(self) -> None:
        self.texts: list[dict[str, Any]] = []
        self.answers: list[str] = []
        self.body, self.calls = "((text))", 0
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def send(self, given: dict[str, Any]) -> tuple[int, Any]:
        """POST /v2/notifications/sms."""
        if given.get("template_id") != TEMPLATE:
            return 400, _errors("BadRequestError", "Template not found")
        if given["phone_number"] == WRONG_NUMBER:
            return 400, _errors("ValidationError", f"phone_number {WRONG_NUMBER} is not a UK mobile number")
        if given["phone_number"] == STRANGER:
            return 400, _errors("BadRequestError", "Can't send to this recipient when service is in trial mode")
        made = {"id": str(uuid4()), "reference": given.get("reference"), "to": given["phone_number"]}
        with self.lock:
            self.texts.append({**made, "text": given["personalisation"]["text"]})
        return 201, made

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        if (method, parts.path) == ("POST", "/v2/notifications/sms"):
            return self.send(json.loads(body))
        if (method, parts.path) == ("GET", "/v2/notifications"):
            wanted = parse_qs(parts.query)["reference"][0]
            return 200, {"notifications": [one for one in self.texts if one["reference"] == wanted], "links": {}}
        if (method, parts.path) == ("GET", f"/v2/template/{TEMPLATE}"):
            return 200, {"id": TEMPLATE, "type": "sms", "body": self.body}
        return 404, _errors("NoResultFound", "No result found")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                stand_in.calls += 1
                how = stand_in.answers.pop(0) if stand_in.answers else ""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = 0 if self.is_ours() else 403
                said: Any = None if self.is_ours() else _errors("AuthError", "Invalid token")
                if how == "down":
                    status, said = 503, _errors("Exception", "Internal server error")
                elif how == "moved":
                    status, said = 302, None
                elif how == "odd":
                    status, said = 200, ["?"]
                if not status:
                    status, said = stand_in.answer(self.command, self.path, body)
                if how == "lost":
                    self.close_connection = True
                    return
                self.send_response(status)
                if how == "moved":
                    self.send_header("Location", f"{stand_in.url}/v2/elsewhere")
                data = json.dumps(said).encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = handle_any  # noqa: N815 - named by http.server

            def is_ours(self) -> bool:
                """A JWT of HS256 under the secret, made by this service within the last 30 seconds."""
                token = re.fullmatch("Bearer (.+)", self.headers.get("Authorization", ""))
                try:
                    claims = jwt.decode(token[1] if token else "", SECRET, algorithms=["HS256"], options={"verify_iat": False})
                except jwt.InvalidTokenError:
                    return False
                return bool(claims["iss"] == SERVICE and abs(time.time() - claims["iat"]) <= 30)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


def _errors(kind: str, message: str) -> dict[str, Any]:
    return {"status_code": 400, "errors": [{"error": kind, "message": message}]}


@contextmanager
def running_stand_in() -> Iterator[StandIn]:
    """The stand-in, until the end of the block."""
    made = StandIn()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()
