"""The worker: sends what is due, ends links and deletes photos in time; a thread of `capture serve`, or `capture worker`."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic

from capture.actions.deliver import deliver_to_pages
from capture.actions.expire import expire_due
from capture.actions.flag_waiting import flag_waiting
from capture.actions.follow_deliveries import Follower
from capture.actions.note_heads import note_due_heads
from capture.actions.purge import purge
from capture.actions.scrub import scrub_due
from capture.actions.send_message import send_next
from capture.actions.send_webhooks import send_webhook, sweep_webhooks
from capture.actions.senders import Senders
from capture.actions.tell_late import tell_late
from capture.errors import CaptureError
from capture.services import Services

logger = logging.getLogger("capture.worker")
PAUSE = 1.0
"""Seconds between two looks at an empty outbox."""
LAST_STEP = 1.0
"""Seconds that what is being sent gets to come to its end, all of it together."""
SWEEP_EVERY = 60.0
"""Seconds between two looks for links and photos whose time is over."""


def work(services: Services, stop: threading.Event) -> None:
    """Deliver until `stop` is set. Whatever goes outside goes in threads of its own: who stalls there holds up no other.

    This thread brings bundles to the staff pages and does the sweeps.
    """
    sweep_at, forgotten = monotonic(), False  # at the start too: an earlier worker may have died before it could forget

    def step() -> bool:
        nonlocal sweep_at, forgotten
        busy = deliver_to_pages(services)
        if monotonic() >= sweep_at:
            expire_due(services)
            flag_waiting(services)
            tell_late(services)
            sweep_webhooks(services)
            sweep_at = monotonic() + SWEEP_EVERY
            note_due_heads(services)
            scrub_due(services)
            clean, forgotten = forgotten, False  # until it is known: the next line may fail half-way
            forgotten = (not purge(services) and clean) or services.database.forget_deleted()
        return busy

    senders = Senders(services)
    steps = {f"sender {number}": senders.step for number in range(1, senders.count + 1)}
    steps |= {"webhooks": partial(send_webhook, services), "messages": partial(send_next, services)}
    steps["way stations"] = Follower(services).step
    beside = [threading.Thread(target=_repeat, args=(act, stop), name=name, daemon=True) for name, act in steps.items()]
    for thread in beside:
        thread.start()
    try:
        _repeat(step, stop)
    finally:
        stop.set()
        until = monotonic() + LAST_STEP
        for thread in beside:
            thread.join(max(0.0, until - monotonic()))


def _repeat(step: Callable[[], bool], stop: threading.Event) -> None:
    """Do it until `stop` is set. A step that fails is tried again after a pause: nothing is lost by it."""
    while not stop.is_set():
        try:
            busy = step()
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
