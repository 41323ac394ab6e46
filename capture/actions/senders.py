"""Bring bundles to outside inboxes from several threads, so that an inbox that stalls or fails leaves room for the others."""

import threading
from collections import Counter

from capture.actions.deliver import deliver, take_due
from capture.inbox import WEB
from capture.services import Services


class Senders:
    """What the threads of one process share. One inbox gets half of them at most; one that failed last, a single one.

    The last free one is for an inbox that has none and did not fail: those that are known to fail never hold all. As many as there
    are threads that begin to stall in the same moment do, until the first of these tries is over.
    """

    def __init__(self, services: Services) -> None:
        self.count = services.settings.senders if len(services.inboxes) > 1 else 1  # one tells of inboxes that are no more
        self._services = services
        self._lock = threading.Lock()
        self._busy = Counter[str]()
        self._failed = set[str]()

    def step(self) -> bool:
        """Make the delivery that has been due longest, of those to outside inboxes that have room; False when there is none."""
        with self._lock:
            lease = take_due(self._services, but=[WEB, *self._full()])
            if lease is None:
                return False
            self._busy[lease.inbox] += 1
        made = False
        try:
            made = deliver(self._services, lease)
        finally:
            with self._lock:
                self._busy[lease.inbox] -= 1
                self._failed = self._failed - {lease.inbox} if made else self._failed | {lease.inbox}
        return True

    def _full(self) -> set[str]:
        most, busy = max(1, self.count // 2), {inbox for inbox, number in self._busy.items() if number}
        if 1 < self.count <= self._busy.total() + 1:
            return busy | self._failed
        return {inbox for inbox in busy if self._busy[inbox] >= (1 if inbox in self._failed else most)}
