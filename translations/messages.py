"""The catalogues of translations: run as a program, it takes in the sentences as they stand now; `make messages` does.

What patients read stands in templates, in calls of `gettext` in capture/web, in the sentences of our errors, in tables of words
and in config/*.toml. Templates and pages for staff are left out: they are in English.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po

from capture import errors
from capture.domain.protocols import load_catalogue
from capture.settings import ROOT, TRANSLATIONS

TEMPLATES = ("base.jinja", "front.jinja", "errors/*.jinja", "patient/*.jinja")
TABLES = {
    "app": ["SERVICE_NAME"],
    "actions.agree": ["STATEMENTS", "INTIMATE_STATEMENT"],
    "actions.skip": ["REASONS"],
    "photos.refusals": ["REFUSALS"],
    "web.errors": ["SENTENCES"],
}
"""Words that stand under a name, alone or in a dict, where no call gives them to `gettext` or to an error by that name."""
FIRST = {"capture.web.patient", "capture.web.tus", "capture.web.errors"}
FOR_STAFF = {
    "capture.domain.again",
    "capture.domain.policies",
    "capture.actions.issue_link",
    "capture.actions.passkeys",
    "capture.actions.unlockers",
    "capture.web.sign_in",
}
"""What those of the first line import of `web`, `actions` and `domain` is translated, but for the sentences of the second."""
KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.CaptureError)}
KINDS -= {"SettingsError", "BundleError", "AgeError", "TokenRefused", "NotValid", "Undeliverable"}  # an operator's, or a program's
KINDS -= {"PhotosDeleted", "BackupRefused", "SourceAway"}  # for staff, or for whoever runs a command
KEYWORDS = {**DEFAULT_KEYWORDS, "plural_forms": (1, 2)}
Message = str | tuple[str, ...]


def sentences() -> Iterator[tuple[str, Message]]:
    """Every sentence a patient may see, as (file it stands in, the sentence, or its singular and plural)."""
    for path in (found for pattern in TEMPLATES for found in sorted((ROOT / "templates").glob(pattern))):
        with path.open("rb") as file:
            options = {"trimmed": "true", "silent": "false"}
            yield from ((_named(path), found[1]) for found in extract("jinja2", file, KEYWORDS, options=options))
    for module in sorted(_imported(FIRST) - FOR_STAFF):
        yield from ((f"{module.replace('.', '/')}.py", sentence) for sentence in _spoken(module))
    yield from (("capture/errors.py", getattr(errors, name).sentence) for name in sorted(KINDS))
    for module, names in TABLES.items():
        words = vars(import_module(f"capture.{module}"))
        yield from ((f"capture/{module.replace('.', '/')}.py", text) for name in names for text in _texts(words[name]))
    catalogue = load_catalogue(ROOT / "config")
    for protocol in catalogue.protocols:
        for view in catalogue.views_of(protocol):
            texts = (view.title, view.short, view.distance, view.light, *view.do, *view.dont)
            yield from (("config/protocols.toml", text) for text in texts if text)
    yield from (("config/sites.toml", site.title) for site in catalogue.sites.values())


def template() -> Catalog:
    """All sentences in a catalogue without translations."""
    catalogue = Catalog(charset="utf-8", fuzzy=False)
    for file, message in sentences():
        catalogue.add(message, locations=[(file, 0)])
    return catalogue


def catalogues() -> dict[str, Path]:
    """Where each language's catalogue is, by its code."""
    return {path.parts[-3]: path for path in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))}


def read(code: str) -> Catalog:
    """The catalogue of that language."""
    with catalogues()[code].open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def update() -> None:
    """Take in the sentences as they stand now. What is no longer said goes; nothing is guessed."""
    english = template()
    for code, path in catalogues().items():
        catalogue = read(code)
        catalogue.update(english, no_fuzzy_matching=True, update_creation_date=False)
        text = BytesIO()
        write_po(text, catalogue, width=128, include_lineno=False, ignore_obsolete=True, sort_output=True)
        path.write_bytes(text.getvalue())
        left = sum(not message.string or not all(message.string) for message in catalogue if message.id)
        print(f"{code}: {len(catalogue)} sentences, {left} to translate")  # noqa: T201 - a command


def _imported(modules: set[str]) -> set[str]:
    """These modules and those of `web`, `actions` and `domain` that they import, however far."""
    found = set(modules)
    for node in (node for module in modules for node in ast.walk(_tree(module)) if isinstance(node, ast.ImportFrom)):
        names = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        found |= {name for name in names if re.fullmatch(r"capture\.(web|actions|domain)\.\w+", name) and _path(name).is_file()}
    return found if found == modules else _imported(found)


def _spoken(module: str) -> Iterator[str]:
    """The sentences given to `gettext` or to an error of ours: written there, or standing under a name, alone or in a table."""
    words = vars(import_module(module))
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"gettext", *KINDS} and node.args:
            given = node.args[0]
            table = given.value if isinstance(given, ast.Subscript) else given
            if isinstance(given, ast.Constant):
                yield from _texts(given.value)
            elif isinstance(table, ast.Name):
                yield from _texts(words.get(table.id))


def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text("utf-8"))


def _path(module: str) -> Path:
    return (ROOT / module.replace(".", "/")).with_suffix(".py")


def _texts(words: object) -> Iterator[str]:
    if isinstance(words, dict):
        yield from words.values()
    elif isinstance(words, str):
        yield words


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    update()
