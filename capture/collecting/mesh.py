"""Bundles from the practice's own mailbox in MESH, with no access to the service: one message each (docs/inboxes.md)."""

import re
import time
from collections.abc import Container, Sequence
from functools import partial

from capture.collecting.base import Target, Waiting, telling_away
from capture.mailbox import Head, Mailbox

MOST = 500
"""Messages that MESH lists at a time."""
_HANDSHAKE = 12 * 3600
"""Seconds; MESH wants one in 24 hours."""
_FILE = re.compile(r"capture-([A-Z0-9-]{4,16})\.zip")
_LOCAL = re.compile(r"([0-9a-f]{32})(-[0-9a-f]{8})?")
_told = partial(telling_away, "MESH does not answer.", {"mesh-away", "mesh-tls", "unavailable"})


class MeshSource:
    """A Source: the messages of one workflow in a mailbox. What is no bundle is left there for whoever it is for."""

    def __init__(self, mailbox: Mailbox, workflow: str) -> None:
        self._mailbox, self._workflow = mailbox, workflow
        self._known = dict[str, Waiting | None]()
        self._greeted = -float(_HANDSHAKE)

    def waiting(self, collected: Container[str]) -> Sequence[Waiting]:
        """See Source. What a message is stands in its head, which is fetched once."""
        with _told():
            if time.monotonic() - self._greeted >= _HANDSHAKE:
                self._mailbox.check()
                self._greeted = time.monotonic()
            ids = self._mailbox.waiting(self._workflow, MOST)
            self._known = {one: self._known[one] if one in self._known else self._look(one) for one in ids}
        return [bundle for bundle in self._known.values() if bundle]

    def fetch(self, bundle: Waiting, target: Target) -> None:
        """See Source. MESH gives a message from its beginning only, and does not say how long it is."""
        with _told(), self._mailbox.fetch(bundle.handle) as (_, pieces):
            target.begin(bundle.handle, 0, 0)
            for piece in pieces:
                target.write(piece)

    def acknowledge(self, bundle: Waiting) -> None:
        """See Source. MESH forgets the message, and tells the service that it was taken."""
        with _told():
            self._mailbox.acknowledge(bundle.handle)

    def _look(self, message_id: str) -> Waiting | None:
        with self._mailbox.fetch(message_id) as (head, _):
            return _bundle_of(head)


def _bundle_of(head: Head) -> Waiting | None:
    """The bundle that a message is, or None. What it says is believed only once its signature is checked."""
    file, local = _FILE.fullmatch(head.file_name), _LOCAL.fullmatch(head.local_id)
    return Waiting(local[1], file[1], head.id) if file and local and not head.is_report else None
