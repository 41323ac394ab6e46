"""A Redis of our own, on a free port of this machine, that keeps nothing."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from tests import needs
from tests.ports import free_port


class RedisServer:
    """Started at once, and again after `stop`, on the same port."""

    def __init__(self, folder: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        program = needs.program("redis-server", install="apt install redis-server")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        self.process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        with Redis(port=self.port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    return
                except NoConnection:
                    time.sleep(0.05)
        raise AssertionError("it does not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def counted(self) -> list[str]:
        """The names of what is counted there."""
        with Redis(port=self.port) as client:
            return [key.decode() for key in client.scan_iter()]


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="capture-redis-") as folder:
        server = RedisServer(folder)
        try:
            yield server
        finally:
            server.stop()
