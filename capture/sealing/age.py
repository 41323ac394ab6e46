"""The age file format, version 1 (C2SP age.md): what seals each part of a bundle and each identity file.

Two kinds of recipient are supported: the post-quantum hybrid `mlkem768x25519` and, for identity files only, `scrypt`
(a passphrase). Other stanzas beside a hybrid one are skipped, as the format asks; a file that holds only others is refused
by their names.

Errors are `AgeError` with one of these codes: `age-header` and `age-armor`, the text is malformed; `age-unsupported`, sealed
in ways that are not opened here; `age-no-match`, not for these keys; `age-mac`, the header was altered; `age-payload`, the
contents were altered or cut short.
"""

import base64
import binascii
import hashlib
import hmac
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from capture.errors import AgeError, Unavailable
from capture.sealing.armor import from_armor, is_armored, to_armor
from capture.sealing.keys import Identity, Recipient

CHUNK = 64 * 1024
MAX_HEADER = 128 * 1024  # room for some sixty hybrid recipients
MAX_LOG_N = 20  # scrypt takes 2**log_n kB: a gigabyte at the most
HYBRID = "mlkem768x25519"
SCRYPT = "scrypt"

_TAG = 16
_ENCAPSULATED = 1120  # 1,088 bytes for ML-KEM, then 32 for X25519
_VERSION_LINE = b"age-encryption.org/v1\n"
_ARGUMENTS = re.compile(rb"-> ([!-~]+(?: [!-~]+)*)\n")
_MAC_LINE = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")
_HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_HPKE_INFO = b"age-encryption.org/mlkem768x25519"


@dataclass(frozen=True)
class Stanza:
    """One wrapping of the file key: its arguments, the type first, and its decoded body."""

    arguments: tuple[str, ...]
    body: bytes

    @property
    def type(self) -> str:
        return self.arguments[0]


Unwrap = Callable[[Sequence[Stanza]], bytes | None]


def seal(plaintext: bytes, recipients: Iterable[Recipient]) -> bytes:
    """The age file, binary, that any one of the recipients' identities opens."""
    target = io.BytesIO()
    seal_stream(io.BytesIO(plaintext), target, recipients)
    return target.getvalue()


def seal_stream(source: IO[bytes], target: IO[bytes], recipients: Iterable[Recipient]) -> None:
    """Seal `source` to its end into `target`, 64 KiB at a time. Raises Unavailable where there is no recipient."""
    keys = list(recipients)
    if not keys:
        raise Unavailable("There is no key to seal to, so nothing can be taken at the moment. Try again later.")
    file_key = os.urandom(16)
    _write(source, target, file_key, [_wrap_hybrid(file_key, key) for key in keys])


def open_sealed(ciphertext: bytes, identities: Iterable[Identity]) -> bytes:
    """The plaintext of a binary age file sealed to at least one of the identities."""
    target = io.BytesIO()
    open_stream(io.BytesIO(ciphertext), target, identities)
    return target.getvalue()


def open_stream(source: IO[bytes], target: IO[bytes], identities: Iterable[Identity]) -> None:
    """Open a binary age file into `target`. Each chunk is authenticated before it is written; where a later one fails, what was
    written is only a beginning, to be thrown away."""
    keys = list(identities)
    open_with(source, target, lambda stanzas: _unwrap_hybrid(stanzas, keys))


def open_with(source: IO[bytes], target: IO[bytes], unwrap: Unwrap) -> None:
    """Open a file whose key `unwrap` finds among the header's stanzas; it answers None when none of them is for it."""
    stanzas, authenticated, mac = _read_header(source)
    file_key = unwrap(stanzas)
    if file_key is None:
        _refuse("age-no-match", "This file is not sealed to this identity.")
    if not hmac.compare_digest(_header_mac(file_key, authenticated), mac):
        _refuse("age-mac", "The header of this age file was altered.")
    nonce = _read_full(source, 16)
    if len(nonce) != 16:
        _refuse("age-header", "This age file ends before its contents.")
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    for counter, chunk, last in _chunks(source, CHUNK + _TAG):
        plaintext, marked_last = _open_chunk(cipher, counter, chunk, last)
        if counter and not plaintext:
            _refuse("age-payload", "This age file ends with an empty chunk.")
        target.write(plaintext)
        if marked_last != last:
            _refuse("age-payload", "This age file goes on after its end." if marked_last else "This age file was cut short.")


def seal_with_passphrase(plaintext: bytes, passphrase: str, *, log_n: int = 18, armor: bool = True) -> bytes:
    """An age file, armored unless told otherwise, that the passphrase opens. Takes 2**log_n kB, and about a second at 18."""
    if not passphrase or not 1 <= log_n <= MAX_LOG_N:
        raise ValueError(f"needs a passphrase, and a work factor from 1 to {MAX_LOG_N}")
    file_key, salt = os.urandom(16), os.urandom(16)
    body = ChaCha20Poly1305(_stretch(passphrase, salt, log_n)).encrypt(bytes(12), file_key, None)
    target = io.BytesIO()
    _write(io.BytesIO(plaintext), target, file_key, [Stanza((SCRYPT, _base64(salt), str(log_n)), body)])
    return to_armor(target.getvalue()) if armor else target.getvalue()


def open_with_passphrase(data: bytes, passphrase: str) -> bytes:
    """The plaintext of an age file, armored or binary, sealed with a passphrase."""
    binary = from_armor(data) if is_armored(data) else data
    target = io.BytesIO()
    open_with(io.BytesIO(binary), target, lambda stanzas: _unwrap_scrypt(stanzas, passphrase))
    return target.getvalue()


def is_age(data: bytes) -> bool:
    """Whether these bytes set out to be an age file, armored or binary."""
    return data.startswith(b"age-encryption.org/") or is_armored(data)


def _refuse(code: str, sentence: str) -> NoReturn:
    raise AgeError(sentence, code=code)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _from_base64(text: str | bytes, size: int | None = None) -> bytes:
    """Decode unpadded, canonical base64, of `size` bytes where given."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        data = base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error:
        data = b""
    if _base64(data).encode() != raw or size not in (None, len(data)):
        _refuse("age-header", "The header of this age file is not in canonical base64, or a value has the wrong length.")
    return data


def _derive(file_key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(file_key)


def _header_mac(file_key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), authenticated, hashlib.sha256)


def _chunk_nonce(counter: int, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])


def _read_full(source: IO[bytes], size: int) -> bytes:
    """Read `size` bytes, fewer only at the end: a pipe may hand over less than asked for."""
    data = source.read(size)
    while len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


def _chunks(source: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Each chunk with its number and whether it is the last; an empty source is one empty last chunk."""
    counter, chunk = 0, _read_full(source, size)
    while following := _read_full(source, size):
        yield counter, chunk, False
        counter, chunk = counter + 1, following
    yield counter, chunk, True


def _open_chunk(cipher: ChaCha20Poly1305, counter: int, chunk: bytes, last: bool) -> tuple[bytes, bool]:
    """The plaintext, and whether it was sealed as the last chunk. A full one may turn out to be the other kind than where it
    stands: it is authentic all the same, and tells a file cut at a chunk's end, or added to, from an altered one."""
    for marked_last in (last, not last) if len(chunk) == CHUNK + _TAG else (last,):
        try:
            return cipher.decrypt(_chunk_nonce(counter, marked_last), chunk, None), marked_last
        except InvalidTag:
            continue
    _refuse("age-payload", "The contents of this age file were altered or cut short.")


def _write(source: IO[bytes], target: IO[bytes], file_key: bytes, stanzas: Sequence[Stanza]) -> None:
    header = _VERSION_LINE
    for stanza in stanzas:
        body = _base64(stanza.body)
        # A body ends with a line shorter than 64, if need be an empty one.
        lines = [" ".join(("->", *stanza.arguments)), *(body[i : i + 64] for i in range(0, len(body) + 1, 64))]
        header += "".join(line + "\n" for line in lines).encode()
    header += b"---"
    nonce = os.urandom(16)
    target.write(header + b" " + _base64(_header_mac(file_key, header)).encode() + b"\n" + nonce)
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    for counter, chunk, last in _chunks(source, CHUNK):
        target.write(cipher.encrypt(_chunk_nonce(counter, last), chunk, None))


def _read_header(source: IO[bytes]) -> tuple[list[Stanza], bytes, bytes]:
    """The stanzas, the bytes under the MAC, and the MAC. Leaves `source` at the payload."""
    header, stanzas = b"", list[Stanza]()

    def next_line() -> bytes:
        nonlocal header
        line = source.readline(MAX_HEADER - len(header) + 1)
        header += line
        if not line.endswith(b"\n") or len(header) > MAX_HEADER:
            _refuse("age-header", "This is not a whole age file: its header does not end.")
        return line

    if next_line() != _VERSION_LINE:
        _refuse("age-header", "This is not an age file of version 1.")
    while arguments := _ARGUMENTS.fullmatch(line := next_line()):
        body = b""
        while len(line := next_line()) == 65:
            body += line[:-1]
        if len(line) > 65:
            _refuse("age-header", "A line in the header of this age file is too long.")
        stanzas.append(Stanza(tuple(arguments[1].decode().split(" ")), _from_base64(body + line[:-1])))
    mac = _MAC_LINE.fullmatch(line)
    if mac is None or not stanzas:
        _refuse("age-header", "The header of this age file is malformed.")
    if len(stanzas) > 1 and any(stanza.type == SCRYPT for stanza in stanzas):
        _refuse("age-header", "This age file mixes a passphrase with other recipients.")
    return stanzas, header[: -len(line) + 3], _from_base64(mac[1], 32)


def _of_type(stanzas: Sequence[Stanza], wanted: str, arguments: int) -> list[Stanza]:
    """The well-formed stanzas of the wanted type; where there is none, the types that are there are refused by name."""
    found = [stanza for stanza in stanzas if stanza.type == wanted]
    if not found:
        names = ", ".join(sorted({stanza.type for stanza in stanzas}))
        raise AgeError(f"This age file is sealed with {names[:200]}. Only {wanted} can be opened here.", code="age-unsupported")
    # The body's length is checked before any decryption: a longer key could fit several identities (partitioning oracles).
    if any(len(stanza.arguments) != arguments or len(stanza.body) != 16 + _TAG for stanza in found):
        _refuse("age-header", f"A {wanted} stanza of this age file is malformed.")
    return found


def _wrap_hybrid(file_key: bytes, recipient: Recipient) -> Stanza:
    wrapped = _HPKE.encrypt(file_key, recipient.public_key(), info=_HPKE_INFO)
    return Stanza((HYBRID, _base64(wrapped[:_ENCAPSULATED])), wrapped[_ENCAPSULATED:])


def _unwrap_hybrid(stanzas: Sequence[Stanza], identities: Iterable[Identity]) -> bytes | None:
    wrapped = [(_from_base64(stanza.arguments[1], _ENCAPSULATED), stanza.body) for stanza in _of_type(stanzas, HYBRID, 2)]
    for identity in identities:
        for encapsulated, body in wrapped:
            try:
                return _HPKE.decrypt(encapsulated + body, identity.private_key(), info=_HPKE_INFO)
            except InvalidTag:
                _refuse_low_order(encapsulated[-32:])
    return None


def _refuse_low_order(share: bytes) -> None:
    """Tell a share of low order, which is a malformed header, from one for another identity: HPKE answers both alike.
    Whether the shared secret is all zeros does not depend on the private key, so any will do."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        _refuse("age-header", "A mlkem768x25519 stanza of this age file is malformed.")


def _stretch(passphrase: str, salt: bytes, log_n: int) -> bytes:
    salt = b"age-encryption.org/v1/scrypt" + salt
    return Scrypt(salt=salt, length=32, n=1 << log_n, r=8, p=1).derive(passphrase.encode())


def _unwrap_scrypt(stanzas: Sequence[Stanza], passphrase: str) -> bytes:
    (stanza,) = _of_type(stanzas, SCRYPT, 3)
    salt, factor = _from_base64(stanza.arguments[1], 16), stanza.arguments[2]
    if not re.fullmatch("[1-9][0-9]?", factor) or int(factor) > MAX_LOG_N:
        _refuse("age-header", f"The scrypt work factor of this age file is not a number from 1 to {MAX_LOG_N}.")
    try:
        return ChaCha20Poly1305(_stretch(passphrase, salt, int(factor))).decrypt(bytes(12), stanza.body, None)
    except InvalidTag:
        _refuse("age-no-match", "The passphrase is not right.")
