"""The staff pages as an inbox: what the API serves is what lies there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from flask import Flask

from capture.inbox.base import BundleFiles
from capture.inbox.web import WebInbox
from capture.services import Services
from tests.builders import APractice
from tests.inbox.contract import InboxContract
from tests.web.system import System, make_system


@dataclass
class Pages:
    """See There. A bundle lies where it was sealed; without an error it is there."""

    services: Services
    system: System
    inbox = WebInbox()

    def fetch(self, bundle: BundleFiles) -> list[bytes]:
        answer = self.system.get(f"/bundles/{bundle.id}.zip")
        return [answer.data] if answer.status_code == 200 else []

    @contextmanager
    def away(self) -> Iterator[None]:
        blobs = self.services.settings.var / "blobs"
        gone = blobs.rename(blobs.with_name("gone"))
        try:
            yield
        finally:
            gone.rename(blobs)


class TestWeb(InboxContract):
    """The contract, for the staff pages."""

    @pytest.fixture
    def there(self, app: Flask, services: Services, practice: APractice) -> Pages:
        return Pages(services, make_system(app, services, practice))
