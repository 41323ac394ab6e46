"""The tokens that other systems show: how one is made, and what it may do. Pure.

A token is `capture_`, 43 random signs of 62 (256 bits), and 6 signs that are the CRC-32 of those: whoever scans for leaked secrets
finds it by its form and knows it from any other text, and one that was cut or mistyped is told without being looked up.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence

from capture.errors import NotAllowed

PREFIX = "capture_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SIGNS, CHECK = 43, 6
SCOPES = {
    "requests:write": "Ask for photos and cancel requests",
    "requests:read": "List requests, with their labels and references",
    "bundles:read": "List bundles and fetch them, sealed",
    "bundles:acknowledge": "Say that a bundle is opened and kept",
}
LONGEST_DAYS, USUAL_DAYS, MAX_NAME = 730, 365, 60
_FORM = re.compile(rf"{PREFIX}([{ALPHABET}]{{{SIGNS}}})([{ALPHABET}]{{{CHECK}}})")


def new_token() -> str:
    """A fresh token; it exists where it is shown, once, and nowhere else."""
    signs = "".join(secrets.choice(ALPHABET) for _ in range(SIGNS))
    return PREFIX + signs + _check(signs)


def is_token(text: str) -> bool:
    """Whether a text has the form of a token, its check signs right."""
    found = _FORM.fullmatch(text)
    return bool(found and found[2] == _check(found[1]))


def token_hash(token: str) -> str:
    """What is stored of a token: SHA-256 in hex.

    A slow, salted hash keeps what people choose from being guessed. 256 random bits cannot be guessed at any speed, so one
    SHA-256 keeps them as well, and the row is found by it in one step at each call.
    """
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def token_problems(name: str, scopes: Sequence[str], days: int) -> dict[str, str]:
    """What is not right with a token that is to be made: codes, which name the field, and sentences."""
    problems = {}
    if not name or len(name) > MAX_NAME:
        problems["token-name"] = f"Enter which system the token is for, in at most {MAX_NAME} characters"
    if not scopes or not set(scopes) <= SCOPES.keys():
        problems["token-scopes"] = "Choose what the token may do"
    if not 1 <= days <= LONGEST_DAYS:
        problems["token-days"] = f"Choose how long the token works, at most {LONGEST_DAYS} days"
    return problems


def check_token_draft(name: str, scopes: Sequence[str], days: int) -> None:
    """Whether a token like that may be made; NotAllowed says the first thing that is wrong."""
    for code, sentence in token_problems(name, scopes, days).items():
        raise NotAllowed(sentence, code=code)


def _check(signs: str) -> str:
    """CRC-32 in six signs."""
    number, found = zlib.crc32(signs.encode()), ""
    for _ in range(CHECK):
        number, rest = divmod(number, len(ALPHABET))
        found = ALPHABET[rest] + found
    return found
