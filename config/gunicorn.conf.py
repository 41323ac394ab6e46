"""gunicorn for the staff's pages and the API, behind nginx.conf: `gunicorn -c config/gunicorn.conf.py`, with surface = "staff".

Host, port and threads are those of Capture's settings. It may hold no patient's page: docs/adr/0012-patients-on-our-own-server.md.
"""

import multiprocessing
from typing import Any

from capture.serve import without_path
from capture.settings import load_settings

_settings = load_settings()
wsgi_app = "capture.wsgi:make_app()"
bind = f"{_settings.host}:{_settings.port}"
workers = 2 * multiprocessing.cpu_count()  # WEB_CONCURRENCY and --workers go before it
worker_class = "gthread"
threads = _settings.threads
preload_app = False  # each process opens a database of its own
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than nginx keeps a connection that nobody uses
limit_request_line = 8190
forwarded_allow_ips = "127.0.0.1"
worker_tmp_dir = "/dev/shm"  # noqa: S108 - holds nothing: its time tells that a process lives
accesslog = None  # the application logs each request, without its path
control_socket_disable = True


def post_fork(server: Any, _worker: Any) -> None:
    """gunicorn's own log tells of errors with the path, which may hold an invitation's token (SECURITY 7)."""
    server.log.error_log.addFilter(without_path)
