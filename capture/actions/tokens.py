"""A practice lets another system in, and shuts it out: tokens for the API."""

from collections.abc import Sequence
from datetime import timedelta

from capture.domain.tokens import SCOPES, check_token_draft, is_token, new_token
from capture.errors import NotAllowed, TokenRefused
from capture.services import Services
from capture.store import audit, requests, tokens
from capture.store.journal import TOKEN
from capture.store.models import Practice
from capture.store.tokens import Token

MOST = 20
"""Tokens of a practice that work at the same time."""


def issue_token(
    services: Services, practice_id: str, *, name: str, scopes: Sequence[str], days: int, actor: str
) -> tuple[Token, str]:
    """A new token's row and the token itself, which is known now and never again. NotAllowed with the reason."""
    name, token, now = name.strip(), new_token(), services.clock()
    check_token_draft(name, scopes, days)
    kept = " ".join(scope for scope in SCOPES if scope in scopes)
    with services.database.write() as db:
        if tokens.count_live(db, practice_id, now) >= MOST:
            raise NotAllowed(f"Your practice has {MOST} tokens. Revoke one that is no longer used first", code="token-name")
        lifetime = timedelta(days=days)
        made = tokens.insert_token(db, practice_id, token, name=name, scopes=kept, made_by=actor, now=now, lifetime=lifetime)
        audit.append(db, practice_id, actor=actor, action="token made", subject=made.id, at=now, scopes=kept, days=days)
    return made, token


def revoke_token(services: Services, practice_id: str, token_id: str, *, actor: str) -> None:
    """End a token at once, for good; again changes nothing. NotFound."""
    now = services.clock()
    with services.database.write() as db:
        if tokens.revoke(db, practice_id, token_id, now):
            event = audit.append(db, practice_id, actor=actor, action="token revoked", subject=token_id, at=now)
            requests.note_ending(db, event, TOKEN)


def use_token(services: Services, untrusted_token: str) -> tuple[Token, Practice]:
    """Whose token this is; that it was used is noted once a minute. TokenRefused: malformed, unknown, over or revoked."""
    now = services.clock()
    if not is_token(untrusted_token):
        raise TokenRefused
    with services.database.read() as db:
        token = tokens.find_live(db, untrusted_token, now)
        if token is None:
            raise TokenRefused
        practice = db.get_one(Practice, token.practice_id)
    if tokens.needs_touch(token, now):
        with services.database.write() as db:
            tokens.touch(db, token, now)
    return token, practice
