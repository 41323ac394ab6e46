"""What ended, noted outside the database: a restored backup learns from it which links were used and what was deleted since.

A file to which a line is added, durably, before the transaction of the act commits (SECURITY 42, ADR 10). A line is a MAC in hex
and, after a space, JSON: `n` counts the lines, `at`, `act`, `practice` and `number` of the audit event, `request`. The MAC is over
the MAC of the line before and the JSON, so that no line can be altered, moved or taken out of the middle. The first line names the
journal: its `n` is that of the last line which was dropped and would still be needed by a backup as old.
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from capture.errors import BackupRefused, Unavailable
from capture.sealing.files import append_whole, sync_folder, write_new
from capture.store.vault import Vault

PURGED, RESTORED, LOCKED, REPLACED = "purged", "restored", "locked", "replaced"
MEMBER, TOKEN = "member removed", "token revoked"
_LASTING = frozenset({PURGED, MEMBER, TOKEN})
"""Ends that no time brings about by itself."""
KEEP_LINKS = timedelta(days=60)
"""How long the end of a link is kept: after 28 days none of an older backup works any longer, whatever became of it."""
KEEP_LASTING = timedelta(days=400)
"""How long the other ends are kept, and so how old a backup may be that the journal covers."""
_TRIM_EVERY = timedelta(days=1)
_TAIL = 8_192
PATIENCE, _LOOK = 5.0, 0.01
"""Seconds for which the lock of the file is waited for, and between two looks at it."""
_LINE = re.compile(rb"([0-9a-f]{64}) (\{.*\})")


@dataclass(frozen=True)
class Ending:
    """What ended: of a link, or of all that a request held, the state it came to, LOCKED or REPLACED (by a new link); or MEMBER or
    TOKEN, and then the id of one of these stands in the place of the request's.
    """

    at: str
    act: str
    practice: str
    number: int
    request: str


@dataclass(frozen=True)
class Position:
    """How far a journal has come: its id, and the number of its last line."""

    journal: str
    number: int


@dataclass(frozen=True)
class Line:
    """One line that was read: its number, its MAC, what it says; the first one says `journal` and `at` alone."""

    number: int
    mac: str
    said: dict[str, Any]

    @property
    def ending(self) -> Ending:
        """What ended, of any line but the first."""
        return Ending(**{name: self.said[name] for name in ("at", "act", "practice", "number", "request")})


class Journal:
    """The file, and the key that its lines are authenticated with. Processes wait for each other on a lock of the file."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self._vault = vault
        self._only_grows = False

    def note(self, endings: Sequence[Ending]) -> None:
        """Add a line for each, and return when they are durable. Unavailable when that cannot be promised."""
        if not endings:
            return
        try:
            with self._held() as file:
                last, written = self._last(file), b""
                for ending in endings:
                    last = self._line(last.number + 1, last.mac, asdict(ending))
                    written += _text(last)
                self._write(file, written)
        except OSError as error:
            raise self._away(error) from error
        except BackupRefused as error:  # nothing for whoever is in front of the page
            raise Unavailable(hint=error.sentence) from error

    def begin(self, now: datetime) -> None:
        """Make the file unless it is there. Unavailable when it cannot be made."""
        if self.path.exists():
            return
        first = self._line(0, "", {"journal": secrets.token_hex(16), "at": now.isoformat()})
        try:
            write_new(self.path, _text(first))
        except FileExistsError:  # another process started at the same moment
            return
        except OSError as error:
            raise self._away(error) from error

    def position(self) -> Position | None:
        """How far it has come; None if there is no journal."""
        if not self.path.exists():
            return None
        first, last = next(self.read()), self._look_at_last()
        return Position(first.said["journal"], last.number)

    def read(self) -> Iterator[Line]:
        """Every line; what a power loss cut short was never one, and is left out. BackupRefused where one was altered or taken."""
        last, torn, whole = None, 0, False
        try:
            with self.path.open("rb") as file:
                for place, text in enumerate(file, 1):
                    line = self._parse(text, last.mac if last else "")
                    if line is None:
                        torn, whole = torn or place, text.endswith(b"\n")
                        continue
                    last, torn = line, 0
                    yield line
        except OSError as error:
            raise self._away(error) from error
        if last is None or (torn and whole):
            raise BackupRefused(
                f"line {torn or 1} of {self.path} was altered, or one before it is missing.", code="journal-altered"
            )

    def trim(self, now: datetime) -> int:
        """Once a day, drop the lines that no backup needs any longer; how many.

        What is old is told by the look of the day before, so that a clock which runs ahead and is put right within a day drops
        nothing before its time. Does nothing where lines can only be added to the file.
        """
        if self._only_grows:
            return 0
        first = next(self.read())
        looked = datetime.fromisoformat(first.said["at"])
        if looked <= now < looked + _TRIM_EVERY:
            return 0
        then = min(looked, now)
        try:
            with self._held():
                base, last = first.number, first.number
                for line in islice(self.read(), 1, None):
                    last = line.number
                    if line.said["act"] in _LASTING and _is_over(line, then):
                        base = line.number
                return self._replace(base, first.said["journal"], now, lambda line: line.number == last or not _is_over(line, then))
        except PermissionError:
            self._only_grows = True  # it need not be tried each minute
            return 0
        except OSError as error:
            raise self._away(error) from error

    def _replace(self, base: int, journal: str, now: datetime, is_kept: Callable[[Line], bool]) -> int:
        """Write the file anew, under another name until it is whole; how many lines were left out."""
        temporary, dropped = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}"), 0
        before = self._line(base, "", {"journal": journal, "at": now.isoformat()})
        try:
            with temporary.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(_text(before))
                for line in islice(self.read(), 1, None):
                    if is_kept(line):
                        before = self._line(line.number, before.mac, asdict(line.ending))
                        file.write(_text(before))
                    else:
                        dropped += 1
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.path.parent)
        return dropped

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, open and locked; never one that `trim` has put another in the place of. OSError where it stays locked."""
        until = monotonic() + PATIENCE
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            try:
                _lock(file, until)  # given back by close
                if os.path.samestat(os.fstat(file), self.path.stat()):
                    yield file
                    return
            finally:
                os.close(file)

    def _write(self, file: int, data: bytes) -> None:
        size = os.fstat(file).st_size
        torn = os.pread(file, 1, size - 1) != b"\n"  # by a power loss: what is there stays a line of its own
        append_whole(file, b"\n" * torn + data)

    def _look_at_last(self) -> Line:
        try:
            with self._held() as file:
                return self._last(file)
        except OSError as error:
            raise self._away(error) from error

    def _last(self, file: int) -> Line:
        """The last whole line, told by the one before it."""
        start = size = os.fstat(file).st_size
        while start:  # further back only where many lines were torn off
            start = max(0, start - _TAIL)
            lines = os.pread(file, size - start, start).split(b"\n")
            found, before = None, "" if start == 0 else None
            for text in lines if start == 0 else lines[1:]:  # the first one may be cut
                line = self._parse(text, before) if before is not None else _unchecked(text)
                if line:
                    found, before = line, line.mac
            if found:
                return found
        raise BackupRefused(f"{self.path} holds no line that this service wrote.", code="journal-altered")

    def _line(self, number: int, before: str, said: dict[str, Any]) -> Line:
        said = {"n": number, **said}
        return Line(number, self._vault.mac("journal", before + json.dumps(said)), said)

    def _parse(self, text: bytes, before: str) -> Line | None:
        line = _unchecked(text)
        return line if line and line.mac == self._vault.mac("journal", before + json.dumps(line.said)) else None

    def _away(self, error: OSError) -> Unavailable:
        return Unavailable(hint=f"what ended cannot be noted in {self.path}: {error.strerror}")


def _lock(file: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise
        sleep(_LOOK)


def since(lines: Iterable[Line], position: Position, heads: Mapping[str, int]) -> list[Ending] | None:
    """What ended since a backup was made; None if these lines are of another journal, or lack some that the backup needs.

    `position` is how far the journal had come before the backup looked at the database, and `heads` the number of each practice's
    last event in it. After a restore the numbers of events begin again where the backup ended: what was noted before that restore
    is in every later backup already, and what was noted after a later restore is in none.
    """
    every = iter(lines)
    first, last = next(every), 0
    if first.said["journal"] != position.journal or first.number > position.number:
        return None
    found: list[Ending] = []
    later = False
    for line in chain([first], every):
        last = line.number
        if line is first:
            continue
        ending = line.ending
        if ending.act == RESTORED:
            later = later or line.number > position.number
            found = found if later else []
        elif later or ending.number > heads.get(ending.practice, 0):
            found.append(ending)
    return found if last >= position.number else None


def _text(line: Line) -> bytes:
    return f"{line.mac} {json.dumps(line.said)}\n".encode()


def _unchecked(text: bytes) -> Line | None:
    match = _LINE.fullmatch(text.rstrip(b"\n"))
    try:
        said = json.loads(match[2]) if match else {}
    except ValueError:
        return None
    return Line(said["n"], match[1].decode(), said) if match and isinstance(said.get("n"), int) else None


def _is_over(line: Line, now: datetime) -> bool:
    keep = KEEP_LASTING if line.said["act"] in _LASTING else KEEP_LINKS
    return line.said["act"] != RESTORED and datetime.fromisoformat(line.said["at"]) < now - keep
