"""For the operator and for machines: health, security.txt, one log line a request, the front page."""

import json
import logging
import time
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, render_template, request

from capture.demo import Tour, live_facts
from capture.errors import NotFound
from capture.store.database import is_alive
from capture.web import services

blueprint = Blueprint("ops", __name__)
access = logging.getLogger("capture.access")


@blueprint.get("/")
def front() -> str:
    """In the demo: how to try it, for this machine alone. Otherwise: that one needs a link."""
    tour: Tour | None = current_app.extensions.get("capture.tour")
    if tour and request.host != urlsplit(services().settings.origin).netloc:
        raise NotFound  # another site's name that was made to lead here would read the demo's passwords
    is_here = ip_address(request.remote_addr or "0.0.0.0").is_loopback  # noqa: S104 - compared, not listened on
    shown = {**tour.to_json(), **live_facts(tour)} if tour and is_here else None
    return render_template("front.jinja", tour=shown)


@blueprint.get("/healthz")
def health() -> tuple[dict[str, bool], int]:
    """Whether this process can serve: 200, or 503 through Unavailable."""
    return {"ok": is_alive(services().database)}, 200


@blueprint.get("/.well-known/security.txt")
def security_txt() -> Response:
    """Where to report a weakness (RFC 9116)."""
    settings = services().settings
    expires = (services().clock() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {expires}",
        "Preferred-Languages: en",
        f"Canonical: {settings.origin}/.well-known/security.txt",
    ]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def init_log(app: Flask) -> None:
    """One JSON line a request: which route, never which address, so that no token can be in it (SECURITY 7)."""

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def log(response: Response) -> Response:
        if request.endpoint != "static":
            milliseconds = round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000)
            line = {
                "route": request.endpoint or "none",
                "method": request.method,
                "status": response.status_code,
                "ms": milliseconds,
            }
            access.info(json.dumps(line))
        return response
