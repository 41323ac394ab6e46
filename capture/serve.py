"""Start the service: the application on waitress, the worker beside it, and a log that holds no tokens (DESIGN section 8)."""

import logging
import re
import resource
import socket
import sys
import threading
import traceback

from capture.app import create_app
from capture.errors import SettingsError
from capture.services import Services
from capture.settings import Settings
from capture.web_server import CONNECTIONS, Limits, Server
from capture.worker import LAST_STEP, work

OTHER_FILES = 256
"""Beside connections: the database, sealed parts, cleaners."""


def serve(services: Services, stop: threading.Event, extensions: dict[str, object] | None = None) -> None:
    """Serve until `stop` is set, with the worker beside it if the settings say so."""
    settings = services.settings
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold photos
    logging.getLogger("waitress").addFilter(without_path)
    app = create_app(services)
    app.extensions.update(extensions or {})
    worker = threading.Thread(target=work, args=(services, stop), name="worker", daemon=True)
    if settings.worker:
        worker.start()
    form, piece = app.config["MAX_CONTENT_LENGTH"], app.config["MAX_CHUNK_LENGTH"]
    limits = Limits(form=form, photo=settings.max_upload_bytes + form, piece=piece)
    server = Server(app, listen(settings), settings, limits, services.arriving, connections=_connections())
    try:
        server.run(stop)
    finally:
        stop.set()
        if settings.worker:
            worker.join(LAST_STEP + 1)
        services.close()


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on; SettingsError when the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        problem = f"port {settings.port} on {settings.host} cannot be used: {error.strerror}"
        raise SettingsError([problem], hint="choose another, as in: make run PORT=8001") from None
    return listener


def init_logging() -> None:
    """Log to standard error: one JSON line a request, one line an event."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def without_path(record: logging.LogRecord) -> bool:
    """Servers log addresses, which hold tokens, and messages of exceptions: leave what happened and where (SECURITY 7)."""
    record.msg = re.split(r" while serving|, closing channel| handling request", record.getMessage())[0]
    record.args = record.exc_info = record.exc_text = None
    kind, _, trace = sys.exc_info()
    if kind and record.levelno >= logging.ERROR:
        frames = reversed(traceback.extract_tb(trace)[-6:])
        record.msg += f": {kind.__name__} at {' < '.join(f'{frame.name}:{frame.lineno}' for frame in frames)}"
    return True


def _connections() -> int:
    """How many connections there may be, after asking the system for enough files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = CONNECTIONS + OTHER_FILES if hard == resource.RLIM_INFINITY else min(CONNECTIONS + OTHER_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(64, files - OTHER_FILES)
