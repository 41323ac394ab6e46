"""How much and how often: sizes of bodies, kept in memory only, and rates."""

from io import BytesIO
from ipaddress import ip_network
from typing import IO

from flask import Flask, Request, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import RequestEntityTooLarge

from capture.counters import ALONE, options
from capture.services import Services
from capture.settings import Settings

BODY = 65_536
"""The largest body, in bytes, of every route that takes no photo (SECURITY 23)."""
CHUNK = 524_288
"""The largest piece of a photo that comes in pieces, in bytes."""
FORM_TYPE, CHUNK_TYPE = "multipart/form-data", "application/offset+octet-stream"
FORM_AROUND = 16_384
"""What a multipart form may weigh besides its photo."""
ADDRESS_RATE = "6000 per minute"
"""300 patients behind one address all finish, so this only stops floods."""
SIGN_IN_RATES = {"member": "10 per 5 minutes", "address": "10 per 5 minutes", "all": "1000 per 5 minutes"}
CODE_RATE = "5 per 5 minutes"


def client_address() -> str:
    """What counts as one client: an IPv4 address, or the 64-bit network that one IPv6 customer has."""
    address = get_remote_address().removeprefix("::ffff:")  # IPv4 as a socket for both tells it
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address


def address_mac() -> str:
    """The same as a MAC, for counts that may lie in a server which others read."""
    services: Services = current_app.extensions["capture.services"]
    return "address:" + services.vault.mac("limits", client_address())


class MemoryRequest(Request):
    """A request whose uploads stay in memory: Werkzeug would write them to a file past 500 kB (SECURITY 15)."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def init_limits(app: Flask, settings: Settings) -> Limiter:
    """Install the limits; the limiter is for the routes that want rates of their own, counted where the settings say.

    Floods are counted by each process by itself: patients wait for no other server, and none learns their addresses.
    """
    app.request_class = MemoryRequest
    app.config.update(MAX_CONTENT_LENGTH=BODY, MAX_CHUNK_LENGTH=CHUNK, MAX_FORM_MEMORY_SIZE=4 * BODY, MAX_FORM_PARTS=40)
    app.config.update(RATELIMIT_HEADERS_ENABLED=False)
    floods = Limiter(client_address, app=app, storage_uri=ALONE, default_limits=[ADDRESS_RATE], default_limits_per_method=False)
    floods.request_filter(lambda: request.endpoint in {"static", "ops.health"})
    limiter = Limiter(
        address_mac,
        app=app,
        storage_uri=settings.limits,
        storage_options=options(settings.limits),
        in_memory_fallback_enabled=settings.limits != ALONE,
    )

    @app.before_request
    def limit_body() -> None:
        # Photos in forms only if multipart: Werkzeug counts its parts, but not the fields of a urlencoded form.
        if app.extensions["capture.uploads"].get(request.endpoint) == request.mimetype:
            request.max_content_length = {FORM_TYPE: settings.max_upload_bytes + FORM_AROUND, CHUNK_TYPE: CHUNK}[request.mimetype]
        if (request.content_length or 0) > (request.max_content_length or BODY):
            raise RequestEntityTooLarge

    return limiter


def takes_upload(app: Flask, endpoint: str, kind: str = FORM_TYPE) -> None:
    """Let this endpoint take a photo, in a form or in pieces."""
    uploads: dict[str, str] = app.extensions.setdefault("capture.uploads", {})
    uploads[endpoint] = kind
