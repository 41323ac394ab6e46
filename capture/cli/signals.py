"""Ctrl-C and SIGTERM, for commands that go on until somebody ends them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or Ctrl-C sets, the first time; the second time they end the process at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        threading.Thread(target=stop.set).start()  # not from here: what is interrupted may hold the event's own lock
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
