"""A real S3 server on this machine: Debian's radosgw, with one monitor and one store in memory. Run as a module it is the keeper.

Every worker of a test run uses the same one. A keeper process holds it; it goes, and takes the servers with it, as soon as nobody
holds the lock on the file `users` any more, however the workers ended.
"""

import base64
import fcntl
import json
import os
import secrets
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tests import needs
from tests.notify.receiver import make_certificate
from tests.ports import free_port
from tests.system.server import ROOT, wait_for

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

INSTALL = "apt install radosgw ceph-mon ceph-osd"
KMS_KEY = "testkey-1"
CONFIG = """
[global]
fsid = {fsid}
run dir = {folder}
log file =
admin socket =
keyring = {folder}/keyring
mon host = [v1:127.0.0.1:{monitor}/0]
mon initial members = a
public addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
rgw frontends = {frontends}
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms_key}={kms_secret}
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
"""


@dataclass(frozen=True)
class S3Server:
    """A server that is running: its ports, what lets one in, and the certificate of the port with TLS."""

    port: int
    tls_port: int
    access_key: str
    secret_file: str
    ca_file: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> "S3Client":
        """A client that shares no code with ours."""
        made: S3Client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=Path(self.secret_file).read_text(),
            region_name="eu-west-2",
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )
        return made

    def make_bucket(self) -> str:
        """A new bucket: its name."""
        name = f"bucket-{secrets.token_hex(6)}"
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()
        return name


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """The server of that folder, which is started if it is not there, until the end of the block."""
    for program in ("radosgw", "ceph-mon", "ceph-osd"):
        needs.program(program, install=INSTALL)
    folder.mkdir(exist_ok=True)
    told = folder / "server.json"
    with (folder / "users").open("w") as users, (folder / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not told.exists():
            with (folder / "keeper.log").open("w") as log:
                keeper = [sys.executable, "-m", "tests.s3_server", str(folder)]
                subprocess.Popen(keeper, cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log).returncode = 0
            for _ in range(600):
                if told.exists():
                    break
                time.sleep(0.1)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield S3Server(**json.loads(told.read_text()))


def keep(folder: Path) -> None:
    """Start the servers, tell where they are, and end them once nobody uses them."""
    place = folder / secrets.token_hex(4)  # another one after it begins anew
    place.mkdir()
    made = _configure(place)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        server = _start(place, made, servers)
        (folder / "half.json").write_text(json.dumps(asdict(server)))
        (folder / "half.json").rename(folder / "server.json")
        with (folder / "users").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_EX)  # waits for the last one
            (folder / "server.json").unlink()
    finally:
        for process in servers:
            process.kill()
            process.wait()


def _configure(folder: Path) -> dict[str, str]:
    ca_file = make_certificate(folder / "ca.pem", "localhost")
    made = {name: str(free_port()) for name in ("monitor", "port", "tls_port")}
    made |= {"folder": str(folder), "fsid": str(uuid.uuid4()), "ca_file": str(ca_file), "kms_key": KMS_KEY}
    doors = f"endpoint=127.0.0.1:{made['port']} ssl_endpoint=127.0.0.1:{made['tls_port']}"
    made["frontends"] = f"beast {doors} ssl_certificate={ca_file} ssl_private_key={ca_file}"
    made["kms_secret"] = base64.b64encode(secrets.token_bytes(32)).decode()
    (folder / "ceph.conf").write_text(CONFIG.format(**made))
    rights = 'caps mon = "allow *"\ncaps osd = "allow *"\ncaps mgr = "allow *"'
    names = ("mon.", "client.admin", "osd.0", "client.rgw")
    (folder / "keyring").write_text("".join(f"[{name}]\nkey = {_key()}\n{rights}\n" for name in names))
    for name in ("mon", "osd"):
        (folder / name).mkdir()
    return made


def _key() -> str:
    """A key of cephx: its kind, when it was made, how long it is, 16 random bytes."""
    return base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + secrets.token_bytes(16)).decode()


def _start(folder: Path, made: dict[str, str], servers: list[subprocess.Popen[bytes]]) -> S3Server:
    config, osd_id = ["-c", str(folder / "ceph.conf")], str(uuid.uuid4())
    address = f"[v1:127.0.0.1:{made['monitor']}]"
    _run("monmaptool", "--create", "--addv", "a", address, "--fsid", made["fsid"], str(folder / "monmap"))
    _run("ceph-mon", *config, "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"), "--keyring", str(folder / "keyring"))
    servers.append(_serve("ceph-mon", *config, "-i", "a", "-f"))
    _run("ceph", *config, "osd", "new", osd_id, "0")
    _run("ceph-osd", *config, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
    servers.append(_serve("ceph-osd", *config, "-i", "0", "-f"))
    key, secret = "CAPTURETESTS", secrets.token_hex(20)
    (folder / "secret").write_text(secret)
    _run(
        *("radosgw-admin", *config, "-n", "client.rgw", "user", "create", "--uid", "tests", "--display-name", "tests"),
        *("--access-key", key, "--secret-key", secret),
    )
    servers.append(_serve("radosgw", *config, "-n", "client.rgw", "-f"))
    server = S3Server(int(made["port"]), int(made["tls_port"]), key, str(folder / "secret"), made["ca_file"])
    for port in (server.port, server.tls_port):
        wait_for(port, servers[-1], folder.parent / "keeper.log")
    name, client = server.make_bucket(), server.client()  # the first ones make the pools too
    client.put_object(Bucket=name, Key="first", Body=b"1")
    client.create_multipart_upload(Bucket=name, Key="parts")
    client.close()
    return server


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)


def _serve(*command: str) -> subprocess.Popen[bytes]:
    """It ends with the keeper, however that ends."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    os.setsid()
    keep(Path(sys.argv[1]))
