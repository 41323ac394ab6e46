"""What a program, and everything that it started, wrote to files: seen from outside, through strace."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import needs

CALLS = (
    "open,openat,openat2,creat,memfd_create,write,pwrite64,writev,pwritev,pwritev2,"
    "sendfile,splice,tee,vmsplice,copy_file_range,io_uring_setup,io_uring_enter"
)
_OPENED = re.compile(r"(?:open|openat|openat2|creat)\(.*\b(?:O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|creat\().* = \d+<(?P<path>[^>]*)>")
_WRITES = r"^\d+ +(?:write|pwrite64|writev|pwritev|pwritev2)\("
_WRITE = re.compile(_WRITES)
_WRITTEN = re.compile(_WRITES + r"\d+<(?P<path>[^>]*)>(?:\(deleted\))?, (?P<data>.*)")
_COPIED = re.compile(r"\b(?:sendfile|splice|copy_file_range|tee|vmsplice|io_uring_\w+|memfd_create)\(.*")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True)
class Seen:
    """`opened`: files opened for writing. `written`: what went into each file. `unseen`: calls that move data past our eyes."""

    opened: set[str]
    written: dict[str, bytes]
    unseen: list[str]


def tracer(trace: Path) -> Sequence[str]:
    """What to put in front of a command."""
    strace = needs.program("strace", install="apt install strace")
    return strace, "-f", "-qq", "-y", "-xx", "-s", "67108864", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(trace)


def read_trace(trace: Path) -> Seen:
    """Read what strace wrote. Pipes, sockets and devices are no files."""
    opened: set[str] = set()
    written: dict[str, list[bytes]] = {}
    unseen: list[str] = []
    with trace.open("r", encoding="ascii") as lines:
        for line in lines:
            if _WRITE.match(line):
                found = _WRITTEN.match(line)
                assert found, line[:200]
                path = _decode(found["path"]).decode()
                if path.startswith("/") and not path.startswith("/dev/"):
                    pieces = _TEXT.findall(found["data"])
                    assert not any(cut for _, cut in pieces), "strace cut a write short"
                    written.setdefault(path, []).extend(bytes.fromhex(text.replace("\\x", "")) for text, _ in pieces)
            elif found := _OPENED.search(line):
                opened.add(_decode(found["path"]).decode())
            elif _COPIED.search(line):
                unseen.append(line)
    return Seen(
        {path for path in opened if not path.startswith("/dev/")}, {path: b"".join(w) for path, w in written.items()}, unseen
    )


def _decode(text: str) -> bytes:
    """A path as strace shows it: hexadecimal, or as it is."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())
