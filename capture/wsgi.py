"""The application for gunicorn (config/gunicorn.conf.py): staff and other systems. `capture serve` is for patients (ADR 12)."""

import resource
from wsgiref.types import WSGIApplication

from capture.app import create_app, make_services
from capture.errors import SettingsError
from capture.serve import init_logging
from capture.settings import load_settings


def make_app() -> WSGIApplication:
    """The application of one worker process of gunicorn; SettingsError unless `surface` is staff."""
    settings = load_settings()
    if settings.surface != "staff":
        problem = f"surface must be staff under gunicorn, not {settings.surface!r}"
        raise SettingsError([problem], hint="`capture serve` serves patients, with bounds of its own: docs/scale.md")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as in `capture serve`
    init_logging()
    return create_app(make_services(settings, sends=False))
