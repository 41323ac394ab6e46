"""The armor of age files: strict PEM (C2SP age.md, "ASCII armor"; RFC 7468, figure 3)."""

import base64
import binascii

from capture.errors import AgeError

_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"


def is_armored(data: bytes) -> bool:
    """Whether these bytes set out to be armor."""
    return data.lstrip().startswith(b"-----BEGIN AGE")


def to_armor(data: bytes) -> bytes:
    """The armored form of an age file, ending in a newline."""
    lines = [base64.b64encode(data[i : i + 48]) for i in range(0, len(data), 48)]
    return b"\n".join([_BEGIN, *lines, _END, b""])


def from_armor(text: bytes) -> bytes:
    """The age file inside its armor. Only white space may surround it; lines end in LF or CRLF."""
    lines = text.strip(b" \t\r\n").replace(b"\r\n", b"\n").split(b"\n")
    if lines[0] != _BEGIN or lines[-1] != _END:
        raise _malformed("its BEGIN or END line is not right")
    lines = lines[1:-1]
    if any(len(line) != 64 for line in lines[:-1]) or (lines and not 0 < len(lines[-1]) <= 64):
        raise _malformed("its lines are not 64 characters long")
    joined = b"".join(lines)
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error:
        data = b""
    if base64.b64encode(data) != joined:
        raise _malformed("it is not in canonical base64")
    return data


def _malformed(reason: str) -> AgeError:
    return AgeError(f"This armored age file is malformed: {reason}.", code="age-armor")
