"""A PostgreSQL server of our own, on a socket in a folder of its own: for the tests of the store, and for bench/scale.py."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from capture.store.models import new_id
from tests import needs


class Postgres:
    """A server. `folder` holds its data and its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://capture@/{name}?host={self.folder}"

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user="capture", dbname=name, autocommit=True)

    def create(self, name: str = "", *, like: str = "template1") -> str:
        """A new database, empty or like another that nobody is connected to; its address."""
        name = name or f"capture_{new_id()}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)


@contextmanager
def running_postgres(*options: str) -> Iterator[Postgres]:
    """Make one, start it with these settings (`name=value`), and take it away at the end with all that is in it."""
    packaged = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), reverse=True)
    binaries = Path(needs.program("initdb", *packaged, install="apt install postgresql")).parent
    folder = Path(tempfile.mkdtemp(prefix="capture-pg-"))
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root; its package made this user
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"
    make = [f"{binaries}/initdb", f"--pgdata={data}", "--auth=trust", "--username=capture", "--no-sync"]
    subprocess.run([*as_user, *make, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd="/")
    serve = [f"{binaries}/postgres", "-D", str(data), "-k", str(folder)]
    for option in ("listen_addresses=", "fsync=off", *options):
        serve += ["-c", option]
    with subprocess.Popen([*as_user, *serve], stderr=subprocess.DEVNULL, cwd="/") as process:
        server = Postgres(folder)
        for _ in range(100):
            try:
                server.connect().close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        try:
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is still connected
            process.wait(timeout=60)
            shutil.rmtree(folder)
