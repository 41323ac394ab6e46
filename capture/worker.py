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
from capture.actions.trim_journal import make_trimming
from capture.errors import CaptureError
from capture.services import Services

logger = logging.getLogger("capture.worker")
PAUSE, SELDOM = 1.0, 30.0
"""Seconds between two looks at an empty outbox; and at one that only what an earlier configuration left can be in."""
LAST_STEP = 5.0
"""Seconds that what is being sent gets to come to its end, all of it together."""
SWEEP_EVERY = 60.0
"""Seconds between two looks for links and photos whose time is over."""
FORGET_EVERY = 60
"""Sweeps after which the database's journal is emptied in any case: a person may have deleted something in another process."""


def work(services: Services, stop: threading.Event) -> None:
    """Deliver until `stop` is set. Whatever goes outside goes in threads of its own: who stalls there holds up no other.

    This thread brings bundles to the staff pages and does the sweeps.
    """
    sweep_at, sweep = monotonic(), Sweep(services)

    def step() -> bool:
        nonlocal sweep_at
        busy = _attempt(lambda: deliver_to_pages(services))
        if monotonic() >= sweep_at:
            sweep_at = monotonic() + SWEEP_EVERY
            sweep.run()
        return busy

    senders, follower = Senders(services), Follower(services)
    outside = PAUSE if len(services.inboxes) > 1 else SELDOM
    steps: dict[str, tuple[Callable[[], bool], float]] = {
        **{f"sender {number}": (senders.step, outside) for number in range(1, senders.count + 1)},
        "webhooks": (partial(send_webhook, services), PAUSE),
        "messages": (partial(send_next, services), PAUSE if services.messengers else SELDOM),
        "way stations": (follower.step, outside),
        "journal": (make_trimming(services), SWEEP_EVERY),
    }
    beside = [
        threading.Thread(target=_repeat, args=(act, stop, pause), name=name, daemon=True) for name, (act, pause) in steps.items()
    ]
    for thread in beside:
        thread.start()
    try:
        _repeat(step, stop, PAUSE)
    finally:
        stop.set()
        until = monotonic() + LAST_STEP
        for thread in beside:
            thread.join(max(0.0, until - monotonic()))


class Sweep:
    """Chores that come each minute. One that fails is logged and has its turn again in the next sweep; it holds up no other."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._count = 0
        self._forgotten = False  # an earlier worker may have died before it could forget

    def run(self) -> None:
        """Do each of them once."""
        ends = (expire_due, flag_waiting, tell_late, sweep_webhooks)
        for chore in (*ends, note_due_heads, self._delete, scrub_due):
            _attempt(partial(chore, self._services))

    def _delete(self, services: Services) -> None:
        """Delete what is due, and empty the database's own journal after each deletion, once more, and each hour."""
        self._count += 1
        clean, self._forgotten = self._forgotten and self._count % FORGET_EVERY > 0, False  # the next line may fail half-way
        self._forgotten = (not purge(services) and clean) or services.database.forget_deleted()


def _repeat(step: Callable[[], bool], stop: threading.Event, pause: float) -> None:
    """Do it until `stop` is set. A step that fails is tried again after a pause: nothing is lost by it."""
    while not stop.is_set():
        if not _attempt(step):
            stop.wait(pause)


def _attempt(act: Callable[[], object]) -> bool:
    """Do it and say whether there was anything to do; what goes wrong is logged, by code."""
    try:
        return bool(act())
    except CaptureError as error:
        logger.error("%s: %s", error.code, error.hint or "no hint")
    except Exception as error:  # the worker outlives what one bundle does to it
        logger.error("unexpected %s", type(error).__name__)
    return False
