"""The one-time link: its token, the receipt code, and how many wrong dates of birth it stands. Pure."""

import hashlib
import secrets
from datetime import timedelta

TOKEN_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
TOKEN_LENGTH = 23
"""57 signs that are not mistaken for one another, 23 of them: 134 random bits (SECURITY 3)."""
RECEIPT_ALPHABET = "23456789BCDFGHJKMNPQRTVWXYZ"
FREE_GUESSES = 5
WAITS = (1, 5, 15)
GUESSES_IN_ALL = 20


def new_token() -> str:
    """A fresh link token; it exists in the link and nowhere else."""
    return "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(TOKEN_LENGTH))


def token_hash(token: str) -> str:
    """What is stored of a token: SHA-256 in hex. A malformed one takes just as long."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def link_key(stored: str) -> str:
    """What a form carries to say which link it is about, from the hash that is stored: 32 hex digits that lead to no link."""
    return hashlib.sha256(f"link/{stored}".encode()).hexdigest()[:32]


def new_receipt() -> str:
    """A short code to say on the phone, such as `KX7-P3Q`; without vowels, so that it spells nothing."""
    code = "".join(secrets.choice(RECEIPT_ALPHABET) for _ in range(6))
    return f"{code[:3]}-{code[3:]}"


def read_receipt(text: str) -> str:
    """A receipt as people type it, in small letters or without its hyphen; empty when it cannot be one."""
    signs = "".join(text.upper().replace("-", " ").split())
    return f"{signs[:3]}-{signs[3:]}" if len(signs) == 6 and set(signs) <= set(RECEIPT_ALPHABET) else ""


def wait_after(wrong: int) -> timedelta:
    """How long the link waits after that many wrong dates of birth (SECURITY 5)."""
    if wrong < FREE_GUESSES:
        return timedelta(0)
    return timedelta(minutes=WAITS[min(wrong - FREE_GUESSES, len(WAITS) - 1)])
