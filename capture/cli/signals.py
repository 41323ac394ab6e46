"""Ctrl-C and SIGTERM, for commands that go on until somebody ends them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_BOTH = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or Ctrl-C sets, the first time; the second time they end the process at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        threading.Thread(target=stop.set).start()  # not from here: what is interrupted may hold the event's own lock
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in _BOTH}
    with _heeded(on_signal):
        yield stop


@contextmanager
def ended_at_once() -> Iterator[None]:
    """What they end with 0 at once, whatever it waits for: a start, of which a process that is killed leaves nothing half done."""
    with _heeded(lambda _number, _frame: os._exit(0)):
        yield


@contextmanager
def _heeded(handler: Callable[[int, Any], object]) -> Iterator[None]:
    before: dict[int, Any] = {number: signal.signal(number, handler) for number in _BOTH}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
