"""The published C2SP CCTV vectors of the age format (npm `cctv-age`)."""

import base64
import hashlib
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from capture.errors import AgeError
from capture.sealing.age import HYBRID, SCRYPT, Stanza, open_stream, open_with, open_with_passphrase
from capture.sealing.armor import from_armor, to_armor
from capture.sealing.keys import Identity

from .conftest import NodeRun

CODES = {
    "no match": "age-no-match",
    "HMAC failure": "age-mac",
    "header failure": "age-header",
    "payload failure": "age-payload",
    "armor failure": "age-armor",
}


@dataclass
class Vector:
    name: str
    sealed: bytes
    expect: str = ""
    payload: str = hashlib.sha256().hexdigest()
    armored: bool = False
    file_key: bytes = b""
    identities: list[Identity] = field(default_factory=list)
    passphrases: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, name: str, data: bytes) -> "Vector":
        head, _, sealed = data.partition(b"\n\n")
        vector = cls(name, sealed)
        for line in head.decode().splitlines():
            key, _, value = line.partition(": ")
            match key:
                case "expect" | "payload":
                    setattr(vector, key, value)
                case "armored":
                    vector.armored = True
                case "compressed":
                    vector.sealed = zlib.decompress(sealed)
                case "file key":
                    vector.file_key = bytes.fromhex(value)
                case "identity" if value.startswith("AGE-SECRET-KEY-PQ-1"):
                    vector.identities.append(Identity.parse(value))
                case "passphrase":
                    vector.passphrases.append(value)
                case _:
                    assert key in ("identity", "comment"), f"{name}: unknown key {key}"
        return vector

    def opened(self, source: bytes, target: io.BytesIO) -> None:
        """Open as the vector asks: with its passphrase, else with its hybrid identities, if any."""
        if self.passphrases:
            target.write(open_with_passphrase(source, self.passphrases[0]))
        else:
            open_stream(io.BytesIO(source), target, self.identities)

    def opened_by_file_key(self, source: bytes, target: io.BytesIO) -> None:
        open_with(io.BytesIO(source), target, lambda _: self.file_key)

    def types(self) -> set[str]:
        """The stanza types in the header, told without our parser."""
        binary = self.sealed
        if self.armored:
            body = re.sub(rb"-----[A-Z ]+-----", b"", binary)
            binary = base64.b64decode(body + b"==", validate=False) if body.isascii() else b""
        return {name.decode() for name in re.findall(rb"^-> (\S+)", binary.split(b"\n---")[0], re.MULTILINE)}

    def supported(self) -> bool:
        return bool(self.types() & {HYBRID, SCRYPT})


@pytest.fixture(scope="module")
def vectors(node: NodeRun) -> list[Vector]:
    published = node("vectors.mjs")
    return [Vector.parse(name, base64.b64decode(data)) for name, data in sorted(published.items())]


def outcome(vector: Vector, *, by_file_key: bool) -> tuple[str, str, AgeError | None]:
    """What opening came to: "success" or the error's code, the hash of what was released, the error."""
    target = io.BytesIO()
    result, error = "success", None
    try:
        source = from_armor(vector.sealed) if vector.armored and not vector.passphrases else vector.sealed
        (vector.opened_by_file_key if by_file_key else vector.opened)(source, target)
    except AgeError as refused:
        result, error = refused.code, refused
    return result, hashlib.sha256(target.getvalue()).hexdigest(), error


def test_every_vector_of_a_supported_type_passes_in_every_respect(vectors: list[Vector]) -> None:
    """SECURITY 33: hybrid and passphrase vectors open or fail exactly as published, down to what was released."""
    tried = [vector for vector in vectors if vector.supported()]
    assert len(tried) >= 42
    for vector in tried:
        result, released, _ = outcome(vector, by_file_key=False)
        assert result == CODES.get(vector.expect, vector.expect), vector.name
        assert released == vector.payload or vector.expect not in ("success", "payload failure"), vector.name


def test_every_other_type_is_refused_by_name(vectors: list[Vector]) -> None:
    """SECURITY 33: a well-formed file sealed in a way that is not supported is refused, and the way is named."""
    refused = 0
    for vector in vectors:
        if vector.supported() or outcome(vector, by_file_key=True)[0] in ("age-header", "age-armor"):
            continue
        result, released, error = outcome(vector, by_file_key=False)
        assert result == "age-unsupported", vector.name
        assert error is not None
        assert all(name in error.sentence for name in vector.types()), vector.name
        assert released == hashlib.sha256().hexdigest(), vector.name
        refused += 1
    assert refused >= 50


def test_the_format_itself_passes_whatever_the_recipient(vectors: list[Vector]) -> None:
    """SECURITY 33: header, MAC, armor and STREAM vectors hold as well, opened by their file key where sealed to X25519."""
    tried = 0
    for vector in vectors:
        about_format = vector.name.startswith(("armor", "header", "hmac", "stanza", "stream", "version"))
        if vector.supported() or not about_format or not vector.file_key or vector.expect == "no match":
            continue
        result, released, _ = outcome(vector, by_file_key=True)
        assert result == CODES.get(vector.expect, vector.expect), vector.name
        assert released == vector.payload or vector.expect not in ("success", "payload failure"), vector.name
        tried += 1
    assert tried >= 60


def test_nothing_published_is_opened_that_should_not_be(vectors: list[Vector]) -> None:
    """SECURITY 33: no vector that must fail ever opens, of whatever type, and none fails with anything but our error."""
    for vector in vectors:
        result, _, _ = outcome(vector, by_file_key=False)
        assert (result == "success") == (vector.expect == "success" and vector.supported()), vector.name


def test_armor_round_trips_byte_for_byte(vectors: list[Vector]) -> None:
    """Armoring what was taken out of published armor gives the same text again, white space around it aside."""
    tried = [vector for vector in vectors if vector.armored and vector.expect == "success"]
    assert len(tried) >= 6
    for vector in tried:
        normal = vector.sealed.strip(b" \t\r\n").replace(b"\r\n", b"\n") + b"\n"
        assert to_armor(from_armor(vector.sealed)) == normal, vector.name


def test_stanzas_are_handed_over_whole(vectors: list[Vector]) -> None:
    """A grease stanza beside ours is kept apart: its type, arguments and body reach the one who looks for a key."""
    seen: list[Stanza] = []

    def look(stanzas: Sequence[Stanza]) -> None:
        seen.extend(stanzas)

    (vector,) = (vector for vector in vectors if vector.name == "hybrid_grease")
    with pytest.raises(AgeError):
        open_with(io.BytesIO(vector.sealed), io.BytesIO(), look)
    assert {stanza.type for stanza in seen} == vector.types()
