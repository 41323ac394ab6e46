"""Keep the journal of what ended short."""

import logging
from collections.abc import Callable

from capture.errors import CaptureError
from capture.services import Services
from capture.store.trimming import Trimmer

logger = logging.getLogger("capture.worker")


def make_trimming(services: Services) -> Callable[[], bool]:
    """What trims the journal once a day, however often it is called; says whether lines were dropped."""
    trimmer = Trimmer(services.journal)

    def trim() -> bool:
        try:
            return trimmer.trim(services.clock()) > 0
        except CaptureError as error:  # `capture check` says so too
            logger.error("the journal: %s", error.hint or error.sentence)
            return False

    return trim
