"""The age format: round trips, refusals, and both ways against npm `age-encryption`."""

import base64
import io
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import AgeError, Unavailable
from capture.sealing import age
from capture.sealing.age import CHUNK, MAX_HEADER, MAX_LOG_N
from capture.sealing.armor import from_armor, to_armor
from capture.sealing.keys import Identity

from .conftest import NodeRun

IDENTITIES = [Identity.generate() for _ in range(4)]
RECIPIENTS = [identity.recipient for identity in IDENTITIES]
SIZES = sorted({max(0, chunks * CHUNK + off) for chunks in (0, 1, 2, 3) for off in (-17, -16, -1, 0, 1, 16, 17)})


class Trickle(io.RawIOBase):
    """A source that hands over a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._source, self._piece = io.BytesIO(data), piece

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(min(size, self._piece))

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._source.readline(size)


def refusal(data: bytes, *identities: Identity) -> AgeError:
    with pytest.raises(AgeError) as refused:
        age.open_sealed(data, identities or IDENTITIES)
    return refused.value


@pytest.mark.parametrize("size", SIZES)
def test_every_size_round_trips(size: int) -> None:
    """What is sealed opens again, at every size around the ends of chunks."""
    plaintext = os.urandom(size)
    sealed = age.seal(plaintext, RECIPIENTS[:1])
    assert age.open_sealed(sealed, IDENTITIES[:1]) == plaintext
    body = sealed[sealed.index(b"\n--- ") + 5 + 43 + 1 + 16 :]
    assert len(body) == size + 16 * max(1, -(-size // CHUNK))


@given(st.binary(max_size=2000), st.sets(st.integers(0, 3), min_size=1), st.integers(1, 9000))
def test_each_recipient_opens_and_no_one_else(plaintext: bytes, chosen: set[int], piece: int) -> None:
    """Every recipient's identity opens the file, from a source of any pace; every other is told that it is not for it."""
    sealed, target = io.BytesIO(), io.BytesIO()
    age.seal_stream(Trickle(plaintext, piece), sealed, [RECIPIENTS[number] for number in sorted(chosen)])  # type: ignore[arg-type]
    for number, identity in enumerate(IDENTITIES):
        if number in chosen:
            assert age.open_sealed(sealed.getvalue(), [identity]) == plaintext
        else:
            assert refusal(sealed.getvalue(), identity).sentence == "This file is not sealed to this identity."
    age.open_stream(Trickle(sealed.getvalue(), piece), target, IDENTITIES)  # type: ignore[arg-type]
    assert target.getvalue() == plaintext


def test_sealing_twice_never_looks_alike() -> None:
    """File key, nonce and encapsulation are new each time: equal photos cannot be told from their seals."""
    one, other = (age.seal(b"the same", RECIPIENTS[:1]) for _ in range(2))
    assert one[:40] == other[:40]
    assert one[-24:] != other[-24:]


def test_sealing_to_no_one_is_refused() -> None:
    """A file that nobody could open is never made: the service is not available instead."""
    with pytest.raises(Unavailable, match="no key to seal to"):
        age.seal(b"x", [])


@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_no_byte_can_change(at: int, change: int) -> None:
    """Whichever byte of a sealed file is altered, it does not open, and nothing but our error is raised."""
    sealed = bytearray(SEALED)
    sealed[at % len(sealed)] ^= change
    assert refusal(bytes(sealed)).code.startswith("age-")


SEALED = age.seal(b"a photo of skin", RECIPIENTS[:2])


@given(st.integers(0, len(SEALED) - 1))
def test_no_beginning_opens(end: int) -> None:
    """A truncated file is an error wherever it stops."""
    assert refusal(SEALED[:end]).code in ("age-header", "age-payload")


def test_files_cut_or_lengthened_at_a_chunk_are_told() -> None:
    """Whole chunks missing or added behind are told as such; what was written before is authentic, and only that."""
    plaintext = os.urandom(2 * CHUNK)
    sealed = age.seal(plaintext, RECIPIENTS[:1])
    for data, sentence, released in (
        (sealed[: -CHUNK - 16], "This age file was cut short.", CHUNK),
        (sealed + b"more", "This age file goes on after its end.", 2 * CHUNK),
    ):
        target = io.BytesIO()
        with pytest.raises(AgeError, match=sentence) as refused:
            age.open_stream(io.BytesIO(data), target, IDENTITIES)
        assert refused.value.code == "age-payload"
        assert target.getvalue() == plaintext[:released]


def test_nothing_is_written_before_it_is_authenticated() -> None:
    """Of a file whose only chunk was altered, not one byte reaches the target."""
    target = io.BytesIO()
    with pytest.raises(AgeError):
        age.open_stream(io.BytesIO(SEALED[:-1] + bytes([SEALED[-1] ^ 1])), target, IDENTITIES)
    assert target.getvalue() == b""


def test_streams_take_flat_memory() -> None:
    """A file of any size is sealed and opened in a few chunks' memory."""

    class Zeros(io.RawIOBase):
        left = 40 << 20

        def read(self, size: int = -1, /) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    class Count(io.RawIOBase):
        written = 0

        def write(self, data: object, /) -> int:
            self.written += len(data)  # type: ignore[arg-type]
            return len(data)  # type: ignore[arg-type]

    count = Count()
    tracemalloc.start()
    age.seal_stream(Zeros(), count, RECIPIENTS)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count.written > 40 << 20
    assert peak < 1 << 20


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    """Arbitrary bytes, with or without the first line or the armor of an age file, give our error and no other."""
    for start in (b"", b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> mlkem768x25519 "):
        refusal(start + data)
    with pytest.raises(AgeError):
        age.open_with_passphrase(b"-----BEGIN AGE ENCRYPTED FILE-----\n" + data, "x")
    with pytest.raises(AgeError):
        age.open_with_passphrase(data, "x")


def test_endless_headers_are_refused() -> None:
    """A header is read no further than its limit, be it one long line or many stanzas."""
    for filler in (b"-> " + b"x" * MAX_HEADER, b"-> x\n\n" * MAX_HEADER, b"-> x\n" + (b"A" * 64 + b"\n") * MAX_HEADER):
        source = io.BytesIO(b"age-encryption.org/v1\n" + filler)
        with pytest.raises(AgeError, match="does not end"):
            age.open_stream(source, io.BytesIO(), IDENTITIES)
        assert source.tell() <= MAX_HEADER + 1


def test_other_kinds_are_named_both_ways() -> None:
    """SECURITY 33: a passphrase file where a key is asked for, and a key's file where a passphrase is, say what they are."""
    error = refusal(age.seal_with_passphrase(b"x", "secret", log_n=1, armor=False))
    assert (error.code, error.sentence) == (
        "age-unsupported",
        "This age file is sealed with scrypt. Only mlkem768x25519 can be opened here.",
    )
    with pytest.raises(AgeError, match="sealed with mlkem768x25519"):
        age.open_with_passphrase(SEALED, "secret")


@pytest.mark.parametrize("armor", [True, False])
@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, CHUNK])
def test_passphrase_files_round_trip(size: int, armor: bool) -> None:
    """A passphrase opens what it sealed, armored or not; a wrong one is told so and nothing more."""
    plaintext = os.urandom(size)
    data = age.seal_with_passphrase(plaintext, "correct horse ✓", log_n=2, armor=armor)
    assert age.is_age(data)
    assert data.startswith(b"-----BEGIN") == armor
    assert age.open_with_passphrase(data, "correct horse ✓") == plaintext
    with pytest.raises(AgeError, match="passphrase is not right") as refused:
        age.open_with_passphrase(data, "correct horse")
    assert refused.value.code == "age-no-match"


def test_passphrases_are_stretched_as_recommended() -> None:
    """The work factor is 18 unless told otherwise, and one that would take more than a gigabyte is not attempted."""
    data = age.seal_with_passphrase(b"x", "secret", armor=False)
    assert data.splitlines()[1].endswith(b" 18")
    for factor in (MAX_LOG_N + 1, 99, 100):
        with pytest.raises(AgeError, match="work factor"):
            age.open_with_passphrase(data.replace(b" 18\n", f" {factor}\n".encode(), 1), "secret")


@pytest.mark.parametrize(("passphrase", "log_n"), [("", 10), ("secret", 0), ("secret", MAX_LOG_N + 1)])
def test_weak_or_endless_passphrase_files_are_not_made(passphrase: str, log_n: int) -> None:
    """An empty passphrase, or a work factor that our own reader would refuse, is a programming error."""
    with pytest.raises(ValueError, match="passphrase"):
        age.seal_with_passphrase(b"x", passphrase, log_n=log_n)


@given(st.binary(max_size=400))
def test_armor_round_trips(data: bytes) -> None:
    """Whatever is armored comes out again, with either kind of line ending."""
    text = to_armor(data)
    assert from_armor(text) == from_armor(text.replace(b"\n", b"\r\n")) == data


@pytest.mark.parametrize("text", [b"", b"\n", b"-----BEGIN AGE ENCRYPTED FILE-----", b"AAAA"])
def test_what_is_no_armor_is_said_to_be_none(text: bytes) -> None:
    """Empty text and a lone BEGIN line are armor failures."""
    with pytest.raises(AgeError) as refused:
        from_armor(text)
    assert refused.value.code == "age-armor"
    assert not age.is_age(b"# public key: age1pq1")


@pytest.fixture(scope="module")
def plaintexts() -> list[bytes]:
    return [b"", b"a photo", os.urandom(CHUNK), os.urandom(CHUNK + 1)]


def test_the_other_implementation_opens_what_is_sealed_here(node: NodeRun, plaintexts: list[bytes]) -> None:
    """npm age-encryption, given any one of several hybrid identities or the passphrase, opens our files to the last byte."""
    for plaintext in plaintexts:
        sealed = base64.b64encode(age.seal(plaintext, RECIPIENTS[:2])).decode()
        for identity in IDENTITIES[:2]:
            answer = node("peer.mjs", action="open", identity=identity.to_text(), sealed=sealed)
            assert base64.b64decode(answer["plaintext"]) == plaintext
    armored = age.seal_with_passphrase(plaintexts[1], "naïve passphrase", log_n=10).decode()
    answer = node("peer.mjs", action="open", passphrase="naïve passphrase", armored=armored)
    assert base64.b64decode(answer["plaintext"]) == plaintexts[1]


def test_what_the_other_implementation_seals_opens_here(node: NodeRun, plaintexts: list[bytes]) -> None:
    """Our reader opens npm age-encryption's files, for several hybrid recipients and for a passphrase, armored and binary."""
    for plaintext in plaintexts:
        encoded = base64.b64encode(plaintext).decode()
        recipients = [str(recipient) for recipient in RECIPIENTS[:2]]
        answer = node("peer.mjs", action="seal", recipients=recipients, plaintext=encoded)
        for identity in IDENTITIES[:2]:
            assert age.open_sealed(base64.b64decode(answer["sealed"]), [identity]) == plaintext
    answer = node("peer.mjs", action="seal", passphrase="naïve passphrase", plaintext=encoded)
    assert age.open_with_passphrase(answer["armored"].encode(), "naïve passphrase") == plaintexts[-1]
    assert age.open_with_passphrase(base64.b64decode(answer["sealed"]), "naïve passphrase") == plaintexts[-1]


def test_keys_are_the_same_in_the_other_implementation(node: NodeRun) -> None:
    """An identity has the same recipient here and there, whichever of the two made it."""
    made = node("peer.mjs", action="keygen")
    assert str(Identity.parse(made["identity"]).recipient) == made["recipient"]
    answer = node("peer.mjs", action="recipient", identity=IDENTITIES[0].to_text())
    assert answer["recipient"] == str(RECIPIENTS[0])
