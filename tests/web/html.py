"""A browser for the tests: it keeps cookies, fills in forms as they stand on the page, and checks every page it is given."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from flask import Flask
from werkzeug.test import TestResponse

from tests.builders import AMember, ARequest
from tests.measuring import unmeasured

ORIGIN = "https://photos.example.org"
HIDDEN_INPUTS = {"hidden", "submit", "button"}
REDIRECTS = {301, 302, 303, 307, 308}


class Page:
    """One answer, as it came; `tree` is its HTML, what stands in `<template>` taken out."""

    def __init__(self, response: TestResponse, private: Iterable[str]) -> None:
        self.response, self.status, self.headers = response, response.status_code, response.headers
        self.data = response.get_data()
        response.close()
        for text in private:
            assert text not in str(response.headers), "personal data in a header"
            assert text not in response.request.url.replace("%20", " "), "personal data in an address"
        if response.mimetype == "text/html" and self.data:
            self.tree = parse(self.data)
            check(self, private)

    @property
    def title(self) -> str:
        return _text(self.find("title"))

    @property
    def heading(self) -> str:
        return " ".join(_text(next(seen(self.tree, "h1"))).split())

    @property
    def text(self) -> str:
        """What is read on the page, in one line."""
        return " ".join(_text(self.find("body")).split())

    @property
    def json(self) -> Any:
        return self.response.get_json()

    @property
    def location(self) -> str:
        return self.headers["Location"]

    @property
    def errors(self) -> dict[str, str]:
        """The error summary: field to sentence."""
        summaries = [one for one in self.tree.iter("div") if "nhsuk-error-summary" in one.get("class", "").split()]
        return {a.get("href", "")[1:]: _text(a).strip() for one in summaries for a in one.iter("a")}

    def find(self, tag: str, **attributes: str) -> Element:
        """The only element like that."""
        found = [one for one in self.tree.iter(tag) if all(one.get(name) == value for name, value in attributes.items())]
        assert len(found) == 1, f"{len(found)} {tag} {attributes}"
        return found[0]

    def link(self, text: str) -> str:
        """Where the link or button with that text leads."""
        found = {one.get("href", "") for one in self.tree.iter("a") if text in _text(one)}
        assert len(found) == 1, f"{text}: {found}"
        return found.pop()

    def form(self, to: str = "") -> tuple[str, dict[str, list[str]]]:
        """The main form: its action and what a browser would send if nothing was changed; not one that waits for script.

        Of several forms the one whose action ends in `to`.
        """
        forms = [one for one in seen(self.find("main"), "form") if one.get("method") == "post"]
        (form,) = (one for one in forms if one.get("action", "").endswith(to))
        values: dict[str, list[str]] = {}
        for field in form.iter():
            name, kind = field.get("name"), field.get("type", "text")
            if not name or (kind in {"radio", "checkbox"} and field.get("checked") is None) or kind == "file":
                continue
            if field.tag == "input":
                values.setdefault(name, []).append(field.get("value", ""))
            elif field.tag == "textarea":
                values[name] = [_text(field)]
            elif field.tag == "select":
                options = list(field.iter("option"))
                chosen = [one for one in options if one.get("selected") is not None] or options
                values[name] = [chosen[0].get("value", "")]
        return form.get("action", ""), values


class Visitor:
    """Someone with a browser of their own. `private` is what no title, address or header may hold."""

    def __init__(self, app: Flask, *private: str) -> None:
        self.client, self.private, self.count = app.test_client(), private, 0
        self.request_id = ""  # what every form of a patient's pages carries

    def open(self, method: str, path: str, **options: Any) -> Page:
        """Ask, and check the answer if it is a page; redirects are not followed."""
        self.count += 1
        data = options.get("data")
        if self.request_id and isinstance(data, dict) and "csrf_token" in data:
            options["data"] = {"request": self.request_id, **data}
        response = self.client.open(path, method=method, base_url=ORIGIN, **options)
        response.request.environ["wsgi.input"].close()  # a file, where the test's own body is a large one
        return Page(response, self.private)

    def get(self, path: str, **options: Any) -> Page:
        return self.open("GET", path, **options)

    def follow(self, page: Page) -> Page:
        """Go where a redirect leads, as far as it leads."""
        while page.status in REDIRECTS:
            page = self.get(page.location)
        return page

    def submit(self, page: Page, values: Mapping[str, Any] | None = None, *, to: str = "", **options: Any) -> Page:
        """Send the page's form with these values in it; of several the one whose action ends in `to`."""
        action, fields = page.form(to)
        data = {**fields, **(values or {})}
        return self.open("POST", action, data=data, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, **options)

    def send_photo(self, page: Page, photo: bytes, name: str = "IMG_0001.JPG", **options: Any) -> Page:
        """Choose a photo on its page and press the button."""
        return self.submit(page, {"photo": (BytesIO(photo), name)}, content_type="multipart/form-data", **options)

    def set_cookie(self, name: str, value: str) -> None:
        """Put a session's cookie into this browser."""
        self.client.set_cookie(f"__Host-{name}", value, domain="photos.example.org", secure=True, httponly=True)

    def cookie(self, name: str) -> str | None:
        """The value of a cookie that this browser has."""
        found = self.client.get_cookie(f"__Host-{name}", domain="photos.example.org")
        return found.value if found else None

    def csrf(self, path: str) -> str:
        """A token for the forms of this browser, from the first form on that page."""
        found = next(one for one in self.get(path).tree.iter("input") if one.get("name") == "csrf_token")
        return found.get("value", "")


def patient(app: Flask, asked: ARequest, cookie: str = "") -> Visitor:
    """A patient's browser; with a session if a cookie is given."""
    visitor = Visitor(app, *asked.private)
    visitor.request_id = asked.id
    if cookie:
        visitor.set_cookie("patient", cookie)
    return visitor


def staff(app: Flask, cookie: str, *asked: ARequest) -> Visitor:
    """A browser with a member's session."""
    visitor = Visitor(app, *(text for one in asked for text in one.private))
    visitor.set_cookie("staff", cookie)
    return visitor


def parse(data: bytes) -> Element:
    """The HTML as a tree; the first thing in it that is not HTML raises ParseError."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False, strict=True)
    with unmeasured():
        tree: Element = parser.parse(data.decode("utf-8"))
    for parent in list(tree.iter()):
        for child in [one for one in parent if one.tag == "template"]:
            parent.remove(child)
    return tree


def check(page: Page, private: Iterable[str] = ()) -> None:
    """What holds for every page."""
    tree = page.tree
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(ids) == len(set(ids)), f"ids used twice: {sorted(one for one in set(ids) if ids.count(one) > 1 and one)}"
    nonce = re.search(r"script-src 'self' 'nonce-([\w-]{20,})'", page.headers["Content-Security-Policy"])
    assert nonce
    for script in tree.iter("script"):
        ours = script.get("src", "").startswith("/static/") and "?v=" in script.get("src", "") and not _text(script)
        assert ours or script.get("nonce") == nonce[1], "script that is not ours"
    for one in tree.iter():
        assert one.tag != "style", "style in a page"
        assert one.get("style") is None, f"style at {one.tag}"
        assert not [name for name in one.keys() if str(name).startswith("on")], f"script at {one.tag}"  # noqa: SIM118 - an Element
        assert not one.get("href", "").lower().startswith(("javascript:", "data:"))
    for address in (one.get("src") for one in tree.iter("img")):
        assert not address or address.startswith(("/static/", "data:image/jpeg;base64,"))
    for form in tree.iter("form"):
        _check_form(form)
    labelled = {label.get("for") for label in tree.iter("label")}
    for field in (one for one in tree.iter() if one.tag in {"input", "select", "textarea"}):
        assert field.get("type") in HIDDEN_INPUTS or field.get("id") in labelled, f"no label for {field.attrib}"
    assert len(list(seen(tree, "h1"))) == 1
    assert page.title
    assert tree.get("lang")
    if page.status not in REDIRECTS:  # nobody reads those
        assert tree.get("dir") == ("rtl" if tree.get("lang") in {"ar", "ur"} else "ltr")
    if page.status != 429 and tree.get("lang") == "en":  # a page that says how long to wait is no error of anyone
        assert page.title.startswith("Error: ") == bool(page.errors or page.status >= 400)
    assert all(target in ids for target in page.errors), "the error summary leads nowhere"
    for text in private:
        assert text not in page.title, "personal data in the title"
        assert html.escape(text) not in page.title


def _check_form(form: Element) -> None:
    assert form.get("action"), "a form without an action"
    if form.get("method") == "dialog":  # stays in the page
        return
    assert form.get("action", "").startswith("/")
    if form.get("method") == "get":  # a search or a download changes nothing; a token would stand in its address
        assert form.get("role") == "search" or not list(form.iter("input"))
        assert not [one for one in form.iter("input") if one.get("name") == "csrf_token"]
        return
    assert form.get("method") == "post"
    tokens = [one for one in form.iter("input") if one.get("name") == "csrf_token"]
    assert len(tokens) == 1
    assert tokens[0].get("value")


def seen(tree: Element, tag: str) -> Iterator[Element]:
    """The elements of that kind that are shown before any script runs."""
    for child in tree:
        if child.get("hidden") is None:
            if child.tag == tag:
                yield child
            yield from seen(child, tag)


def _text(element: Element) -> str:
    return "".join(element.itertext())


def sign_in(visitor: Visitor, member: AMember, code: str) -> Page:
    """Sign in through the two pages, with that one-time code."""
    page = visitor.submit(visitor.get("/staff/sign-in"), {"email": member.email, "password": member.password})
    return visitor.submit(visitor.follow(page), {"code": code})
