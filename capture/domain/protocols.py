"""What is asked: views, protocols (named lists of views) and body sites, all data in `config/`."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from capture.errors import SettingsError

FRAMES = ("ring", "part", "ruler", "area")
MORE, MOST_MORE = "more", 5
_VIEW = re.compile(r"(?=.{1,40}$)[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class View:
    """One photo asked for, with the guidance that the patient sees.

    `drawing` is a file in static/img/views; `frame`, one of FRAMES, the outline in static/img/outlines that the live camera shows.
    """

    id: str
    title: str
    short: str
    drawing: str
    distance: str
    light: str
    do: tuple[str, ...]
    dont: tuple[str, ...]
    frame: str

    @property
    def extra(self) -> bool:
        """Whether this is a photo that the patient adds, `more-1` and so on."""
        return self.id.startswith(f"{MORE}-")


@dataclass(frozen=True)
class Protocol:
    """A named list of views; one without any asks for the same views as an earlier request did."""

    name: str
    title: str
    summary: str
    views: tuple[View, ...]

    @property
    def follows(self) -> bool:
        """Whether it needs an earlier request."""
        return not self.views


@dataclass(frozen=True)
class Site:
    """A place on the body. `snomed` is the SNOMED CT code of its skin; `sides`: whether it has a left and a right; `also`: words
    that find it beside its title."""

    name: str
    title: str
    sides: bool
    snomed: str
    intimate: bool
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All that can be asked for, by name. `more` guides the photos that a patient adds; without it none can be added.

    What an earlier request names may be gone from the files since: it is called by its bare name then, and nothing of it is lost.
    """

    protocols: Mapping[str, Protocol]
    sites: Mapping[str, Site]
    more: View | None = None

    def protocol(self, name: str) -> Protocol:
        """What a request was issued with."""
        return self.protocols.get(name) or Protocol(name, _bare(name), "", ())

    def site(self, name: str) -> Site:
        """The place that a request was issued for; one that is gone is taken for intimate, to be on the safe side."""
        return self.sites.get(name) or Site(name, _bare(name), sides=True, snomed="", intimate=True)

    def title_of(self, view: str) -> str:
        """What a view is called, whichever protocol it is of."""
        known = (one.title for protocol in self.protocols for one in self.views_of(protocol) if one.id == view)
        return next(known, _bare(view))

    def views_of(self, protocol: str, only: str = "") -> tuple[View, ...]:
        """All that a request may take, in order: the views that were asked for, then those that the patient may add.

        `only` names the views of the protocol that are asked for, a space between two; empty: every one of them.
        """
        asked = [view for view in self.protocol(protocol).views if not only or view.id in only.split()]
        more = () if self.more is None else tuple(_numbered(self.more, number) for number in range(1, MOST_MORE + 1))
        return (*asked, *more)


T = TypeVar("T", View, Protocol, Site)


def in_order(views: Collection[View], arrived: Collection[str]) -> list[View]:
    """The views of the photos that are here, in order; those that are gone from the files since come last."""
    gone = sorted(set(arrived) - {view.id for view in views})
    return [view for view in views if view.id in arrived] + [
        View(name, _bare(name), "", "", "", "", (), (), "area") for name in gone
    ]


def wanted(views: Collection[View], arrived: Collection[str], skipped: Collection[str] = ()) -> list[View]:
    """Of what a request may take, the views that count: asked for and not skipped, or here all the same."""
    return [view for view in views if view.id in arrived or not (view.extra or view.id in skipped)]


def missing(views: Collection[View], arrived: Collection[str], skipped: Collection[str] = ()) -> list[View]:
    """The views that are still asked for, in order."""
    return [view for view in wanted(views, arrived, skipped) if view.id not in arrived]


def load_catalogue(folder: Path) -> Catalogue:
    """Read protocols.toml and sites.toml; raises SettingsError with every problem."""
    problems: list[str] = []
    asked, places = _read(folder / "protocols.toml", problems), _read(folder / "sites.toml", problems)
    views: dict[str, View] = {}
    protocols: dict[str, Protocol] = {}
    sites: dict[str, Site] = {}
    for name, entry in _tables(asked, "views", problems):
        _build(problems, f"view {name!r}", views, name, View, {"id": name, "do": (), "dont": (), **entry})
    problems += [problem for view in views.values() for problem in _check_view(view)]
    for name, entry in _tables(asked, "protocols", problems):
        asked_for: Any = entry.get("views")
        if not _fits(asked_for, tuple[str, ...]) or not views.keys() >= set(asked_for) or len(set(asked_for)) < len(asked_for):
            problems.append(f"protocol {name!r} must list views that are there, each once, not {asked_for!r}")
            continue
        chosen = tuple(views[view] for view in asked_for)
        _build(problems, f"protocol {name!r}", protocols, name, Protocol, {"name": name, **entry, "views": chosen})
    for name, entry in _tables(places, "sites", problems):
        _build(problems, f"site {name!r}", sites, name, Site, {"name": name, "also": (), **entry})
    if not protocols or not sites:
        problems.append(f"{folder} names no protocol or no site")
    if problems:
        raise SettingsError(problems, hint="see config/protocols.toml and config/sites.toml")
    return Catalogue(protocols, sites, views.get(MORE))


def _check_view(view: View) -> Iterator[str]:
    """A view's name goes into addresses and file names, and `more-…` is ours."""
    if not _VIEW.fullmatch(view.id) or view.extra:
        yield f"view {view.id!r}: a name is small letters, digits and hyphens, at most 40, and does not start with {MORE}-"
    if view.frame not in FRAMES:
        yield f"view {view.id!r}: frame must be one of {', '.join(FRAMES)}, not {view.frame!r}"


def _bare(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _numbered(more: View, number: int) -> View:
    return replace(more, id=f"{MORE}-{number}", title=f"{more.title} {number}")


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
