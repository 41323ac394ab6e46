"""The pages. Views read a form, call an action, answer with a page."""

from flask import current_app
from werkzeug.routing import BaseConverter

from capture.services import Services


class IdConverter(BaseConverter):
    """An id in an address: 128 bits in hex, and nothing else reaches the database."""

    regex = "[0-9a-f]{32}"


def services() -> Services:
    """What this application works with."""
    found: Services = current_app.extensions["capture.services"]
    return found
