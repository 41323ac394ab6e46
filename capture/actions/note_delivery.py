"""Note what GOV.UK Notify says became of a text."""

import hmac

from capture.errors import NotAllowed, NotFound, Unavailable
from capture.services import Services
from capture.settings import ROOT
from capture.store import messages

FAILURES = {"permanent-failure", "temporary-failure", "technical-failure"}
"""What it calls the ends of a text that did not arrive."""


def check_caller(services: Services, bearer: str) -> None:
    """NotAllowed unless that is the token of the settings, compared in constant time; NotFound where none is set."""
    path = services.settings.notify_callback_file
    if not path:
        raise NotFound
    try:
        token = (ROOT / path).read_bytes().strip()
    except OSError as error:
        raise Unavailable(hint=f"{path}: {error.strerror}") from None
    if not token or not hmac.compare_digest(token, bearer.encode("utf-8", "replace")):
        raise NotAllowed(code="callback-token")


def note_delivery(services: Services, message_id: str, status: str) -> None:
    """Note the end of a text, once. A status that is no end, and an id that is not ours or is settled, change nothing."""
    if status == "delivered" or status in FAILURES:
        with services.database.write() as db:
            messages.note_delivery(db, message_id, services.clock(), "" if status == "delivered" else status)
