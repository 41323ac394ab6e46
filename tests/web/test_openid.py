"""SECURITY 27 and 43: signing in with another service's account, against a real provider (oidc-provider on Node)."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from capture.actions import openid
from capture.app import create_app
from capture.check import find_problems
from capture.domain.openid import Provider, load_providers, read_person
from capture.errors import NotAllowed, SettingsError, Unavailable
from capture.outbound import check_address
from capture.services import Services
from capture.store.members import find_member, list_memberships
from capture.store.models import AuditEvent
from tests import needs
from tests.builders import AMember, APractice
from tests.conftest import Clock
from tests.ports import free_port
from tests.web.html import Page, Visitor

HERE, BACK = Path(__file__).parent, "https://photos.example.org/staff/sign-in/openid"
ROLE = {"person_roleid": "5551", "org_code": "", "role_code": "S8000:G8000:R8000"}


@dataclass(frozen=True)
class Running:
    """The provider: its issuer, and the file that says whom it signs in."""

    issuer: str
    file: Path

    def says(self, **facts: Any) -> None:
        self.file.write_text(json.dumps(facts))


@contextmanager
def running(folder: Path, back: str) -> Iterator[Running]:
    """The provider on a free port, until the end of the block; it sends people to `back`."""
    port = free_port()
    found = Running(f"http://127.0.0.1:{port}", folder / "says.json")
    found.says(account={"sub": "none"})
    command = [*needs.node(), str(HERE / "openid_provider.js"), str(port), str(found.file), back]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert any("ready" in line for line in process.stdout)
        try:
            yield found
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("provider"), BACK) as found:
        yield found


def write_providers(folder: Path, issuer: str) -> Path:
    """A file that has the provider as NHS CIS2 and as a plain one."""
    (folder / "secret").write_text("a secret of the tests\n")
    head = f'issuer = "{issuer}"\nclient_id = "capture"\nsecret_file = "secret"\n'
    text = f'[providers.cis2]\ntitle = "NHS CIS2"\nkind = "cis2"\n{head}roles = {{ R8000 = "manager" }}\n'
    text += f'[providers.mail]\ntitle = "NHSmail"\nkind = "oidc"\nacr_values = "AAL3"\naccepted_acr = ["AAL3"]\n{head}'
    (folder / "openid.toml").write_text(text)
    return folder / "openid.toml"


@pytest.fixture
def joined(services: Services, provider: Running, clock: Clock, tmp_path: Path) -> Services:
    """The services with that provider as NHS CIS2 and as a plain one; their clock goes as the provider's does."""
    clock.time = datetime.now(UTC)
    return replace(services, providers=load_providers(write_providers(tmp_path, provider.issuer)))


def person(email: str = "ada@nhs.example", ods: str = "", **more: Any) -> dict[str, Any]:
    account = {"sub": f"sub-{email}", "name": "Dr Ada Byron", "email": email, "email_verified": True, **more}
    if ods:
        account |= {"selected_roleid": "5551", "nhsid_nrbac_roles": [{"person_roleid": "1"}, {**ROLE, "org_code": ods}]}
    return account


def go(visitor: Visitor, name: str) -> dict[str, str]:
    """To the provider and through it, as a browser goes; gives what comes back in the address."""
    page = visitor.open("POST", f"/staff/sign-in/openid/{name}", data={"csrf_token": visitor.csrf("/staff/sign-in")})
    assert page.status == 200
    url = page.headers["Refresh"].removeprefix("0; url=")
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    with requests.Session() as browser:
        for _ in range(6):
            url = requests.compat.urljoin(url, browser.get(url, allow_redirects=False).headers["Location"])
            if url.startswith(BACK):
                return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    raise AssertionError(url)


def come_back(visitor: Visitor, answer: dict[str, str]) -> Page:
    return visitor.open("GET", "/staff/sign-in/openid", query_string=answer)


def test_signing_in_with_cis2(joined: Services, provider: Running, practice: APractice) -> None:
    """SECURITY 27: the practice and the role are those of the role that was selected."""
    provider.says(account=person(ods=practice.ods), acr="AAL3")
    visitor = Visitor(create_app(joined))
    page = come_back(visitor, go(visitor, "cis2"))
    assert visitor.follow(page).heading == "Inbox"
    assert visitor.cookie("openid") is None
    assert visitor.get("/staff/members").status == 200
    with joined.database.read() as db:
        member = find_member(db, "ada@nhs.example")
        assert member
        assert [(place.ods, role) for place, role in list_memberships(db, member.id)] == [(practice.ods, "manager")]
        assert json.loads(db.query(AuditEvent).filter_by(action="signed in").one().facts) == {"how": "cis2"}
    come_back(visitor, go(visitor, "cis2"))
    with joined.database.read() as db:
        assert json.loads(db.query(AuditEvent).filter_by(action="member joined").one().facts) == {"role": "manager"}


def test_a_member_is_known_by_subject(joined: Services, provider: Running, member: AMember) -> None:
    """SECURITY 27: an invited member is found by e-mail address once, and from then on by issuer and subject alone."""
    app = create_app(joined)
    account = person(member.email)
    provider.says(account=account, acr="AAL3")
    for email in (member.email, "other@nhs.example"):
        provider.says(account={**account, "email": email}, acr="AAL3")
        visitor = Visitor(app)
        assert visitor.follow(come_back(visitor, go(visitor, "mail"))).heading == "Inbox"
    provider.says(account={**person(member.email), "sub": "somebody-else", "email_verified": False}, acr="AAL3")
    visitor = Visitor(app)
    assert "Nobody here has this account" in come_back(visitor, go(visitor, "mail")).text


ALTERED: dict[str, dict[str, Any]] = {
    "nonce": {"token": {"nonce": "another"}},
    "aud": {"token": {"aud": "another"}},
    "aud besides ours": {"token": {"aud": ["capture", "another"]}},
    "iss": {"token": {"iss": "https://evil.example"}},
    "acr": {"token": {"acr": "AAL1"}},
    "no acr": {"token": {"acr": None}},
    "level": {"token": {"authentication_assurance_level": "1"}},
    "expired": {"token": {"exp": 1_700_000_000}},
    "subject": {"info": {"sub": "another"}},
    "signature": {"forge": True},
    "weaker sign-in": {"acr": "AAL1"},
}


@pytest.mark.parametrize("altered", ALTERED.values(), ids=ALTERED)
def test_altered_tokens_are_refused(joined: Services, provider: Running, practice: APractice, altered: dict[str, Any]) -> None:
    """SECURITY 27: each altered answer is refused with a sentence, signs nobody in, and is on record."""
    provider.says(**{"account": person(ods=practice.ods), "acr": "AAL3", **altered})
    visitor = Visitor(create_app(joined))
    page = come_back(visitor, go(visitor, "cis2"))
    assert (page.status, list(page.errors)) == (422, ["openid"])
    assert visitor.get("/staff/").status == 303
    with joined.database.read() as db:
        assert db.query(AuditEvent).filter_by(action="openid refused").count() == 1
        assert find_member(db, "ada@nhs.example") is None


@pytest.mark.parametrize("what", ["state", "iss", "code", "no state", "no iss", "no code"])
def test_altered_addresses_are_refused(joined: Services, provider: Running, practice: APractice, what: str) -> None:
    """SECURITY 27: what comes back in the address is whole and ours, or nobody is signed in; and it counts once."""
    provider.says(account=person(ods=practice.ods), acr="AAL3")
    visitor = Visitor(create_app(joined))
    answer = go(visitor, "cis2")
    missing, _, name = what.rpartition(" ")
    altered = {key: value for key, value in answer.items() if key != name} | ({} if missing else {name: "another"})
    assert come_back(visitor, altered).status == 422
    assert come_back(visitor, answer).status == 422


def test_an_answer_of_another_browser(joined: Services, provider: Running, practice: APractice, clock: Clock) -> None:
    """SECURITY 27: an answer signs in only the browser that set out, within ten minutes, and once."""
    app = create_app(joined)
    provider.says(account=person(ods=practice.ods), acr="AAL3")
    ours, theirs = Visitor(app), Visitor(app)
    answer = go(ours, "cis2")
    assert come_back(theirs, answer).status == 422
    kept = ours.cookie("openid") or ""
    assert come_back(ours, answer).status == 303
    theirs.set_cookie("openid", kept)
    assert come_back(theirs, answer).status == 422
    late = Visitor(app)
    answer = go(late, "cis2")
    clock.forward(minutes=10)
    assert come_back(late, answer).status == 422


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (person(), "names no role"),
        (person(ods="X99999"), "does not use this service"),
        (
            person(ods="A", selected_roleid="5551") | {"nhsid_nrbac_roles": [{**ROLE, "role_code": "R1"}]},
            "may not use this service",
        ),
    ],
)
def test_people_without_a_place_here(joined: Services, provider: Running, account: dict[str, Any], sentence: str) -> None:
    """No role, a role that may not, or a practice that is not here: the sentence says which."""
    provider.says(account=account, acr="AAL3")
    visitor = Visitor(create_app(joined))
    assert sentence in come_back(visitor, go(visitor, "cis2")).text
    assert visitor.get("/staff/").status == 303


def test_a_provider_that_is_not_there(joined: Services, provider: Running) -> None:
    """A provider that is unknown is a 404; one that does not answer, or answers as another, or moved, a kind 503."""
    visitor = Visitor(create_app(joined))
    token = visitor.csrf("/staff/sign-in")
    assert visitor.open("POST", "/staff/sign-in/openid/nobody", data={"csrf_token": token}).status == 404
    for issuer in ("http://127.0.0.1:9", f"{provider.issuer}/moved", "https://169.254.169.254", "http://192.0.2.1"):
        one = replace(joined.providers["cis2"], issuer=issuer)
        app = create_app(replace(joined, providers={"cis2": one}))
        other = Visitor(app)
        data = {"csrf_token": other.csrf("/staff/sign-in")}
        assert other.open("POST", "/staff/sign-in/openid/cis2", data=data).status == 503


REFUSED_ADDRESSES = [
    "http://example.com.invalid",
    "https://169.254.169.254/x",
    "https://[fe80::1]/x",
    "https://[::ffff:169.254.169.254]/x",
]


@pytest.mark.parametrize(
    "url", [*REFUSED_ADDRESSES, "https://100.100.100.200", "https://0.0.0.0", "http://192.0.2.1", "ftp://127.0.0.1"]
)
def test_refused_addresses(url: str) -> None:
    """SECURITY 43: a machine's metadata, plain http to elsewhere and other schemes are refused before anything is sent."""
    with pytest.raises(Unavailable):
        check_address(url)


def test_redirects_are_not_followed(joined: Services, provider: Running) -> None:
    """SECURITY 43: a provider that answers with a redirect is no answer at all."""
    with openid._client(joined, joined.providers["mail"]) as client, pytest.raises(Unavailable):
        openid._get(client, f"{provider.issuer}/moved", with_token=False)


def test_the_file_is_checked_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem of the providers' file is told at the start: what is missing, unknown, or would let one factor do."""
    (tmp_path / "bad.toml").write_text(
        '[providers.x]\nkind = "saml"\ntypo = 1\n[providers.y]\nkind = "cis2"\nissuer = "https://y"\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_providers(tmp_path / "bad.toml")
    told = "\n".join(caught.value.problems)
    for words in (
        "x: title is not set",
        "x: kind must be",
        "x: 'typo' is not",
        "x: accepted_acr or required_amr",
        "y: roles must say",
    ):
        assert words in told
    with pytest.raises(SettingsError, match="cannot be read"):
        load_providers(tmp_path / "none.toml")
    monkeypatch.setenv("CAPTURE_OPENID", str(tmp_path / "bad.toml"))
    assert {finding.fact for finding in find_problems() if finding.subject == "openid"} == set(caught.value.problems)


def test_methods_can_show_the_second_factor(tmp_path: Path) -> None:
    """SECURITY 27: where a provider names methods (amr) instead of levels, all that are required must be there."""
    entra = Provider("entra", "Entra", "oidc", "https://e", "c", tmp_path, "", (), ("mfa",), "openid", {})
    assert read_person(entra, {"sub": "1", "amr": ["pwd", "mfa"]}, {}).subject == "1"
    with pytest.raises(NotAllowed, match="strongly enough"):
        read_person(entra, {"sub": "1", "amr": ["pwd"]}, {})
