"""A member signs in with a provider (OpenID Connect Core 1.0, code flow with PKCE). Each answer is checked (SECURITY 27).

What must come back (state, nonce, the PKCE verifier) waits in a session of the server's and is used up by the first answer.
Addresses come from the provider's file and its discovery document only; redirects are not followed (SECURITY 43).
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import KeySet
from pyotp import random_base32
from requests import RequestException, Response

from capture.actions.sign_in import start_staff_session
from capture.domain.openid import Person, Provider, read_person
from capture.errors import NotAllowed, NotFound, Unavailable
from capture.outbound import check_address
from capture.services import Services
from capture.store import audit, members, openid, practices, sessions
from capture.store.models import new_id

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

ALGORITHMS = ["RS256", "PS256", "ES256"]
PARTS = ("provider", "state", "nonce", "verifier")
_LEEWAY, _TIMEOUT, _MOST = 60, (3.05, 10), 1_000_000
REFUSED = "The answer of the sign-in service was not right, or came too late. Try again."
UNKNOWN = "Nobody here has this account. Ask a manager of the practice for an invitation, with the e-mail address of your account."


def begin(services: Services, name: str) -> tuple[str, str]:
    """The cookie of a session that waits for the answer, and the provider's address to go to. NotFound; Unavailable."""
    provider = services.providers.get(name)
    if provider is None:
        raise NotFound
    with _client(services, provider) as client:
        endpoint = _discover(client, provider)["authorization_endpoint"]
        waiting = dict(zip(PARTS, (name, *(secrets.token_urlsafe(32) for _ in PARTS[1:])), strict=True))
        more = {"acr_values": provider.acr_values} if provider.acr_values else {}
        url, _ = client.create_authorization_url(
            endpoint, state=waiting["state"], nonce=waiting["nonce"], code_verifier=waiting["verifier"], **more
        )
    with services.database.write() as db:
        cookie = sessions.start_session(db, "openid", now=services.clock())
        for part, value in waiting.items():
            sessions.add_pending(db, cookie, part, value)
    return cookie, str(url)


def finish(services: Services, cookie: str, answer: Mapping[str, str]) -> str:
    """The cookie of a new staff session. NotAllowed: an answer altered, late or too weak, or of nobody here; Unavailable."""
    now = services.clock()
    with services.database.write() as db:
        live = sessions.find_session(db, cookie, "openid", now)
        waiting = {part: sessions.take_pending(db, cookie, part) if live else "" for part in PARTS}
        sessions.end_session(db, cookie)
    provider = services.providers.get(waiting["provider"])
    try:
        if provider is None or not hmac.compare_digest(waiting["state"].encode(), answer.get("state", "").encode()):
            raise NotAllowed(REFUSED, code="openid-refused")
        person = _ask(services, provider, waiting, answer)
        return _let_in(services, provider, person)
    except NotAllowed:
        with services.database.write() as db:
            audit.append(db, "", actor="somebody", action="openid refused", subject=waiting["provider"], at=now)
        raise


def _ask(services: Services, provider: Provider, waiting: Mapping[str, str], answer: Mapping[str, str]) -> Person:
    """Change the code for tokens, check them, and read who it is."""
    with _client(services, provider) as client:
        found = _discover(client, provider)
        said = answer.get("iss") if found.get("authorization_response_iss_parameter_supported") else provider.issuer
        given = answer.get("code", "")
        if said != provider.issuer or not given:
            raise NotAllowed(REFUSED, code="openid-refused")
        try:
            token = client.fetch_token(found["token_endpoint"], code=given, code_verifier=waiting["verifier"])
        except RequestException:
            raise Unavailable(hint=f"{provider.name}: no answer from the token endpoint") from None
        except Exception:
            raise NotAllowed(REFUSED, code="openid-refused") from None
        keys = _get(client, found["jwks_uri"])
        claims = _check_token(services, provider, token, keys, waiting["nonce"])
        info = _get(client, found["userinfo_endpoint"]) if "userinfo_endpoint" in found else {"sub": claims["sub"]}
    if info.get("sub") != claims["sub"]:
        raise NotAllowed(REFUSED, code="openid-refused")
    return read_person(provider, claims, info)


def _check_token(
    services: Services, provider: Provider, token: Mapping[str, Any], keys: Mapping[str, Any], nonce: str
) -> dict[str, Any]:
    """The claims of the ID token: signed by the provider, for us, in answer to what this session asked, and not over."""
    from authlib.oidc.core import CodeIDToken

    options: dict[str, Any] = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "exp": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    params = {"nonce": nonce, "client_id": provider.client_id, "access_token": token.get("access_token")}
    try:
        decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(services.clock().timestamp()), leeway=_LEEWAY)
    except Exception:  # the words of a stranger through readers of JSON, base64 and DER: whatever these raise is a no
        raise NotAllowed(REFUSED, code="openid-refused") from None
    return dict(claims)


def _let_in(services: Services, provider: Provider, person: Person) -> str:
    """A session of the member that this person is: known by issuer and subject, or now by the e-mail address of an invitation."""
    now = services.clock()
    with services.database.write() as db:
        member = openid.find_member(db, provider.issuer, person.subject)
        if member is None:
            member = members.find_member(db, person.email) if person.email else None
            if member is None and provider.kind == "cis2":
                email = person.email or f"{person.subject}@{provider.name}.invalid"
                proofs = {"password_hash": "", "code_secret": random_base32()}  # what nobody can give
                member = members.renew_member(db, new_id(), email=email, name=person.name, now=now, **proofs)
            if member is None:
                raise NotAllowed(UNKNOWN, code="openid-unknown")
            openid.insert_identity(db, provider.issuer, person.subject, member.id)
        practice = None
        if person.ods:
            try:
                practice = practices.find_practice(db, person.ods)
            except NotFound:
                raise NotAllowed("The practice of your role does not use this service.", code="openid-unknown") from None
            if practice.id not in {place.id for place, _ in members.list_memberships(db, member.id)}:
                facts = {"role": person.role}
                audit.append(db, practice.id, actor=member.id, action="member joined", subject=member.id, at=now, **facts)
            members.add_to_practice(db, member.id, practice.id, person.role)
        started = start_staff_session(db, member, now, how=provider.name, practice_id=practice.id if practice else None)
        if started is None:
            raise NotAllowed(UNKNOWN, code="openid-unknown")
        return started


def _client(services: Services, provider: Provider) -> "OAuth2Session":
    """A client that follows no redirect and reads no proxy from the environment."""
    from authlib.integrations.requests_client import OAuth2Session

    try:
        secret = provider.secret_file.read_text("utf-8").strip()
    except OSError as error:
        raise Unavailable(hint=f"{provider.secret_file}: {error.strerror}") from None
    client = OAuth2Session(
        provider.client_id,
        secret,
        scope=provider.scope,
        redirect_uri=f"{services.settings.origin}/staff/sign-in/openid",
        code_challenge_method="S256",
        default_timeout=_TIMEOUT,
    )
    client.max_redirects, client.trust_env = 0, False
    return client


def _discover(client: "OAuth2Session", provider: Provider) -> dict[str, Any]:
    """The provider's own description of itself; Unavailable when it speaks of another issuer or of an address that is refused."""
    found = _get(client, f"{provider.issuer}/.well-known/openid-configuration", with_token=False)
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != provider.issuer or not all(isinstance(found.get(name), str) for name in wanted):
        raise Unavailable(hint=f"{provider.name}: the discovery document is not of {provider.issuer}")
    for name in (*wanted[1:], *(["userinfo_endpoint"] if "userinfo_endpoint" in found else [])):
        check_address(found[name])
    return found


def _get(client: "OAuth2Session", url: str, *, with_token: bool = True) -> dict[str, Any]:
    check_address(url)
    try:
        response: Response = client.get(url, withhold_token=not with_token, stream=True)
        body = response.raw.read(_MOST + 1, decode_content=True)
        found = json.loads(body) if response.status_code == 200 and len(body) <= _MOST else None
    except (RequestException, ValueError, OSError):
        found = None
    if not isinstance(found, dict):
        raise Unavailable(hint=f"no usable answer from {url}")
    return found
