"""Bundles that patients have sent, and what the API serves of them."""

from collections.abc import Callable

import pytest
from flask import Flask

from capture.actions.deliver import bundle_files
from capture.inbox.base import BundleFiles
from capture.services import Services
from tests.builders import APractice, ARequest, make_request, make_submitted
from tests.inbox.contract import Whole
from tests.web.conftest import asked, practice  # noqa: F401 - these tests have them too
from tests.web.system import make_system

Send = Callable[[ARequest], BundleFiles]


@pytest.fixture
def send(services: Services) -> Send:
    """Sends photos of a request, and gives the bundle as the worker would take it to an inbox."""

    def sent(request: ARequest) -> BundleFiles:
        bundle = make_submitted(services, request, views=("context", "close-up"), delivered=False)
        with services.database.read() as db:
            return bundle_files(services, db, bundle)

    return sent


@pytest.fixture
def bundle(asked: ARequest, send: Send) -> BundleFiles:  # noqa: F811
    return send(asked)


@pytest.fixture
def other(services: Services, practice: APractice, send: Send) -> BundleFiles:  # noqa: F811
    return send(make_request(services, practice))


@pytest.fixture
def whole(app: Flask, services: Services, practice: APractice) -> Whole:  # noqa: F811
    """Gives the ZIP of a bundle as /api/v1/bundles/ID.zip does."""
    system = make_system(app, services, practice)

    def fetched(bundle: BundleFiles) -> bytes:
        answer = system.get(f"/bundles/{bundle.id}.zip")
        assert answer.status_code == 200
        return answer.data

    return fetched
