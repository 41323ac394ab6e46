"""The inbox in MESH keeps what every inbox promises, with NHS Digital's own sandbox at the end of a line that fails as asked."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from capture.inbox.base import BundleFiles
from capture.inbox.mesh import MeshInbox
from capture.mailbox import Mailbox
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.inbox.contract import FarInboxContract
from tests.mesh.conftest import mesh, practices, sandbox  # noqa: F401 - these tests have them too
from tests.mesh.server import OURS, PRACTICE, WORKFLOW, MeshServer


@dataclass
class Messages:
    """See There. What lies there is what waits in the practice's mailbox, which the line does not lead to."""

    inbox: MeshInbox
    line: FaultProxy
    practices: Mailbox

    def fetch(self, bundle: BundleFiles) -> list[bytes]:
        found = []
        for message_id in self.practices.waiting(WORKFLOW, 100):
            with self.practices.fetch(message_id) as (head, pieces):
                if head.local_id == bundle.id:
                    found.append(b"".join(pieces))
        return found

    def away(self) -> AbstractContextManager[object]:
        return self.line.refusing()

    @contextmanager
    def losing(self) -> Iterator[None]:
        self.line.fail(Fault("lost", after=5_000))  # beyond the question, so to the message itself
        yield
        assert not self.line.left


class TestMesh(FarInboxContract):
    """The contract, for MESH."""

    @pytest.fixture
    def there(self, mesh: MeshServer, practices: Mailbox) -> Iterator[Messages]:  # noqa: F811
        with fault_proxy(mesh.port) as line:
            ours = Mailbox(mesh.account(OURS, url=f"http://127.0.0.1:{line.port}"))
            yield Messages(MeshInbox(ours, WORKFLOW, {"": PRACTICE}, 10 << 20), line, practices)
