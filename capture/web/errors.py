"""Every error becomes a page or, for a program, JSON: the right status, a sentence, a stable code; never a trace."""

import logging
import traceback
from contextlib import suppress

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as BaseResponse

from capture.errors import CaptureError, TokenRefused, Unavailable
from capture.web.sign_in import load_member

logger = logging.getLogger("capture.web")
RETRY_SECONDS, RATE_SECONDS = 10, 60
"""How long a browser should wait: after Unavailable, and after a rate limit."""
SENTENCES = {
    400: "Something was wrong with what the page sent. Go back, reload the page and try again.",
    404: "There is nothing at this address.",
    405: "This page cannot be used like that. Go back and try again.",
    413: "The file is too large. Choose a smaller photo, or take a new one.",
    429: "This was tried too many times. Wait a few minutes, then try again.",
    500: "Something went wrong on our side. Nothing that arrived was lost. Try again in a few minutes.",
}
"""What a person reads where HTTP itself says no; of other statuses 400 and 500 stand for their kind."""
FOR_PROGRAMS = {
    400: "This cannot be read. See the API's description for what is taken here.",
    404: "There is nothing at this address, or it is another practice's.",
    405: "This address does not take this method.",
    413: "The body is too large: 64 kB at most.",
    415: "The body must be JSON, and Content-Type must say so.",
    429: "This token was used too often. Wait as long as Retry-After says.",
    500: "Something went wrong on our side. Nothing was lost. Try again in a few minutes.",
}
"""The same for the API."""


def init_errors(app: Flask) -> None:
    """Install the handlers."""
    app.register_error_handler(CaptureError, answer_error)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def answer_error(error: CaptureError) -> Response:
    """The answer to one of our own errors. An operator's hint goes to the log, never to the page."""
    if error.status >= 500:
        logger.error("%s: %s", error.code, error.hint or "no hint")
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if (seconds := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, TokenRefused):
        headers["WWW-Authenticate"] = 'Bearer realm="capture"'
    return _answer(error.status, error.code, error.sentence, headers)


def _answer_csrf(_error: CSRFError) -> Response:
    return _answer(400, "form-too-old", "This page was open too long. Go back, reload it and try again.", {})


def _answer_http(error: HTTPException) -> BaseResponse:
    status = error.code or 500
    if status < 400 or error.response is not None:  # a redirect that routing asks for
        return error.get_response()
    sentences = FOR_PROGRAMS if _is_api() else SENTENCES
    sentence = sentences.get(status, sentences[400 if status < 500 else 500])
    headers = {"Retry-After": str(RATE_SECONDS)} if status == 429 else {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return _answer(status, error.name.lower().replace(" ", "-"), sentence, headers)


def _answer_unexpected(error: Exception) -> Response:
    """The log gets the kind of error and the lines it came through, never its message, which might hold what a person typed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    logger.error("unexpected %s at %s", type(error).__name__, lines)
    return _answer(500, "error", SENTENCES[500], {})


def _answer(status: int, code: str, sentence: str, headers: dict[str, str]) -> Response:
    sentence = gettext(sentence)
    programs = _is_api() or request.path.startswith("/uploads")  # tus is spoken by programs
    if programs or request.accept_mimetypes.best == "application/json":
        response = jsonify(error={"code": code, "sentence": sentence})
    else:
        template = "errors/staff.jinja" if _is_member(status) else "errors/error.jinja"
        response = Response(render_template(template, status=status, sentence=sentence))
    response.status_code = status
    response.headers.update(headers)
    return response


def _is_member(status: int) -> bool:
    """Whether someone is signed in, also where nothing has asked yet: at an address that is not there, or with a form too old."""
    if "member" not in g and status < 500 and request.path.startswith("/staff/") and "staff" in current_app.blueprints:
        with suppress(CaptureError):
            load_member()
    return "practice" in g and "member" in g


def _is_api() -> bool:
    return request.path.startswith("/api/")
