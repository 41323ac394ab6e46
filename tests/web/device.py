"""A device that makes and shows passkeys as browsers do, and that can be told to cheat."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

from tests.web.html import ORIGIN, Page, Visitor

PRESENT, VERIFIED, WITH_KEY = 1, 4, 64
ACCOUNT, SIGN_IN = "/staff/account", "/staff/sign-in"


@dataclass
class Device:
    """One passkey (ES256). `count` goes up with each use; the other fields are what an answer says, right unless changed."""

    origin: str = ORIGIN
    host: str = "photos.example.org"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    handle: str = ""
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.create` gives, as the page sends it."""
        self.handle = self.handle or options["user"]["id"]
        public = self.key.public_key().public_numbers()
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")})
        known = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cose
        facts = {"fmt": "none", "attStmt": {}, "authData": self._facts(WITH_KEY) + known}
        return self._answer("webauthn.create", options, attestationObject=bytes_to_base64url(encode_cbor(facts)))

    def get(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.get` gives."""
        self.count += 1
        facts, client = self._facts(), self._client("webauthn.get", options)
        signature = self.key.sign(facts + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        shown = {"authenticatorData": facts, "signature": signature}
        return self._answer(
            "webauthn.get", options, userHandle=self.handle, **{name: bytes_to_base64url(value) for name, value in shown.items()}
        )

    def _facts(self, more: int = 0) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, kind: str, options: dict[str, Any], **response: str) -> str:
        name = bytes_to_base64url(self.credential)
        client = bytes_to_base64url(self._client(kind, options))
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": {"clientDataJSON": client, **response}})


def ask(visitor: Visitor, path: str, page: str) -> dict[str, Any]:
    """The options that the page's script fetches."""
    answer = visitor.open("POST", path, data={"csrf_token": visitor.csrf(page)}, headers={"Accept": "application/json"})
    assert answer.status == 200, answer.data
    found: dict[str, Any] = answer.json
    assert len(base64url_to_bytes(found["challenge"])) >= 32
    return found


def send(visitor: Visitor, path: str, page: str, credential: str, **fields: str) -> Page:
    """The form, once the device has answered."""
    return visitor.open("POST", path, data={"csrf_token": visitor.csrf(page), "credential": credential, **fields})


def add_passkey(visitor: Visitor, device: Device, name: str = "Work laptop") -> Page:
    """Add a passkey on the account page."""
    options = ask(visitor, f"{ACCOUNT}/passkeys/options", ACCOUNT)
    return send(visitor, f"{ACCOUNT}/passkeys", ACCOUNT, device.create(options), name=name)


def use_passkey(visitor: Visitor, device: Device) -> Page:
    """Sign in with it."""
    options = ask(visitor, f"{SIGN_IN}/passkey/options", SIGN_IN)
    return send(visitor, f"{SIGN_IN}/passkey", SIGN_IN, device.get(options))
