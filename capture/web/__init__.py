"""The pages. Views read a form, call an action, answer with a page."""

from flask import current_app

from capture.services import Services


def services() -> Services:
    """What this application works with."""
    found: Services = current_app.extensions["capture.services"]
    return found
