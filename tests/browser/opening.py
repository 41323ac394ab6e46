"""Bundles of photos of the test's own, waiting in the inbox of the demo's practice."""

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

from PIL import Image
from playwright.sync_api import Page, expect

from capture.actions.accept_photo import accept_photo
from capture.actions.agree import agree
from capture.actions.deliver import deliver_next
from capture.actions.issue_link import Draft, issue_link
from capture.actions.open_link import confirm
from capture.actions.submit import submit
from capture.app import make_services
from capture.demo import ODS
from capture.domain.protocols import View
from capture.photos import Cleaner, CleanPhoto, Preset
from capture.photos.sample import sample_photo
from capture.services import Services
from capture.settings import load_settings
from capture.store.models import Bundle, Request
from capture.store.photos import bundle_of_request
from capture.store.practices import find_practice
from tests.browser.conftest import Demo
from tests.browser.steps import unlock

BORN = date(1957, 8, 23)


def noisy(size: tuple[int, int], quality: int = 95) -> bytes:
    """A JPEG that no encoder makes small."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def drawn(view: str = "close-up") -> bytes:
    return sample_photo(view, size=(1200, 900))


@contextmanager
def service_with(demo: Demo, count: int) -> Iterator[Services]:
    """The demo's service, where a lesion is as many views as the test has photos."""
    services = make_services(load_settings({"CAPTURE_VAR": str(demo.var), "CAPTURE_ORIGIN": demo.origin}))
    cleaner = CleansOnce(services.cleaner)
    lesion = services.catalogue.protocol("lesion")
    views = lesion.views + tuple(replace(lesion.views[0], id=f"place-{number}") for number in range(4, count + 1))
    catalogue = replace(
        services.catalogue, protocols={**services.catalogue.protocols, "lesion": replace(lesion, views=views[:count])}
    )
    settings = replace(services.settings, max_photo_bytes=31_000_000)
    yield replace(services, catalogue=catalogue, settings=settings, cleaner=cleaner)
    services.close()


class CleansOnce(Cleaner):
    """Cleans with another cleaner, and the same photo only once."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._clean: dict[bytes, CleanPhoto] = {}

    def clean(
        self, untrusted_bytes: bytes | bytearray | memoryview, preset: Preset | None = None, *, preview: bool = False
    ) -> CleanPhoto:
        key = hashlib.sha256(untrusted_bytes).digest()
        if key not in self._clean:
            self._clean[key] = self._cleaner.clean(untrusted_bytes, preset, preview=preview)
        return self._clean[key]

    def close(self) -> None:
        self._cleaner.close()


def send_bundle(
    demo: Demo,
    photos: list[bytes],
    *,
    site: str = "back-of-forearm",
    note: str = "It itches at night.",
    label: str = "J. Doe",
    follows: str = "",
) -> str:
    """These photos as a patient's, sealed and delivered, about the skin of the bundle `follows`: the id of their bundle."""
    with service_with(demo, len(photos)) as services:
        with services.database.read() as db:
            practice = find_practice(db, ODS)
            before = db.get_one(Request, db.get_one(Bundle, follows).request_id).receipt if follows else ""
        protocol = "follow-up" if follows else "lesion"
        draft = Draft(label, BORN, "AG-0042", site, "left", protocol, 7, secrets.token_hex(16), follows=before)
        issued = issue_link(services, practice.id, draft, actor="operator", asked_by="Dr Sam Okafor")
        assert confirm(services, issued.link.rpartition("/")[2], BORN)
        agree(services, issued.request_id, "me")
        views: tuple[View, ...] = services.catalogue.protocol("lesion").views
        for view, photo in zip(views, photos, strict=True):
            accept_photo(services, issued.request_id, view.id, secrets.token_hex(16), photo)
        submit(services, issued.request_id, note)
        while deliver_next(services):
            pass
        with services.database.read() as db:
            bundle = bundle_of_request(db, issued.request_id)
    assert bundle
    return bundle.id


def open_bundle(page: Page, demo: Demo, bundle_id: str) -> None:
    """The page of that bundle, with its photos on it."""
    page.goto(f"{demo.origin}/staff/bundles/{bundle_id}")
    unlock(page, demo)
    expect(page.get_by_text("Everything is as it was sent")).to_be_visible(timeout=60_000)
