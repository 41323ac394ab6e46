"""The keys: recipients and identities (age, post-quantum hybrid), the server's signing key, and the identity file.

`docs/FORMAT.md` specifies each text form, and the fingerprint.
"""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from capture.errors import AgeError, SettingsError
from capture.sealing import bech32
from capture.sealing.files import write_new

_RECIPIENT_PREFIX = "age1pq"
_IDENTITY_PREFIX = "age-secret-key-pq-"
_MLKEM_SIZE = 1184
_SIGNER_SCHEME = "ed25519:"


@dataclass(frozen=True)
class Recipient:
    """A public key: 1,184 bytes of ML-KEM-768, then 32 of X25519. Its text is `age1pq1…`."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != _MLKEM_SIZE + 32:
            raise _invalid("A recipient is 1,216 bytes long.")
        try:
            self.public_key()
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(self.data[_MLKEM_SIZE:]))
        except ValueError:
            raise _invalid("This recipient is not a key that anything could be sealed to.") from None

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_from_bech32(text, _RECIPIENT_PREFIX, "a recipient (age1pq1…)"))

    def __str__(self) -> str:
        return bech32.encode(_RECIPIENT_PREFIX, self.data)

    @property
    def fingerprint(self) -> str:
        """What two people read to each other to compare keys: 32 hexadecimal digits in eight groups."""
        return _fingerprint(str(self))

    def public_key(self) -> MLKEM768X25519PublicKey:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.data[:_MLKEM_SIZE]),
            X25519PublicKey.from_public_bytes(self.data[_MLKEM_SIZE:]),
        )


@dataclass(frozen=True, repr=False)
class Identity:
    """A private key: a seed of 32 bytes. Its text is `AGE-SECRET-KEY-PQ-1…`; it is never shown by `repr`."""

    seed: bytes

    def __post_init__(self) -> None:
        if len(self.seed) != 32:
            raise _invalid("An identity is 32 bytes long.")

    @classmethod
    def generate(cls) -> Self:
        return cls(secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_from_bech32(text, _IDENTITY_PREFIX, "an identity (AGE-SECRET-KEY-PQ-1…)"))

    def to_text(self) -> str:
        """The secret itself. There is no `__str__`, so that it cannot reach a log by accident."""
        return bech32.encode(_IDENTITY_PREFIX, self.seed).upper()

    @property
    def recipient(self) -> Recipient:
        mlkem, x25519 = self._private_keys()
        return Recipient(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def private_key(self) -> MLKEM768X25519PrivateKey:
        return MLKEM768X25519PrivateKey(*self._private_keys())

    def _private_keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        """SHAKE-256 expands the seed to 64 bytes for ML-KEM and 32 for X25519 (draft-ietf-hpke-pq, MLKEM768-X25519)."""
        expanded = hashlib.shake_256(self.seed).digest(96)
        return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


@dataclass(frozen=True)
class VerifyingKey:
    """The server's public key, which a practice pins: 32 bytes of Ed25519. Its text is `ed25519:` and base64."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != 32:
            raise _invalid("A signer is 32 bytes long.")

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            key = cls(base64.b64decode(text.removeprefix(_SIGNER_SCHEME), validate=True))
        except ValueError:  # not base64, or not even ASCII
            raise _invalid("This is not a signer (ed25519:…).") from None
        if str(key) != text:
            raise _invalid("This is not a signer (ed25519:…).")
        return key

    def __str__(self) -> str:
        return _SIGNER_SCHEME + base64.b64encode(self.data).decode()

    @property
    def fingerprint(self) -> str:
        return _fingerprint(str(self))

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature (64 bytes) over `data` is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.data).verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The server's Ed25519 key, kept as PEM (PKCS #8) in a file that only the service reads."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(
                [f"{path} does not hold an Ed25519 private key."], hint="openssl genpkey -algorithm ed25519 makes one"
            )
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the key durably with mode 0600. Raises `FileExistsError` rather than replace a key."""
        write_new(path, self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    @property
    def verifying_key(self) -> VerifyingKey:
        return VerifyingKey(self._key.public_key().public_bytes_raw())


@dataclass(frozen=True)
class IdentityFile:
    """What an identity file holds: its identities in their order, and the signer whose bundles they open (None in age's own)."""

    identities: tuple[Identity, ...]
    signer: VerifyingKey | None = None


def write_identity_file(identity: Identity, created: datetime, signer: VerifyingKey | None = None) -> str:
    """The text of an identity file, as `age-keygen -pq` would write it, and the pinned signer."""
    pinned = f"# signer: {signer}\n" if signer else ""
    stamp = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"# created: {stamp}\n# public key: {identity.recipient}\n{pinned}{identity.to_text()}\n"


def parse_identity_file(text: str) -> IdentityFile:
    """Read an identity file. A comment that is not ours is skipped; any other line must be a hybrid identity."""
    identities, public_keys, signers = list[Identity](), set[str](), set[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if comment := re.fullmatch(r"# (public key|signer): (\S+)", line):
            (signers if comment[1] == "signer" else public_keys).add(comment[2])
        elif line.strip() and not line.startswith("#"):
            try:
                identities.append(Identity.parse(line))
            except AgeError as error:
                raise _invalid(f"Line {number} of the identity file: {error.sentence}") from None
    if not identities:
        raise AgeError("This file holds no identity.", code="key-invalid", hint="capture keygen --out FILE makes one")
    if not public_keys <= {str(identity.recipient) for identity in identities}:
        raise _invalid("The public key named in this identity file is not the identity's own: the file was altered.")
    if len(signers) > 1:
        raise _invalid("This identity file names more than one signer.")
    return IdentityFile(tuple(identities), VerifyingKey.parse(signers.pop()) if signers else None)


def _invalid(sentence: str) -> AgeError:
    """For what is not a key of the kind that was asked for. The sentence never holds the text: it may be a secret."""
    return AgeError(sentence, code="key-invalid")


def _fingerprint(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return "-".join(digest[i : i + 4] for i in range(0, 32, 4))


def _from_bech32(text: str, prefix: str, name: str) -> bytes:
    """The data under this prefix. Recipients are lower case and identities upper case, and neither is accepted otherwise."""
    try:
        found, data = bech32.decode(text)
    except ValueError as error:
        raise _invalid(f"This is not {name}: {error}.") from None
    if found != prefix:
        raise _invalid(f"This is not {name}, the only kind supported.")
    if text[0].islower() != (prefix == _RECIPIENT_PREFIX):
        raise _invalid(f"This is not {name}: its letters are in the wrong case.")
    return data
