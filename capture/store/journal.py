"""What ended, noted outside the database: a restored backup learns from it which links were used and what was deleted since.

A file to which a line is added, durably, before the transaction of the act commits (SECURITY 42, ADR 10). A line is a MAC in hex
and, after a space, JSON: `n` counts the lines, `at`, `act`, `practice` and `number` of the audit event, `request`. The MAC is over
the MAC of the line before and the JSON, so that no line can be altered, moved or taken out of the middle. The first line names the
journal: its `n` is that of the last line which was dropped and would still be needed by a backup as old.
"""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from capture.errors import BackupRefused, Unavailable
from capture.sealing.files import append_whole, write_new
from capture.store.locked import locked
from capture.store.vault import Vault

PURGED, RESTORED, LOCKED, REPLACED = "purged", "restored", "locked", "replaced"
MEMBER, TOKEN, WEBHOOK, KEY = "member removed", "token revoked", "webhook removed", "key retired"
_TAIL = 8_192
_LINE = re.compile(rb"([0-9a-f]{64}) (\{.*\})")


@dataclass(frozen=True)
class Ending:
    """What ended: of a link, or of all that a request held, the state it came to, LOCKED or REPLACED (by a new link); or MEMBER,
    TOKEN, WEBHOOK or KEY, and then the id of one of these stands in the place of the request's.
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

    def note(self, endings: Sequence[Ending]) -> None:
        """Add a line for each, and return when they are durable. Unavailable when that cannot be promised."""
        if not endings:
            return
        try:
            with self.held() as file:
                last, written = self._last(file), b""
                for ending in endings:
                    last = self.line(last.number + 1, last.mac, asdict(ending))
                    written += text_of(last)
                self._write(file, written)
        except OSError as error:
            raise self.away(error) from error
        except BackupRefused as error:  # nothing for whoever is in front of the page
            raise Unavailable(hint=error.sentence) from error

    def begin(self, now: datetime) -> None:
        """Make the file unless it is there. Unavailable when it cannot be made."""
        if self.path.exists():
            return
        first = self.line(0, "", {"journal": secrets.token_hex(16), "at": now.isoformat()})
        try:
            write_new(self.path, text_of(first))
        except FileExistsError:  # another process started at the same moment
            return
        except OSError as error:
            raise self.away(error) from error

    def position(self) -> Position | None:
        """How far it has come; None if there is no journal."""
        if not self.path.exists():
            return None
        first, last = next(self.read()), self._look_at_last()
        return Position(first.said["journal"], last.number)

    def read(self) -> Iterator[Line]:
        """Every line; what a power loss cut short was never one, and is left out. BackupRefused where one was altered or taken."""
        try:
            with self.path.open("rb") as file:
                reader = self.reader(file)
                yield from reader.lines()
                reader.check_end(self.path)
        except OSError as error:
            raise self.away(error) from error

    def _write(self, file: int, data: bytes) -> None:
        size = os.fstat(file).st_size
        torn = os.pread(file, 1, size - 1) != b"\n"  # by a power loss: what is there stays a line of its own
        append_whole(file, b"\n" * torn + data)

    def _look_at_last(self) -> Line:
        try:
            with self.held() as file:
                return self._last(file)
        except OSError as error:
            raise self.away(error) from error

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

    def held(self) -> AbstractContextManager[int]:
        """The file, open for adding and locked. OSError where it stays locked."""
        return locked(self.path, os.O_RDWR | os.O_APPEND)

    def reader(self, file: BinaryIO) -> "Reader":
        """Reads the lines of this journal from a file that is at its start."""
        return Reader(file, self._parse)

    def line(self, number: int, before: str, said: dict[str, Any]) -> Line:
        """A line that follows on the one with that MAC."""
        said = {"n": number, **said}
        return Line(number, self._vault.mac("journal", before + json.dumps(said)), said)

    def _parse(self, text: bytes, before: str) -> Line | None:
        line = _unchecked(text)
        return line if line and line.mac == self._vault.mac("journal", before + json.dumps(line.said)) else None

    def away(self, error: OSError) -> Unavailable:
        """What is raised where the file cannot be read or written."""
        return Unavailable(hint=f"what ended cannot be noted in {self.path}: {error.strerror}")


class Reader:
    """Reads lines, each told by the one before it, and goes on where it was."""

    def __init__(self, file: BinaryIO, parse: Callable[[bytes, str], Line | None]) -> None:
        self._file = file
        self._parse = parse
        self._place = self._torn = 0
        self._cut = False
        self._last: Line | None = None
        self._offset = 0

    def lines(self, until: int | None = None) -> Iterator[Line]:
        """The lines that were not read yet: all, or those in so many bytes, and of these none that may have been cut off there."""
        self._file.seek(0, os.SEEK_END)  # forget what was read ahead: it may have been taken back since
        self._file.seek(self._offset)
        while until is None or self._offset < until:
            text = self._file.readline()
            if not text:
                return
            self._cut = not text.endswith(b"\n")
            if self._cut and until is not None:
                return
            self._offset += len(text)
            self._place += 1
            line = self._parse(text, self._last.mac if self._last else "")
            if line is None:
                self._torn = self._torn or self._place
                continue
            self._last, self._torn = line, 0
            yield line

    def check_end(self, path: Path) -> None:
        """BackupRefused, naming the file, where a line was altered or is missing: then none after it could be told."""
        if self._last is None or (self._torn and not self._cut):
            raise BackupRefused(
                f"line {self._torn or 1} of {path} was altered, or one before it is missing.", code="journal-altered"
            )


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


def text_of(line: Line) -> bytes:
    """The line as it stands in the file."""
    return f"{line.mac} {json.dumps(line.said)}\n".encode()


def _unchecked(text: bytes) -> Line | None:
    match = _LINE.fullmatch(text.rstrip(b"\n"))
    try:
        said = json.loads(match[2]) if match else {}
    except ValueError:
        return None
    return Line(said["n"], match[1].decode(), said) if match and isinstance(said.get("n"), int) else None
