"""Keep the journal of what ended as short as the backups allow, while lines are added to it (ADR 11)."""

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from capture.sealing.files import sync_folder
from capture.store.journal import KEY, MEMBER, PURGED, RESTORED, TOKEN, WEBHOOK, Journal, Line, text_of
from capture.store.locked import is_at, locked

_LASTING = frozenset({PURGED, MEMBER, TOKEN, WEBHOOK, KEY})
"""Ends that no time brings about by itself."""
KEEP_LINKS = timedelta(days=60)
"""How long the end of a link is kept: after 28 days none of an older backup works any longer, whatever became of it."""
KEEP_LASTING = timedelta(days=400)
"""How long the other ends are kept, and so how old a backup may be that the journal covers."""
_EVERY = timedelta(days=1)
_FEW = 4_096
"""Bytes of lines, a dozen or so, that may be copied while others wait to add theirs."""


class Trimmer:
    """Drops lines that no backup needs any longer, once a day; whichever process comes first does it for all of them.

    The new file is written beside the old one, while lines are added as ever. Who adds one waits only while the last few are copied
    and the new file takes the name. Killed before that, the file is as it was, and what lies beside it is written over later.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._beside = journal.path.with_name(f".{journal.path.name}.new")
        self._looked = datetime.min.replace(tzinfo=UTC)
        self._only_grows = False

    def trim(self, now: datetime) -> int:
        """How many lines were dropped. Raises Unavailable, and BackupRefused where a line was altered.

        What is old is told by the look of the day before, which the first line names, so that a clock which runs ahead and is put
        right within a day drops nothing before its time. Does nothing where lines can only be added to the file.
        """
        if self._only_grows or self._was_looked_at(now):
            return 0
        self._looked = now
        try:
            with self._journal.path.open("rb") as source, locked(self._beside, os.O_RDWR | os.O_CREAT, wait=False) as new:
                try:  # the old file is closed after the new one: to free it takes a while, for which nobody need wait
                    return self._renew(source, new, now)
                finally:
                    if is_at(new, self._beside):
                        self._beside.unlink()
        except BlockingIOError:  # another process is at it
            return 0
        except PermissionError:
            self._only_grows = True  # it need not be tried each minute
            return 0
        except OSError as error:
            raise self._journal.away(error) from error

    def _was_looked_at(self, now: datetime) -> bool:
        looked = _time_of(next(self._journal.read()))
        return any(look <= now < look + _EVERY for look in (looked, self._looked))

    def _renew(self, source: BinaryIO, new: int, now: datetime) -> int:
        """Write the file anew, unless nothing in it is old; how many lines were left out."""
        reader, size = self._journal.reader(source), self._size()
        lines = reader.lines(size)
        first = next(lines)
        looked, base, last = _time_of(first), first.number, first.number
        then, is_old = min(looked, now), looked > now
        for line in lines:
            last, is_old = line.number, is_old or _is_over(line, now)
            if line.said["act"] in _LASTING and _is_over(line, then):
                base = line.number
        reader.check_end(self._journal.path)
        if not is_old:
            return 0
        reader = self._journal.reader(source)
        next(reader.lines())
        with os.fdopen(new, "wb", closefd=False) as file:
            file.truncate()  # what a killed one left
            said = {"journal": first.said["journal"], "at": now.isoformat()}
            copy = _Copy(self._journal, file, self._journal.line(base, "", said))
            copy.add(reader.lines(size), lambda line: line.number == last or not _is_over(line, then))
            while (grown := self._size()) - size > _FEW:
                size = grown
                copy.add(reader.lines(size))
            copy.sync()
            with self._journal.held() as held:
                if not os.path.samestat(os.fstat(held), os.fstat(source.fileno())):  # somebody put another in its place
                    return 0
                copy.add(reader.lines())
                reader.check_end(self._journal.path)
                copy.sync()
                self._beside.replace(self._journal.path)  # locked as it is, so that no line is added before the name is durable
                sync_folder(self._beside.parent)
        return copy.dropped

    def _size(self) -> int:
        """How long the file is; none of what is in it by now is taken back."""
        with self._journal.held() as file:
            return os.fstat(file).st_size


class _Copy:
    """The new file: lines of the old one, each under a MAC that follows on the one before it here."""

    def __init__(self, journal: Journal, file: BinaryIO, first: Line) -> None:
        self._journal = journal
        self._file = file
        self._last = first
        self.dropped = 0
        file.write(text_of(first))

    def add(self, lines: Iterable[Line], is_kept: Callable[[Line], bool] = lambda _: True) -> None:
        for line in lines:
            if is_kept(line):
                self._last = self._journal.line(line.number, self._last.mac, asdict(line.ending))
                self._file.write(text_of(self._last))
            else:
                self.dropped += 1

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _time_of(line: Line) -> datetime:
    return datetime.fromisoformat(line.said["at"])


def _is_over(line: Line, now: datetime) -> bool:
    keep = KEEP_LASTING if line.said["act"] in _LASTING else KEEP_LINKS
    return line.said["act"] != RESTORED and _time_of(line) < now - keep
