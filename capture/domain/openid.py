"""OpenID Connect providers that staff may sign in with, and what their answers say about a person."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.errors import NotAllowed, SettingsError

KINDS = ("cis2", "oidc")
CIS2_SCOPE = "openid profile email nhsperson nationalrbacaccess associatedorgs selectedrole"
CIS2_ACR = "AAL2_OR_AAL3_ANY"
CIS2_ACCEPTED = (CIS2_ACR, "AAL2_ANY", "AAL3_ANY", "AAL2", "AAL3")
ROLES = ("requester", "reader", "manager")
TOO_WEAK = "You were not signed in strongly enough. Sign in with a smartcard, a security key or an app, then try again."
_HINT = "docs/sign-in.md shows a whole file"


@dataclass(frozen=True)
class Provider:
    """One provider. `accepted_acr` or `required_amr` says what shows that two factors were used; one of them is not empty."""

    name: str
    title: str
    kind: str
    issuer: str
    client_id: str
    secret_file: Path
    acr_values: str
    accepted_acr: tuple[str, ...]
    required_amr: tuple[str, ...]
    scope: str
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Person:
    """Who signed in: the provider's own name for the person, and for `cis2` the practice (ODS code) and the role there."""

    subject: str
    email: str
    name: str
    ods: str = ""
    role: str = ""


def load_providers(path: Path | None) -> dict[str, Provider]:
    """The providers of a file, by name; none without a file. SettingsError lists every problem."""
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("providers", {})
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path} cannot be read as TOML: {error}"], hint=_HINT) from None
    problems: list[str] = []
    providers = {name: _provider(name, facts, path.parent, problems) for name, facts in found.items()}
    if problems:
        raise SettingsError(problems, hint=_HINT)
    return providers


def read_person(provider: Provider, token: Mapping[str, Any], info: Mapping[str, Any]) -> Person:
    """From the checked ID token and the user info of the same subject. NotAllowed: too weak, no practice, no role."""
    level = token.get("authentication_assurance_level", 2)
    if provider.accepted_acr and token.get("acr") not in provider.accepted_acr:
        raise NotAllowed(TOO_WEAK, code="openid-assurance")
    if not set(provider.required_amr) <= set(token.get("amr") or ()) or not str(level).isdigit() or int(level) < 2:
        raise NotAllowed(TOO_WEAK, code="openid-assurance")
    known = {**token, **info}
    email = str(known.get("email") or "") if known.get("email_verified", True) is True else ""
    person = Person(str(token["sub"]), email.strip().casefold(), str(known.get("name") or email))
    return person if provider.kind == "oidc" else _with_role(provider, person, info)


def _with_role(provider: Provider, person: Person, info: Mapping[str, Any]) -> Person:
    """NHS CIS2: the practice and role are those of the role that the person selected."""
    chosen = info.get("selected_roleid")
    for group in info.get("nhsid_nrbac_roles") or ():
        if chosen and group.get("person_roleid") == chosen:
            code = str(group.get("role_code", "")).rpartition(":")[2]
            role = provider.roles.get(code)
            if role is None:
                raise NotAllowed("The role that you chose may not use this service. Choose another, or ask your manager.")
            return Person(person.subject, person.email, person.name, str(group.get("org_code", "")), role)
    raise NotAllowed("Your sign-in names no role. Choose a role at your practice, then try again.")


def _provider(name: str, facts: Any, folder: Path, problems: list[str]) -> Provider:
    facts = facts if isinstance(facts, dict) else {}
    texts = {key: facts.get(key, "") for key in ("title", "kind", "issuer", "client_id", "secret_file")}
    problems += [f"openid provider {name}: {key} is not set" for key, value in texts.items() if not value]
    is_cis2 = texts["kind"] == "cis2"
    if texts["kind"] not in KINDS:
        problems.append(f"openid provider {name}: kind must be one of {', '.join(KINDS)}")
    made = Provider(
        name=name,
        **{**texts, "issuer": texts["issuer"].rstrip("/"), "secret_file": folder / texts["secret_file"]},
        acr_values=facts.get("acr_values", CIS2_ACR if is_cis2 else ""),
        accepted_acr=tuple(facts.get("accepted_acr", CIS2_ACCEPTED if is_cis2 else ())),
        required_amr=tuple(facts.get("required_amr", ())),
        scope=facts.get("scope", CIS2_SCOPE if is_cis2 else "openid profile email"),
        roles=facts.get("roles", {}),
    )
    if not (made.accepted_acr or made.required_amr):
        problems.append(f"openid provider {name}: accepted_acr or required_amr must say what shows a second factor")
    if is_cis2 and (not made.roles or not set(made.roles.values()) <= set(ROLES)):
        problems.append(f"openid provider {name}: roles must say which role code is a {', '.join(ROLES)}")
    unknown = facts.keys() - {*texts, "acr_values", "accepted_acr", "required_amr", "scope", "roles"}
    problems += [f"openid provider {name}: {key!r} is not a setting" for key in sorted(unknown)]
    return made
