"""Where bundles go: the staff pages of every practice, and the inboxes that the file of the setting `inboxes` names."""

import re
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from capture.errors import SettingsError
from capture.inbox.base import Inbox, Place
from capture.inbox.options import Options
from capture.inbox.web import WebInbox

WEB = "web"
"""The name of the inbox that every practice has: the staff pages."""
KINDS = ("folder", "mesh", "s3")
"""The kinds of inboxes: each has a module of that name, which is loaded where it is wanted, since some take their time."""
_NAME, _ODS = r"[a-z0-9-]{1,40}", r"[A-Z0-9]{1,9}"
_HINT = "docs/inboxes.md shows a whole file"


def load_inboxes(path: Path | None, *, sends: bool = True) -> dict[str, Place]:
    """The inboxes by name, the staff pages first; only those without a file. SettingsError lists every problem of the file.

    Who only puts bundles on their way, and `sends` none, need not be able to read the files that it names.
    """
    places = {WEB: Place("the inbox on these pages", WebInbox())}
    if path is None:
        return places
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path} cannot be read as TOML: {error}"], hint=_HINT) from None
    problems = [f"{path}: {word!r} is not a word of this file: is 'inboxes' meant?" for word in found if word != "inboxes"]
    tables = found.get("inboxes", {})
    if not isinstance(tables, dict):
        raise SettingsError([*problems, f"{path}: inboxes must be a table with one table for each inbox"], hint=_HINT)
    if not tables:
        problems.append(f"{path}: it names no inbox")
    for name, facts in tables.items():
        if place := _place(name, facts, path.parent, problems, sends=sends):
            places[name] = place
    if problems:
        raise SettingsError(problems, hint=_HINT)
    return places


def _place(name: str, facts: Any, folder: Path, problems: list[str], *, sends: bool) -> Place | None:
    if not isinstance(facts, dict):
        problems.append(f"inbox {name}: must be a table")
        return None
    options = Options(name, facts, folder, problems, opens=sends)
    if name == WEB or not re.fullmatch(_NAME, name):
        options.problem("its name must have 1 to 40 small letters, digits and hyphens, and be another than web")
        return None
    kind, title = options.text("kind"), options.text("title", form=".{1,60}", like="1 to 60 characters")
    practices = options.names("practices", form=_ODS, like="ODS codes, one at least")
    if kind not in KINDS:
        options.problem(f"kind must be one of {', '.join(KINDS)}")
        return None
    make: Callable[[Options], Inbox] = import_module(f"capture.inbox.{kind}").make_inbox  # opens no connection
    inbox = make(options)
    options.leftover()
    return Place(title, inbox, frozenset(practices))
