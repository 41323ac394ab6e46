"""An inbox in MESH, the NHS's network of mailboxes: one message a bundle, its ZIP, from our mailbox to the practice's."""

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from capture.errors import Unavailable, Undeliverable
from capture.inbox.base import CAME_BACK, BundleFiles, Placed
from capture.inbox.options import Options
from capture.mailbox import Account, Letter, Mailbox
from capture.sealing.archive import stream_archive

logger = logging.getLogger("capture.worker")
MOST_NOTICES, MOST_LISTED = 100, 10_000
"""How many messages are looked into at one time, and how many names of them are listed to find those."""
_MAILBOX, _ODS = r"[A-Z0-9]{1,20}", r"[A-Z0-9]{1,9}"


class MeshInbox:
    """An Inbox that Tracks. `recipients`: the mailbox of each practice by its ODS code; "" is the one of all others."""

    def __init__(self, mailbox: Mailbox, workflow: str, recipients: Mapping[str, str], chunk: int) -> None:
        self._mailbox, self._workflow, self._recipients, self._chunk = mailbox, workflow, recipients, chunk
        self._turn, self._sending = threading.Condition(), set[str]()
        self._others: set[str] = set()  # messages that were looked into and are no reports

    def put(self, bundle: BundleFiles) -> Placed:
        """See Inbox. MESH has taken all of it when this returns; the practice has not."""
        to = self._recipients.get(bundle.practice) or self._recipients.get("")
        if to is None:
            raise Unavailable(code="mesh-no-mailbox", hint=f"recipients names no mailbox for {bundle.practice}")
        letter = Letter(
            to=to,
            workflow=self._workflow,
            local_id=_local_id(bundle),
            subject="Sealed photos",
            file_name=f"capture-{bundle.receipt}.zip",
            size=bundle.archive_size(),
            read=partial(stream_archive, bundle.checked_entries),
            chunk=self._chunk,
        )
        with self._alone(letter.local_id):
            return Placed(self._mailbox.send(letter, is_first=bundle.is_first), final=False)

    def is_taken(self, reference: str) -> bool:
        """See Tracks. A message that MESH knows no longer is one that came back: what was taken is known for months."""
        status = self._mailbox.status(reference)
        if status in {"acknowledged", "accepted", "uploading"}:
            return status == "acknowledged"
        raise Undeliverable(code=CAME_BACK, hint=f"MESH says {status!r}" if status.isalpha() else "MESH no longer knows it")

    def returned(self) -> Sequence[tuple[str, str]]:
        """See Tracks: the reports among what waits in our mailbox. Anything else that is there stays there."""
        found, waiting = [], self._mailbox.waiting(self._workflow, MOST_LISTED)
        self._others.intersection_update(waiting)
        for message_id in [one for one in waiting if one not in self._others][:MOST_NOTICES]:
            with self._mailbox.fetch(message_id) as (head, _):
                if head.is_report:
                    logger.warning("MESH reports error %s of message %s", head.code or "unknown", head.about)
                    found.append((message_id, head.about))
                else:
                    self._others.add(message_id)
        return found

    def forget(self, notice: str) -> None:
        """See Tracks."""
        self._mailbox.acknowledge(notice)

    def check(self) -> str:
        """See Checks."""
        return self._mailbox.check()

    @contextmanager
    def _alone(self, local_id: str) -> Iterator[None]:
        """One thread at a time: MESH refuses nothing that it has already, so the second waits until MESH can be asked for it."""
        with self._turn:
            self._turn.wait_for(lambda: local_id not in self._sending)
            self._sending.add(local_id)
        try:
            yield
        finally:
            with self._turn:
                self._sending.remove(local_id)
                self._turn.notify_all()


def make_inbox(options: Options) -> MeshInbox:
    """The inbox that these options describe."""
    mailbox = options.text("mailbox", form=_MAILBOX, like="the name of a mailbox")
    account, workflow = read_account(options, mailbox)
    chunk = options.number("chunk_mb", 10, low=1, high=100) << 20
    return MeshInbox(Mailbox(account), workflow, _recipients(options), chunk)


def read_account(options: Options, mailbox: str) -> tuple[Account, str]:
    """How to get at a mailbox, and the workflow id: the same words for who sends and who collects."""
    url = options.text("url", form=r"https?://[^/@\s]+/?", like="an address without a path")
    account = Account(
        url=url,
        mailbox=mailbox,
        password_file=options.file("password_file", needed=True) or Path(),
        shared_key_file=options.file("shared_key_file", needed=True) or Path(),
        certificate_file=options.file("certificate_file", needed=urlsplit(url).scheme == "https"),
        key_file=options.file("key_file"),
        ca_file=options.file("ca_file"),
        seconds=options.number("timeout", 30, low=1, high=600),
    )
    return account, options.text("workflow", form="[A-Za-z0-9_-]{1,50}", like="a workflow id")


def _recipients(options: Options) -> dict[str, str]:
    """One mailbox for all, or one for each practice."""
    each = options.table("recipients", key=_ODS, form=_MAILBOX, like="names of mailboxes by ODS code")
    one = options.text("recipient", "", form=_MAILBOX, like="the name of a mailbox")
    if bool(each) == bool(one):
        options.problem("either recipient or recipients must be set")
    practices = options.names("practices", form=_ODS, like="ODS codes, one at least")
    if each and set(practices) != set(each):
        options.problem("practices and recipients must have the same ODS codes")
    return each or {"": one}


def _local_id(bundle: BundleFiles) -> str:
    """What MESH knows the message by besides its own id: that of the bundle; after it came back also which message it replaces."""
    after = hashlib.sha256(bundle.came_back.encode()).hexdigest()[:8] if bundle.came_back else ""
    return f"{bundle.id}-{after}" if after else bundle.id
