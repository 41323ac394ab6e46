"""A language in which each sentence of the catalogues stands in brackets: what is outside of them, nobody can translate."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from babel.messages.mofile import write_mo

from tests.web.html import Page
from translations import messages

CODE = "eo"
OPEN, CLOSE = "⟦", "⟧"
_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}
_WORDS = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"^[A-Z][a-z]+$|[^\W\d_]+ [^\W\d_]+")
_UNITS = {"MB", "kB"}


def write_catalogue(folder: Path) -> None:
    """The compiled catalogue of that language, where the application looks for it."""
    catalogue = messages.template()
    for message in catalogue:
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            shown = tuple(f"{OPEN}{form}{CLOSE}" for form in forms)
            message.string = shown if len(shown) > 1 else shown[0]
    catalogue.locale = CODE
    path = folder / CODE / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)


def outside(page: Page, *names: str) -> list[str]:
    """Words outside brackets, in text and in attributes for script or for screen readers; `names` are nobody's words."""
    if page.response.mimetype == "application/json":
        texts = list(_json_sentences(page.json))
    else:
        texts = ["".join(_text(page.tree)), *_attributes(page.tree)]
    found = [word for text in texts for word in _outside(text, names)]
    return [word for word in found if word not in _UNITS]


def _outside(text: str, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        text = text.replace(name, " ")
    depth, kept = 0, StringIO()
    for sign in text:
        depth += (sign == OPEN) - (sign == CLOSE)
        assert depth >= 0, f"a bracket too many: {text}"
        kept.write(sign if depth == 0 else "")
    assert depth == 0, f"a bracket is missing: {text}"
    yield from _WORDS.findall(kept.getvalue())


def _text(element: Element) -> Iterator[str]:
    """The text of a page as it reads, without scripts, what was typed, codes and the names of languages."""
    theirs = element.get("hreflang") or element.get("class") in {"app-receipt", "app-link"}
    if element.tag not in {"script", "style", "textarea"} and not theirs:
        yield element.text or ""
        for child in element:
            yield from _text(child)
            yield f" {child.tail or ''}"


def _attributes(tree: Element) -> Iterator[str]:
    for element in tree.iter():
        for name, value in element.items():
            text = str(value)
            if name in _ATTRIBUTES:
                yield text
            elif str(name).startswith("data-"):
                yield from _json_sentences(json.loads(text)) if text[:2] in {"[{", '["', '{"'} else _json_sentences(text)


def _json_sentences(value: Any) -> Iterator[str]:
    """The texts in it that read like sentences; ids, addresses and codes do not."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _json_sentences(one)
    elif isinstance(value, str) and (_SENTENCE.search(value) or OPEN in value):
        yield value
