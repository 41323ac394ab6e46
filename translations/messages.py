"""The catalogues of translations: run as a program, it takes in the sentences as they stand now; `make messages` does.

What patients read stands in templates, in calls of `gettext` in capture/web, in the sentences of our errors, in tables of words
and in config/*.toml. Templates and pages for staff are left out: they are in English.
"""

import ast
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po

from capture import errors
from capture.actions.agree import STATEMENTS
from capture.app import SERVICE_NAME
from capture.domain.protocols import load_catalogue
from capture.photos import REFUSALS
from capture.settings import ROOT, TRANSLATIONS
from capture.web.errors import SENTENCES
from capture.web.forms import MISSING

TEMPLATES = ("base.jinja", "front.jinja", "errors/*.jinja", "patient/*.jinja")
FOR_STAFF = {
    "web/staff.py",
    "web/sign_in.py",
    "domain/policies.py",
    *(f"actions/{verb}.py" for verb in ("add_keys", "add_member", "add_practice", "cancel", "collect", "issue_link", "sign_in")),
}
"""Modules whose sentences patients never see; a sentence of any other in `web`, `actions` or `domain` is translated."""
KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.CaptureError)} - {
    "SettingsError",
    "BundleError",
    "AgeError",
}
Message = str | tuple[str, ...]


def sentences() -> Iterator[tuple[str, Message]]:
    """Every sentence a patient may see, as (file it stands in, the sentence, or its singular and plural)."""
    for path in (found for pattern in TEMPLATES for found in sorted((ROOT / "templates").glob(pattern))):
        for _, message, _, _ in extract(
            "jinja2", path.open("rb"), DEFAULT_KEYWORDS, options={"trimmed": "true", "silent": "false"}
        ):
            yield _named(path), message
    for path in sorted(path for part in ("web", "actions", "domain") for path in (ROOT / "capture" / part).glob("*.py")):
        if _named(path).removeprefix("capture/") not in FOR_STAFF:
            yield from ((_named(path), message) for _, message, _, _ in extract("python", path.open("rb"), DEFAULT_KEYWORDS))
            yield from ((_named(path), sentence) for sentence in _raised(path))
    yield from (("capture/errors.py", getattr(errors, name).sentence) for name in sorted(KINDS))
    yield from (("capture/web/errors.py", sentence) for sentence in SENTENCES.values())
    yield from (("capture/web/forms.py", sentence) for sentence in MISSING.values())
    yield from (("capture/photos/refusals.py", sentence) for sentence in REFUSALS.values())
    yield from (("capture/actions/agree.py", sentence) for sentence in STATEMENTS.values())
    yield "capture/app.py", SERVICE_NAME
    for protocol in load_catalogue(ROOT / "config").protocols.values():
        for view in protocol.views:
            texts = (view.title, view.short, view.distance, view.light, *view.do, *view.dont)
            yield from (("config/protocols.toml", text) for text in texts if text)


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


def _raised(path: Path) -> Iterator[str]:
    """The sentences given where an error of ours is made."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
            sentence = node.args[0]
            if isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
                yield sentence.value


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    update()
