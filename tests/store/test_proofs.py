"""What members prove themselves with, and invitations, in both databases: SECURITY 3, 24 and 26."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import inspect, select

from capture.errors import Conflict, NotAllowed, NotFound
from capture.store import invitations, members, openid, passkeys, recovery_codes, sessions
from capture.store.database import Database
from capture.store.models import Member, Practice, SessionRow
from tests.store.conftest import NOW
from tests.store.test_people import add_member

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ada(database: Database) -> str:
    with database.write() as db:
        return add_member(db).id


def at_once(count: int, act: Callable[[], bool]) -> list[bool]:
    """What each of so many answers who do it at the same moment, sorted."""
    start, answers = threading.Barrier(count), []

    def run() -> None:
        start.wait()
        answers.append(act())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


def add_passkey(database: Database, member_id: str, credential: str = "c1", sign_count: int = 5) -> str:
    with database.write() as db:
        values = {"credential": credential, "public_key": b"k", "sign_count": sign_count, "name": "Laptop"}
        return passkeys.insert_passkey(db, member_id, now=NOW, **values).id  # type: ignore[arg-type]


def test_a_passkey_is_kept_for_one_member(database: Database, ada: str) -> None:
    """A passkey belongs to one member, is found by its id, and counts far beyond 32 bits; another's cannot be forgotten."""
    with database.write() as db:
        bob = add_member(db, "bob@practice.example").id
    first = add_passkey(database, ada, sign_count=1 << 40)
    with pytest.raises(Conflict), database.write() as db:
        passkeys.insert_passkey(db, bob, credential="c1", public_key=b"k", sign_count=0, name="x", now=NOW)
    second = add_passkey(database, ada, "c2")
    with database.write() as db:
        found = passkeys.find_passkey(db, "c1")
        assert found
        assert (found.id, found.member_id, found.sign_count, found.used_at) == (first, ada, 1 << 40, None)
        assert passkeys.find_passkey(db, "C1") is None
        assert [one.id for one in passkeys.list_passkeys(db, ada)] == sorted([first, second])
        for member_id, passkey_id in ((bob, first), (ada, "0" * 32)):
            with pytest.raises(NotFound):
                passkeys.delete_passkey(db, member_id, passkey_id)
        passkeys.delete_passkey(db, ada, first)
        passkeys.delete_passkeys(db, bob)
        assert [one.id for one in passkeys.list_passkeys(db, ada)] == [second]
        passkeys.delete_passkeys(db, ada)
        assert passkeys.list_passkeys(db, ada) == []


def test_an_answer_of_a_passkey_counts_once(database: Database, ada: str) -> None:
    """SECURITY 24: of four that come back with the same count at the same moment one is the device, the others may be copies."""
    add_passkey(database, ada)
    with database.read() as db:
        passkey = passkeys.find_passkey(db, "c1")
    assert passkey

    def use() -> bool:
        with database.write() as db:
            return passkeys.note_use(db, passkey, 6, LATER)

    assert at_once(4, use) == [False, False, False, True]
    with database.read() as db:
        used = passkeys.find_passkey(db, "c1")
        assert used
        assert (used.sign_count, used.used_at) == (6, LATER)


def test_recovery_codes_work_once(database: Database, ada: str) -> None:
    """SECURITY 24: each of the ten works once, however it is typed, even for four at once; new ones end the old; none is stored."""
    with database.write() as db:
        codes = recovery_codes.replace_codes(db, ada)
        stored = set(db.scalars(select(recovery_codes.RecoveryCode.code_mac)))
    assert len(set(codes)) == 10
    assert not stored & set(codes)

    def spend() -> bool:
        with database.write() as db:
            return recovery_codes.spend_code(db, ada, codes[0].upper().replace("-", " "))

    assert at_once(4, spend) == [False, False, False, True]
    with database.write() as db:
        assert recovery_codes.count_codes(db, ada) == 9
        assert not recovery_codes.spend_code(db, "0" * 32, codes[1])
        recovery_codes.replace_codes(db, ada)
        assert not recovery_codes.spend_code(db, ada, codes[1])
        recovery_codes.delete_codes(db, ada)
        assert recovery_codes.count_codes(db, ada) == 0


def test_an_account_elsewhere_is_bound_once(database: Database, ada: str) -> None:
    """An account at a provider is one member's, by issuer and subject; a removed member is not found by it."""
    with database.write() as db:
        openid.insert_identity(db, "https://id.example", "s1", ada)
    with pytest.raises(Conflict), database.write() as db:
        openid.insert_identity(db, "https://id.example", "s1", ada)
    with database.write() as db:
        found = openid.find_member(db, "https://id.example", "s1")
        assert found
        assert found.id == ada
        assert openid.find_member(db, "https://other.example", "s1") is None
        assert openid.find_member(db, "https://id.example", "S1") is None
        db.get_one(Member, ada).removed_at = NOW
        assert openid.find_member(db, "https://id.example", "s1") is None


def test_an_invitation_is_used_once(database: Database, practice: Practice, ada: str) -> None:
    """SECURITY 3: of its token a hash is kept; one of four who come at once is in; used, withdrawn or over it is not found."""

    def make(token: str) -> str:
        with database.write() as db:
            values = {"email": "new@practice.example", "role": "reader", "token": token, "invited_by": ada}
            return invitations.insert_invitation(db, practice.id, now=NOW, **values).id

    before, made = make("t1"), make("t2")
    with database.write() as db:
        assert invitations.find_invitation(db, "t1", NOW) is None  # the newer one ended it
        found = invitations.find_invitation(db, "t2", NOW)
        assert found
        assert found.token_hash != "t2"
        assert invitations.find_invitation(db, "t2", NOW + invitations.LIFETIME) is None
        assert [one.id for one in invitations.list_invitations(db, practice.id, NOW)] == [made]
        for practice_id, invitation_id in ((practice.id, before), ("0" * 32, made)):
            with pytest.raises(NotFound):
                invitations.delete_invitation(db, practice_id, invitation_id)

    def use() -> bool:
        with database.write() as db:
            return invitations.use_invitation(db, made, NOW) is not None

    assert at_once(4, use) == [False, False, False, True]
    with database.write() as db:
        assert invitations.list_invitations(db, practice.id, NOW) == []
        with pytest.raises(NotFound):
            invitations.delete_invitation(db, practice.id, made)
    third = make("t3")
    with database.write() as db:
        invitations.delete_invitation(db, practice.id, third)
        assert invitations.use_invitation(db, third, NOW) is None


def test_roles_are_changed_and_the_last_manager_stays(database: Database, practice: Practice, ada: str) -> None:
    """Two managers who take each other's role away at the same moment leave one; who is out is out, and a stranger is not found."""
    with database.write() as db:
        bob = add_member(db, "bob@practice.example").id
        for member_id in (ada, bob):
            members.add_to_practice(db, member_id, practice.id, "manager")
    others = iter((ada, bob))
    lock = threading.Lock()

    def demote() -> bool:
        with lock:
            who = next(others)
        try:
            with database.write() as db:
                members.change_role(db, practice.id, who, "reader")
        except NotAllowed:
            return False
        return True

    assert at_once(2, demote) == [False, True]
    with database.write() as db:
        roles = {member.id: role for member, role in members.list_members(db, practice.id)}
        assert sorted(roles.values()) == ["manager", "reader"]
        (reader,) = (member_id for member_id, role in roles.items() if role == "reader")
        with pytest.raises(Conflict):
            members.change_role(db, practice.id, reader, "king")
        assert members.change_role(db, practice.id, reader, None) == "reader"
        with pytest.raises(NotFound):
            members.change_role(db, practice.id, reader, "reader")


def test_proofs_are_replaced(database: Database, ada: str) -> None:
    """SECURITY 24: another password and another app take the place of the old; the code that set the app up is used up."""
    with database.write() as db:
        members.set_password(db, ada, "h2")
        members.set_code_secret(db, ada, "GEZDGNBVGY3TQOJQ", 7)
    with database.write() as db:
        member = db.get_one(Member, ada)
        assert (member.password_hash, members.code_secret(db, member)) == ("h2", "GEZDGNBVGY3TQOJQ")
        assert [members.spend_code_step(db, ada, step) for step in (6, 7, 8)] == [False, False, True]


def test_a_member_set_up_anew(database: Database, practice: Practice, ada: str) -> None:
    """Someone who belongs to no practice is set up anew under the same id; someone who belongs to one is not."""
    person = {"email": "ADA@practice.example", "name": "Ada L", "password_hash": "h3", "code_secret": "GEZDGNBVGY3TQOJQ"}
    with database.write() as db:
        assert members.renew_member(db, "0" * 32, now=LATER, **person).id == ada
        members.add_to_practice(db, ada, practice.id, "reader")
        with pytest.raises(Conflict):
            members.renew_member(db, "0" * 32, now=LATER, **person)
        other = {**person, "email": "new@practice.example"}
        assert members.renew_member(db, "0" * 32, now=LATER, **other).id == "0" * 32


def test_what_a_session_waits_for(database: Database, ada: str) -> None:
    """SECURITY 26: what must come back is sealed to the session, is given out once, even to four at once, and ends with it."""
    with database.write() as db:
        cookie = sessions.start_session(db, "staff", now=NOW, member_id=ada)
        stays = sessions.start_session(db, "staff", now=NOW, member_id=ada)
        sessions.add_pending(db, cookie, "app", "secret words")
        sessions.add_pending(db, cookie, "register", "challenge")
    with database.read() as db:
        (sealed,) = db.scalars(select(SessionRow.pending_sealed).where(SessionRow.pending_sealed.is_not(None)))
        assert sealed
        assert b"secret words" not in sealed
        assert sessions.pending(db, cookie, "app") == "secret words"
        assert sessions.pending(db, stays, "app") == ""

    def take() -> bool:
        with database.write() as db:
            return sessions.take_pending(db, cookie, "app") == "secret words"

    assert at_once(4, take) == [False, False, False, True]
    with database.write() as db:
        assert sessions.pending(db, cookie, "register") == "challenge"
        sessions.end_sessions_of_member(db, ada, but=stays)
    with database.read() as db:
        assert sessions.find_session(db, cookie, "staff", NOW) is None
        assert sessions.find_session(db, stays, "staff", NOW) is not None


def test_the_tables_are_those_of_the_code(database: Database) -> None:
    """The migrations make the tables that these tests are about, in both databases."""
    assert {"passkeys", "recovery_codes", "openid_identities", "invitations"} <= set(inspect(database.engine).get_table_names())
