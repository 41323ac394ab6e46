"""What every call of the API shows and gets: a token that may do it, a rate of its own; and the document that describes all."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter

from capture.actions.tokens import use_token
from capture.domain.tokens import is_token
from capture.errors import NotAllowed
from capture.web import services
from capture.web.limits import address_mac

RATE = "600 per minute"
"""Of one token."""
DOCUMENT = Path(__file__).with_name("openapi.json")
blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
P = ParamSpec("P")
R = TypeVar("R")


@blueprint.get("/openapi.json")
def document() -> Response:
    """What can be called and how (OpenAPI 3.1), for anyone."""
    return Response(DOCUMENT.read_bytes(), mimetype="application/json")


def needs(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A route for tokens with that scope. TokenRefused without one that works, NotAllowed for one that may do other things."""

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            g.token, g.practice = use_token(services(), _given())
            if not g.token.may(scope):
                raise NotAllowed(f"This token may not do this. It would need {scope}.", code="scope-missing")
            return view(*args, **kwargs)

        run.scope = scope  # type: ignore[attr-defined]
        return run

    return guard


def init_rates(app: Flask, limiter: Limiter) -> None:
    """So many calls a minute for each token, on top of what one address may do."""
    for name, view in app.view_functions.items():
        if hasattr(view, "scope"):
            limited: Any = limiter.shared_limit(RATE, scope="api", key_func=_caller, override_defaults=False)(view)
            app.view_functions[name] = limited


def _given() -> str:
    """The token of this call (RFC 6750); empty without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _caller() -> str:
    """Which token calls, as a MAC; calls without one count for their address."""
    token = _given()
    return "token:" + services().vault.mac("limits", token) if is_token(token) else address_mac()
