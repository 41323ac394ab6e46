"""Where the audit chains end, noted outside the database, so that a chain rewritten or cut with its head is found (SECURITY 39).

A file to which lines are only ever added. A line is a signature by the service's signing key (Ed25519, base64) and, after a
space, the JSON that it signs: `at`, `practice` (empty: the service's own chain), `number` and `hash` of the chain's last event,
and `previous`, the SHA-256 of the line before (empty in the first), so that no line can be taken out of the middle.

A line with `restored` (when the backup was made that was brought back then) says that the chain goes on from there: lines before it
count no longer, since the hash in this one holds everything before it. Number 0 stands for a chain that the backup did not have.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from capture.errors import Unavailable
from capture.sealing.files import append_whole
from capture.sealing.keys import SigningKey, VerifyingKey
from capture.store.audit import check_chain
from capture.store.locked import locked
from capture.store.models import AuditHead

LOOK_BACK = 64 << 20
"""How many bytes of the file are read when lines are added: with thousands of practices it grows by gigabytes a year."""
_CONTEXT = b"capture audit head v1\n"
"""Stands before what is signed, so that no signature of anything else can be one of these."""


def note_heads(db: Session, path: Path, key: SigningKey, now: datetime) -> int:
    """Add a line for each chain that has grown since its last line; how many. Unavailable when the file cannot be written."""
    with _held(path) as file:
        last = {head["practice"]: head["number"] for head in map(_parse, _end_of(file).splitlines()) if head}
        heads = db.scalars(select(AuditHead).order_by(AuditHead.practice_id))
        grown = [{"practice": head.practice_id, "number": head.number, "hash": head.hash} for head in heads]
        return _append(file, [one for one in grown if one["number"] > last.get(one["practice"], 0)], key, now)


def note_restored(db: Session, path: Path, key: SigningKey, now: datetime, backup: str) -> None:
    """Add a line for each chain that says where it goes on after a restore. Unavailable when the file cannot be written."""
    with _held(path) as file:
        known = {head["practice"] for head in map(_parse, path.read_bytes().splitlines()) if head}
        heads = {head.practice_id: head for head in db.scalars(select(AuditHead))}
        fields = [
            {"practice": one, "number": heads[one].number if one in heads else 0, "hash": heads[one].hash if one in heads else ""}
            for one in sorted(known | heads.keys())
        ]
        _append(file, [{**one, "restored": backup} for one in fields], key, now)


def list_restores(path: Path, key: VerifyingKey) -> list[str]:
    """When the service was brought back from a backup, by the file, in sentences."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    found = [(head["at"], head["restored"]) for head in (_read(line, key) for line in lines) if head and "restored" in head]
    return [f"on {at} the service was brought back from its backup of {made}" for at, made in dict.fromkeys(found)]


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The file, open for adding and locked. Unavailable when it cannot be written, or stays locked."""
    try:
        with locked(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
            yield file
    except OSError as error:
        raise Unavailable(hint=f"the heads of the audit trail cannot be noted in {path}: {error.strerror}") from error


def find_breaks(db: Session, path: Path, key: VerifyingKey) -> list[str]:
    """What is wrong with the file, and with each chain that it or the database knows, in sentences."""
    problems: list[str] = []
    here = {head.practice_id for head in db.scalars(select(AuditHead))}
    noted: dict[str, dict[int, str]] = {practice_id: {} for practice_id in here}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
        problems.append(f"{path} is not there: nothing was noted outside the database yet, or the file was taken away")
    previous = ""
    for number, line in enumerate(lines, 1):
        head = _read(line, key)
        if head is None:
            problems.append(f"line {number} of {path} was altered, or not written whole")
        elif number > 1 and head["previous"] != previous:
            problems.append(f"before line {number} of {path} a line is missing or was altered")
        if head:
            if "restored" in head:
                noted[head["practice"]] = {}
            if head["number"]:
                noted.setdefault(head["practice"], {})[head["number"]] = head["hash"]
        previous = _digest(line)
    for practice_id, heads in noted.items():
        broken = check_chain(db, practice_id, heads) if heads or practice_id in here else ""
        if broken:
            problems.append(f"{f'practice {practice_id}' if practice_id else 'the service'}: {broken}")
    return problems


def _end_of(file: int) -> bytes:
    """The last lines, whole: a chain that has none among them is noted again, which says the same twice."""
    size = os.fstat(file).st_size
    written = os.pread(file, LOOK_BACK, max(0, size - LOOK_BACK))
    return written if size <= LOOK_BACK else written.partition(b"\n")[2]


def _append(file: int, heads: list[dict[str, Any]], key: SigningKey, now: datetime) -> int:
    written = _end_of(file)
    lines = written.splitlines()
    previous = _digest(lines[-1]) if lines else ""
    torn = written and not written.endswith(b"\n")  # by a power loss: the line before stays one of its own
    added = b"\n" if torn and heads else b""
    for fields in heads:
        signed = json.dumps({"at": now.astimezone(UTC).isoformat(), **fields, "previous": previous}).encode()
        line = base64.b64encode(key.sign(_CONTEXT + signed)) + b" " + signed
        added += line + b"\n"
        previous = _digest(line)
    append_whole(file, added)
    return len(heads)


def _read(line: bytes, key: VerifyingKey) -> dict[str, Any] | None:
    """What a line says, if the service has signed it."""
    signature, _, signed = line.partition(b" ")
    try:
        right = key.verifies(base64.b64decode(signature, validate=True), _CONTEXT + signed)
    except binascii.Error:
        return None
    return _parse(line) if right else None


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line.partition(b" ")[2])
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= {"practice", "number", "hash", "previous"} else None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
