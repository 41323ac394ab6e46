"""What is asked: views, protocols (named lists of views) and body sites, all data in `config/`."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

from capture.errors import SettingsError


@dataclass(frozen=True)
class View:
    """One photo asked for, with the guidance that the patient sees. `drawing` is a file in static/img/views."""

    id: str
    title: str
    short: str
    drawing: str
    distance: str
    light: str
    do: tuple[str, ...]
    dont: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """A named list of views."""

    name: str
    title: str
    summary: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class Site:
    """A place on the body. `snomed` is the SNOMED CT code of its skin; `sides`: whether it has a left and a right."""

    name: str
    title: str
    sides: bool
    snomed: str
    intimate: bool


@dataclass(frozen=True)
class Catalogue:
    """All that can be asked for, by name."""

    protocols: Mapping[str, Protocol]
    sites: Mapping[str, Site]


T = TypeVar("T", View, Protocol, Site)


def load_catalogue(folder: Path) -> Catalogue:
    """Read protocols.toml and sites.toml; raises SettingsError with every problem."""
    problems: list[str] = []
    asked, places = _read(folder / "protocols.toml", problems), _read(folder / "sites.toml", problems)
    views: dict[str, View] = {}
    protocols: dict[str, Protocol] = {}
    sites: dict[str, Site] = {}
    for name, entry in _tables(asked, "views", problems):
        _build(problems, f"view {name!r}", views, name, View, {"id": name, "do": (), "dont": (), **entry})
    for name, entry in _tables(asked, "protocols", problems):
        wanted = entry.get("views")
        if not wanted or not _fits(wanted, tuple[str, ...]) or not views.keys() >= set(wanted):
            problems.append(f"protocol {name!r} must list views that are there, not {wanted!r}")
            continue
        chosen = tuple(views[view] for view in wanted)
        _build(problems, f"protocol {name!r}", protocols, name, Protocol, {"name": name, **entry, "views": chosen})
    for name, entry in _tables(places, "sites", problems):
        _build(problems, f"site {name!r}", sites, name, Site, {"name": name, **entry})
    if not protocols or not sites:
        problems.append(f"{folder} names no protocol or no site")
    if problems:
        raise SettingsError(problems, hint="see config/protocols.toml and config/sites.toml")
    return Catalogue(protocols, sites)


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}


def _tables(values: Mapping[str, Any], group: str, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of a group, such as [views.context] of `views`, with their names; anything else in it is a problem."""
    found = values.get(group, {})
    for name, entry in (found if isinstance(found, dict) else {"": found}).items():
        if isinstance(entry, dict):
            yield name, entry
        else:
            problems.append(f"{group} must hold tables such as [{group}.NAME], not {entry!r}")


def _build(problems: list[str], what: str, into: dict[str, T], name: str, kind: type[T], entry: Mapping[str, Any]) -> None:
    kinds = {field.name: field.type for field in fields(kind)}
    wrong = [f"{what}: {key} is missing" for key in kinds if key not in entry]
    wrong += [f"{what}: {key} is not known" for key in entry if key not in kinds]
    wrong += [f"{what}: {key} cannot be {entry[key]!r}" for key in kinds if key in entry and not _fits(entry[key], kinds[key])]
    problems += wrong
    if not wrong:
        checked: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        into[name] = kind(**checked)


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of a field's type: a class, or a tuple of one (a list in the file)."""
    if not get_args(kind):
        return isinstance(value, kind)
    return isinstance(value, list | tuple) and all(isinstance(item, get_args(kind)[0]) for item in value)


def describe_site(site: Site, side: str) -> str:
    """The place in words, such as `left forearm`."""
    return f"{side} {site.title.lower()}" if side else site.title.lower()
