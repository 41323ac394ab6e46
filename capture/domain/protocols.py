"""What is asked: views, protocols (named lists of views) and body sites, all data in `config/`."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from capture.errors import SettingsError

T = TypeVar("T")


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


def load_catalogue(folder: Path) -> Catalogue:
    """Read protocols.toml and sites.toml; raises SettingsError with every problem."""
    problems: list[str] = []
    asked, places = _read(folder / "protocols.toml", problems), _read(folder / "sites.toml", problems)
    views: dict[str, View] = {}
    protocols: dict[str, Protocol] = {}
    sites: dict[str, Site] = {}
    for name, entry in asked.get("views", {}).items():
        lists = {key: tuple(entry.get(key, ())) for key in ("do", "dont")}
        _build(problems, f"view {name!r}", views, name, View, {"id": name, **entry, **lists})
    for name, entry in asked.get("protocols", {}).items():
        unknown = [view for view in entry.get("views", ()) if view not in views]
        if unknown or not entry.get("views"):
            problems.append(f"protocol {name!r} asks for views that are not there: {', '.join(unknown) or 'none'}")
            continue
        chosen = tuple(views[view] for view in entry["views"])
        _build(problems, f"protocol {name!r}", protocols, name, Protocol, {"name": name, **entry, "views": chosen})
    for name, entry in places.get("sites", {}).items():
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


def _build(problems: list[str], what: str, into: dict[str, T], name: str, kind: Callable[..., T], entry: Mapping[str, Any]) -> None:
    try:
        into[name] = kind(**entry)
    except TypeError as error:
        problems.append(f"{what}: {str(error).partition('.__init__() ')[2] or error}")


def describe_site(site: Site, side: str) -> str:
    """The place in words, such as `left forearm`."""
    return f"{side} {site.title.lower()}" if side else site.title.lower()
