"""How quickly bundles go to each kind of inbox, beside the vendor's own client alone in the same run; and the memory that it takes.

Ours reads every sealed part, compares it with its hash, makes the ZIP as it goes and sends it; the peer sends a file that is there
already. Each time is the median of several rounds in which both take turns: MESH's sandbox answers now in one time and now in
twice that, whoever asks. S3 is brought as many at once as the worker has senders. Aimed at for MESH and S3: 0.9 of the peer's rate;
for all: no more than 20 MB between the memory of a bundle of 5 MB and one of 200 MB. The copy beside the folder compares nothing:
it only says what the disk does.
"""

import hashlib
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from mesh_client import MeshClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from capture.bucket.client import Access
from capture.bucket.objects import Bucket
from capture.inbox.base import BundleFile, BundleFiles
from capture.inbox.folder import FolderInbox
from capture.inbox.mesh import MeshInbox
from capture.inbox.s3 import S3Inbox
from capture.mailbox import Mailbox
from tests.mesh.server import OURS, PASSWORD, PRACTICE, SHARED_KEY, WORKFLOW, running_mesh
from tests.notify.mail_server import make_certificates
from tests.s3_server import running_s3

MB = 1 << 20
PHOTO, PIECE = 5 * MB, 256 * 1024
ROUNDS, IN_MEMORY = {5: 100, 20: 40}, (5, 50, 200)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Race:
    """An inbox, what its vendor's client does with a file of the same size, and how many are brought at once."""

    peer: str
    put: Callable[[BundleFiles], object]
    send: Callable[[Path], object]
    at_once: int = 1


@contextmanager
def mesh() -> Iterator[Race]:
    """NHS Digital's sandbox on this machine, over TLS with a client certificate as MESH is, and its client."""
    chunk = 10 * MB
    with tempfile.TemporaryDirectory() as name:
        make_certificates(Path(name), "127.0.0.1")
        pem, ca = Path(name) / "server.pem", Path(name) / "ca.pem"
        with running_mesh("--ssl-certfile", str(pem), "--ssl-ca-certs", str(ca), "--ssl-cert-reqs", "2") as server:
            account = server.account(OURS, certificate_file=pem, ca_file=ca)
            inbox = MeshInbox(Mailbox(account), WORKFLOW, {"": PRACTICE}, chunk)
            key, pair = SHARED_KEY.encode(), (str(pem), str(pem))
            with MeshClient(server.url, OURS, PASSWORD, key, cert=pair, verify=str(ca), max_chunk_size=chunk) as client:

                def send(path: Path) -> None:
                    with path.open("rb") as file:
                        client.send_message(PRACTICE, file, workflow_id=WORKFLOW)

                yield Race("mesh-client", inbox.put, send)


@contextmanager
def s3() -> Iterator[Race]:
    """Debian's radosgw on this machine, its store in memory, and boto3 as it comes."""
    with tempfile.TemporaryDirectory() as name, running_s3(Path(name) / "s3") as server:
        access = Access(server.make_bucket(), server.url, access_key=server.access_key, secret_file=Path(server.secret_file))
        client = server.client()

        def send(path: Path) -> None:
            with path.open("rb") as file:
                client.upload_fileobj(file, access.name, f"peer/{next(_numbers)}")

        yield Race("boto3", S3Inbox(Bucket(access), "").put, send, at_once=4)
        client.close()


@contextmanager
def folder() -> Iterator[Race]:
    """A folder of this machine, and a copy that is synced before it gets its name."""
    with tempfile.TemporaryDirectory() as name:

        def send(path: Path) -> None:
            there = Path(name) / str(next(_numbers))
            with path.open("rb") as source, there.with_suffix(".part").open("xb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            there.with_suffix(".part").rename(there)

        yield Race("copy and sync", FolderInbox(name).put, send)


KINDS: dict[str, Callable[[], AbstractContextManager[Race]]] = {"mesh": mesh, "s3": s3, "folder": folder}


def make_bundle(folder: Path, megabytes: int) -> BundleFiles:
    """A bundle that nothing has seen before, of photos of 5 MB that lie in the folder."""
    files = []
    for number in range(megabytes * MB // PHOTO):
        path = folder / str(number)
        if not path.exists():
            path.write_bytes(random.Random(number).randbytes(PHOTO))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(BundleFile(f"photos/{number:02}-context.jpg.age", PHOTO, sha256, partial(pieces, path)))
    return BundleFiles(f"{next(_numbers):032x}", "A81001", "ABCD", datetime(2026, 11, 29, tzinfo=UTC), tuple(files), is_first=True)


def pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def timed(act: Callable[[Any], object], what: Sequence[object]) -> tuple[float, float]:
    """Seconds by the clock and of this process for each of these, all at once."""
    with ThreadPoolExecutor(len(what)) as senders:
        clock, process = time.perf_counter(), time.process_time()
        list(senders.map(act, what))
        return (time.perf_counter() - clock) / len(what), (time.process_time() - process) / len(what)


def race(name: str, folder: Path) -> None:
    """Print one kind's table."""
    with KINDS[name]() as between:
        for megabytes, rounds in ROUNDS.items():
            whole = folder / f"whole-{megabytes}"
            whole.write_bytes(random.Random(0).randbytes(megabytes * MB))
            ours, peers = [], []
            for _ in range(rounds // between.at_once):
                ours.append(timed(between.put, [make_bundle(folder, megabytes) for _ in range(between.at_once)]))
                peers.append(timed(between.send, [whole] * between.at_once))
            middle = [[median(times) for times in zip(*those, strict=True)] for those in (ours, peers)]
            print(f"{name}, {megabytes} MB")
            for who, (clock, process) in zip(("ours", between.peer), middle, strict=True):
                rates = f"{1 / clock:7.1f} bundles/s {1 / process:7.1f} bundles/s a core {megabytes / clock:7.0f} MB/s"
                print(f"  {who:14} {rates} {process * 1000:7.1f} ms of a core")
            print(f"  ratio {middle[1][0] / middle[0][0]:.2f}")


def peak(name: str, megabytes: int) -> float:
    """Peak memory in MB of a process that brings one bundle of that size."""
    ran = subprocess.run([sys.executable, __file__, "--once", name, str(megabytes)], stdout=subprocess.PIPE, text=True, check=True)
    return int(ran.stdout) / 1024


def once(name: str, megabytes: int, folder: Path) -> None:
    with KINDS[name]() as between:
        between.put(make_bundle(folder, megabytes))
    print(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])  # of this program, not of who started it


def main() -> None:
    """All kinds, or those that are named."""
    with tempfile.TemporaryDirectory() as made:
        if sys.argv[1:2] == ["--once"]:
            return once(sys.argv[2], int(sys.argv[3]), Path(made))
        for name in sys.argv[1:] or KINDS:
            race(name, Path(made))
            peaks = {megabytes: peak(name, megabytes) for megabytes in IN_MEMORY}
            told = ", ".join(f"{most:.0f} MB with {megabytes} MB" for megabytes, most in peaks.items())
            print(f"  memory {told}: {max(peaks.values()) - min(peaks.values()):+.0f} MB")
    return None


if __name__ == "__main__":
    main()
