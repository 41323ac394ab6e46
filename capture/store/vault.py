"""The service's own secret and what is derived from it: never a practice's identity, never in the database.

One file of 32 random bytes (`var/keys/secret`) and one Ed25519 signing key (`var/keys/signing.key`). The vault seals what the
database must not hold in clear (labels, references, one-time-code secrets) with AES-256-GCM, bound to the row it belongs to.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from capture.errors import CaptureError, SettingsError
from capture.sealing.files import write_new

_NONCE = 12


class Vault:
    """Keys derived from the service's secret (32 bytes) with HKDF-SHA256, one for each purpose."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._mac_keys: dict[str, bytes] = {}
        self._fields = AESGCM(self.derive("fields"))
        self._pepper = self.derive("pepper")
        self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._decoy = _decoy(RFC_9106_LOW_MEMORY)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return HKDF(SHA256(), 32, None, f"capture/{purpose}".encode()).derive(self._secret)

    def seal(self, value: Any, place: str) -> bytes:
        """Seal a JSON value to a place such as `requests.details/ID`; it opens nowhere else."""
        nonce = os.urandom(_NONCE)
        return nonce + self._fields.encrypt(nonce, json.dumps(value).encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> Any:
        """Open what was sealed to that place; raises CaptureError when it was altered or moved."""
        try:
            return json.loads(self._fields.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode()))
        except (InvalidTag, ValueError):  # a ValueError when hardly anything is left of it
            raise CaptureError(
                f"A sealed value at {place.split('/', maxsplit=1)[0]} does not open.",
                hint="is var/keys/secret the one that belongs to this database?",
            ) from None

    def hash_secret(self, text: str, salt_place: str = "") -> str:
        """Argon2id of a password or date of birth, with the pepper mixed in first (SECURITY 4)."""
        return self._hasher.hash(self._peppered(text, salt_place))

    def check_secret(self, stored: str | None, text: str, salt_place: str = "") -> bool:
        """Compare; without a stored hash the same work is done and the answer is no."""
        try:
            return self._hasher.verify(stored or self._decoy, self._peppered(text, salt_place)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    def mac(self, purpose: str, text: str) -> str:
        """HMAC-SHA256 in hex under a key of its own for that purpose."""
        if purpose not in self._mac_keys:  # to derive it costs twice what the MAC does, and there are five purposes
            self._mac_keys[purpose] = self.derive(purpose)
        return hmac.new(self._mac_keys[purpose], text.encode(), hashlib.sha256).hexdigest()

    def _peppered(self, text: str, salt_place: str) -> str:
        return hmac.new(self._pepper, f"{salt_place}\0{text}".encode(), hashlib.sha256).hexdigest()


def _decoy(cost: Parameters) -> str:
    """What looks like a hash of that cost and is none of anything, so that to compare with it takes as long as with one."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (cost.salt_len, cost.hash_len))
    return f"$argon2id$v={cost.version}$m={cost.memory_cost},t={cost.time_cost},p={cost.parallelism}${salt}${digest}"


def make_folder(folder: Path) -> None:
    """Make a folder that only this user can enter; SettingsError where that is not possible."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder {folder} cannot be made: {error.strerror}"
        hint = "use one that this user may make and write to; CAPTURE_VAR names the service's own"
        raise SettingsError([problem], hint=hint) from None


def check_private(folder: Path) -> None:
    """SettingsError when others than this user can enter the folder."""
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        raise SettingsError([f"{folder} can be entered by others (mode {mode:o})"], hint=f"chmod 700 {folder}")


def load_vault(keys: Path, *, may_create: bool) -> Vault:
    """Read the secret; make it only where there is no database yet that would depend on an older one, or on a signing key."""
    path = keys / "secret"
    lost = [f"{key} is missing, and the database depends on it" for key in (path, keys / "signing.key") if not key.exists()]
    if lost and not may_create:
        raise SettingsError(lost, hint="restore it from where you keep the service's keys; a new one does not fit what is stored")
    if not path.exists():
        make_folder(keys)
        with contextlib.suppress(FileExistsError):  # another process starts at the same moment: its secret is the one
            write_new(path, os.urandom(32))
    secret = path.read_bytes()
    if len(secret) != 32:
        raise SettingsError([f"{path} must hold 32 bytes, not {len(secret)}"], hint="restore it from a backup")
    return Vault(secret)
