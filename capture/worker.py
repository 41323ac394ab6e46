"""The worker: delivers what is due and closes links whose time is over; a thread of `capture serve`, or `capture worker`."""

import logging
import threading
from time import monotonic

from capture.actions.deliver import deliver_next
from capture.actions.expire import expire_due
from capture.errors import CaptureError
from capture.services import Services

logger = logging.getLogger("capture.worker")
PAUSE = 1.0
"""Seconds between two looks at an empty outbox."""
SWEEP_EVERY = 60.0
"""Seconds between two looks for links whose time is over."""


def work(services: Services, stop: threading.Event) -> None:
    """Deliver until `stop` is set. A step that fails is tried again after a pause: nothing is lost by it."""
    sweep_at = monotonic()
    while not stop.is_set():
        try:
            busy = deliver_next(services)
            if monotonic() >= sweep_at:
                expire_due(services)
                sweep_at = monotonic() + SWEEP_EVERY
        except CaptureError as error:
            logger.error("%s: %s", error.code, error.hint or "no hint")
            busy = False
        except Exception as error:  # the worker outlives what one bundle does to it
            logger.error("unexpected %s", type(error).__name__)
            busy = False
        if not busy:
            stop.wait(PAUSE)


def start_worker(services: Services) -> threading.Event:
    """Start the worker in a thread of this process; set the event to end it."""
    stop = threading.Event()
    threading.Thread(target=work, args=(services, stop), name="worker", daemon=True).start()
    return stop
