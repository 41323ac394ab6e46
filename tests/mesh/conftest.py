"""MESH with empty mailboxes, and mailboxes in it."""

from collections.abc import Iterator

import pytest

from capture.mailbox import Mailbox
from tests.mesh.server import OURS, PRACTICE, MeshServer, running_mesh


@pytest.fixture(scope="session")
def sandbox() -> Iterator[MeshServer]:
    with running_mesh() as server:
        yield server


@pytest.fixture
def mesh(sandbox: MeshServer) -> MeshServer:
    sandbox.empty()
    return sandbox


@pytest.fixture
def ours(mesh: MeshServer) -> Mailbox:
    return Mailbox(mesh.account(OURS))


@pytest.fixture
def practices(mesh: MeshServer) -> Mailbox:
    return Mailbox(mesh.account(PRACTICE))
