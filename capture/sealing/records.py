"""Frozen dataclasses as canonical JSON, and strictly back: nothing missing, nothing added, nothing twice, every type right.

Canonical: UTF-8, keys in code point order, no white space, only the escapes JSON demands, no NaN or infinity. A `datetime`
is `2026-11-22T10:15:00Z`. Fields may be str, int, float, bool, datetime, dataclasses, tuples and string maps of these, or `| None`.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from capture.errors import BundleError

_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
Record = TypeVar("Record")


def refuse(sentence: str) -> NoReturn:
    """For a record that breaks its rules."""
    raise BundleError(sentence, code="bundle-format")


def check(holds: bool, sentence: str) -> None:
    """A rule of a record."""
    if not holds:
        refuse(sentence)


def to_json(record: object) -> bytes:
    """The canonical JSON of a record."""
    return _canonical(_plain(record))


def from_json(kind: type[Record], data: bytes, name: str, *, canonical: bool = False) -> Record:
    """Read a record of this kind; `name` is what the errors call it. `canonical` refuses any other spelling of the same value."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique)
        spelt = _canonical(value)
    except (ValueError, RecursionError):
        refuse(f"{name} is not valid JSON.")
    check(not canonical or spelt == data, f"{name} is not in canonical form.")
    record: Record = _read(kind, value, name)
    return record


def shown(name: str) -> str:
    """A name from untrusted bytes, safe to print."""
    return ascii(name)[1:-1][:80]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members := dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return members


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_STAMP)
    return value


def _read(kind: Any, value: object, where: str) -> Any:
    """`value` as the type `kind`; `where` is the path to it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _read(arguments[0], value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(arguments[0], member, f"{where}[{i}]") for i, member in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: _read(arguments[1], member, f"{where}.{shown(name)}") for name, member in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        return _read_record(kind, value, where)
    if kind is datetime and isinstance(value, str):
        return _read_time(value, where)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        refuse(f"{where} is not {_NAMES.get(kind, 'of the right kind')}.")
    return value


def _read_record(kind: Any, value: dict[str, object], where: str) -> object:
    hints = get_type_hints(kind)
    if missing := sorted(hints.keys() - value.keys()):
        refuse(f"{where} lacks {', '.join(missing)}.")
    if unknown := sorted(value.keys() - hints.keys()):
        refuse(f"{where} has unknown members: {', '.join(shown(name) for name in unknown[:5])}.")
    return kind(**{name: _read(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})


def _read_time(text: str, where: str) -> datetime:
    try:
        time = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        time = None
    if time is None or time.strftime(_STAMP) != text:
        refuse(f"{where} is not a time such as 2026-11-22T10:15:00Z.")
    return time
