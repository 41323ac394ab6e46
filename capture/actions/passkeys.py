"""Passkeys (WebAuthn): a member adds one, signs in with it, removes it.

The member shows to the device who is there (user verification is required), and the device holds the key: both factors in one
step (SECURITY 24). Each challenge waits in a session of the server's and is used up by the first answer, right or wrong.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.options_to_json_dict import options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from capture.actions.sign_in import start_staff_session
from capture.errors import NotAllowed
from capture.services import Services
from capture.settings import Settings
from capture.store import audit, passkeys, sessions
from capture.store.models import Member

MOST = 10
"""Passkeys a member may have."""
MAX_NAME = 60
_T = TypeVar("_T")


def relying_party(settings: Settings) -> str:
    """The host name that passkeys belong to; empty where there can be none, because the service is known by a bare number."""
    host = urlsplit(settings.origin).hostname or ""
    return "" if ":" in host or host.replace(".", "").isdigit() else host


def offer_registration(services: Services, cookie: str, member_id: str, *, email: str, name: str) -> dict[str, Any]:
    """What `navigator.credentials.create` wants, as JSON; the challenge waits in that cookie's session. NotAllowed: too many."""
    with services.database.write() as db:
        known = passkeys.list_passkeys(db, member_id)
        if len(known) >= MOST:
            raise NotAllowed(f"You have {MOST} passkeys. Remove one that you no longer use, then add another.")
        options = webauthn.generate_registration_options(
            rp_id=relying_party(services.settings),
            rp_name="Photos for your GP",
            user_id=bytes.fromhex(member_id),
            user_name=email,
            user_display_name=name,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(base64url_to_bytes(one.credential)) for one in known],
        )
        sessions.add_pending(db, cookie, "register", bytes_to_base64url(options.challenge))
    return options_to_json_dict(options)


def add_passkey(services: Services, cookie: str, member_id: str, practice_id: str, untrusted_answer: str, name: str) -> None:
    """Keep the passkey that the device made. NotAllowed when the answer is not to what this session asked; Conflict: known."""
    now = services.clock()
    with services.database.write() as db:
        challenge = sessions.take_pending(db, cookie, "register")
    made = check_registration(services, challenge, untrusted_answer)
    with services.database.write() as db:
        passkeys.insert_passkey(db, member_id, name=name.strip()[:MAX_NAME] or "Passkey", now=now, **made)
        audit.append(db, practice_id, actor=member_id, action="passkey added", subject=member_id, at=now)


def check_registration(services: Services, challenge: str, untrusted_answer: str) -> dict[str, Any]:
    """What there is to keep of a new passkey: `credential`, `public_key`, `sign_count`. NotAllowed when anything is not right."""
    verified = _checked(
        challenge,
        lambda: webauthn.verify_registration_response(
            credential=untrusted_answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party(services.settings),
            expected_origin=services.settings.origin,
            require_user_verification=True,
        ),
    )
    if verified is None:
        raise NotAllowed("The passkey was not added. Try again.", code="passkey-refused")
    credential = bytes_to_base64url(verified.credential_id)
    return {"credential": credential, "public_key": verified.credential_public_key, "sign_count": verified.sign_count}


def offer_sign_in(services: Services) -> tuple[str, dict[str, Any]]:
    """The cookie of a session that waits for a passkey, and what `navigator.credentials.get` wants, as JSON."""
    options = webauthn.generate_authentication_options(
        rp_id=relying_party(services.settings), user_verification=UserVerificationRequirement.REQUIRED
    )
    with services.database.write() as db:
        cookie = sessions.start_session(db, "passkey", now=services.clock())
        sessions.add_pending(db, cookie, "use", bytes_to_base64url(options.challenge))
    return cookie, options_to_json_dict(options)


def give_passkey(services: Services, cookie: str, untrusted_answer: str) -> str | None:
    """The cookie of a new staff session, or None: an answer to no question, given before, or by a key not known here."""
    now = services.clock()
    with services.database.write() as db:
        waiting = sessions.find_session(db, cookie, "passkey", now)
        challenge = sessions.take_pending(db, cookie, "use") if waiting else ""
        sessions.end_session(db, cookie)
    with services.database.write() as db:
        found = passkeys.find_passkey(db, credential_of(untrusted_answer))
        member = db.get_one(Member, found.member_id) if found else None
        count = _sign_count(services, challenge, untrusted_answer, found) if found else None
        if found is None or member is None or count is None or not passkeys.note_use(db, found, count, now):
            subject = member.id if member else ""
            audit.append(db, "", actor="somebody", action="passkey refused", subject=subject, at=now)
            return None
        return start_staff_session(db, member, now, how="passkey")


def remove_passkey(services: Services, member_id: str, practice_id: str, passkey_id: str, cookie: str) -> None:
    """Forget a passkey; sessions that it may have opened end at once, but not the one with this cookie (SECURITY 26)."""
    with services.database.write() as db:
        passkeys.delete_passkey(db, member_id, passkey_id)
        sessions.end_sessions_of_member(db, member_id, but=cookie)
        audit.append(db, practice_id, actor=member_id, action="passkey removed", subject=member_id, at=services.clock())


def credential_of(untrusted_answer: str) -> str:
    """The id of the credential that an answer speaks of; empty when it speaks of none."""
    try:
        answer = json.loads(untrusted_answer)
    except (ValueError, RecursionError):
        return ""
    found = answer.get("id") if isinstance(answer, dict) else None
    return found if isinstance(found, str) and found.isascii() else ""


def _sign_count(services: Services, challenge: str, untrusted_answer: str, passkey: passkeys.Passkey) -> int | None:
    """The new count of uses, or None when the answer is not right; a count that went back is a copied key (WebAuthn 6.1.1)."""
    verified = _checked(
        challenge,
        lambda: webauthn.verify_authentication_response(
            credential=untrusted_answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party(services.settings),
            expected_origin=services.settings.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        ),
    )
    handle = json.loads(untrusted_answer)["response"].get("userHandle") if verified else None
    if verified is None or handle != bytes_to_base64url(bytes.fromhex(passkey.member_id)):
        return None
    return verified.new_sign_count


def _checked(challenge: str, verify: Callable[[], _T]) -> _T | None:
    """What the library found, or None where nothing was asked or the answer is wrong, in whatever way."""
    if not challenge:
        return None
    try:
        return verify()
    except Exception:  # bytes of a stranger go through readers of JSON, CBOR and DER: whatever these raise is a no
        return None
