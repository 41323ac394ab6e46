"""Rows of many practices as years of use leave them, copied into PostgreSQL: a day of England, or a small part of it.

A quarter of the practices keep attached photos for 30 days, the others for years, so that most of their requests still have theirs.
What is sealed is as long as need be, and opens in the first practice alone; bundles hold next to nothing, as PostgreSQL keeps what
is long beside the table. The first practice's audit chain holds.
"""

import random
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy.engine import make_url

from capture.domain.requests import State
from capture.sealing.keys import Identity
from capture.store.audit import event_hash
from capture.store.models import AuditEvent
from capture.store.requests import Details
from capture.store.vault import Vault

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
BATCH = 10_000
FIRST = "fff"
"""What the ids of the first practice's rows begin with."""
MEMBERS = 5
COLUMNS = {
    "practices": "id ods name phone recipients_mac created_at keep_attached_days",
    "members": "id email name password_hash code_secret_sealed code_step created_at",
    "memberships": "member_id practice_id role",
    "recipients": "id practice_id kind recipient fingerprint created_at proved_at used_from",
    "webhooks": "id practice_id url secret_sealed created_at",
    "requests": "id practice_id issued_by issue_key state receipt token_hash dob_hash guesses refusals details_sealed"
    " issued_at expires_at submitted_at changed_at",
    "photos": "id request_id view blob sealed_size sealed_sha256 facts_sealed arrived_at replaced",
    "bundles": "id practice_id request_id manifest signature request_part created_at collected_at",
    "deliveries": "id bundle_id practice_id number inbox state attempts fence due_at last_error delivered_at",
    "messages": "id practice_id request_id kind channel wanted_at provider_id settled_at state attempts fence due_at last_error",
    "sessions": "id_hash kind request_id created_at seen_at expires_at",
    "webhook_deliveries": "id webhook_id number kind body state attempts fence created_at due_at last_error settled_at",
    "audit": "practice_id number at actor action subject facts previous hash",
    "audit_heads": "practice_id number hash",
}
RECENT = (  # of a hundred requests whose link still lives
    *(State.SENT,) * 25,
    *(State.OPENED,) * 5,
    *(State.CONFIRMED,) * 2,
    *(State.SUBMITTED,) * 1,
    *(State.DELIVERED,) * 8,
    *(State.COLLECTED,) * 14,
    *(State.ATTACHED,) * 42,
    *(State.CANCELLED,) * 3,
)
_HIDDEN, _FACTS = "\\\\x" + "5e" * 260, "\\\\x" + "5e" * 32
SENT = {State.SUBMITTED, State.DELIVERED, State.COLLECTED, State.ATTACHED}
VIEWS = ("context", "close-up", "close-up-scale")


@dataclass(frozen=True)
class Crowd:
    """How many of what."""

    practices: int
    requests: int
    photos: int


class Ids:
    """Random hexadecimal digits, the same in each run."""

    def __init__(self) -> None:
        self._random, self._text, self._at = random.Random(1), "", 0

    def __call__(self, length: int = 32) -> str:
        if self._at + length > len(self._text):
            self._text, self._at = self._random.randbytes(1 << 20).hex(), 0
        self._at += length
        return self._text[self._at - length : self._at]


class England:
    """Makes the rows, each a line of COPY's text form, and copies them."""

    def __init__(self, crowd: Crowd, vault: Vault, copies: int) -> None:
        self.crowd, self.vault, self.new_id = crowd, vault, Ids()
        self.share = copies / crowd.practices  # of the requests are the first practice's
        self.random = random.Random(2)
        self.practices = [self.new_id() for _ in range(crowd.practices)]
        self.members = [self.new_id() for _ in range(crowd.practices)]
        self.webhooks = [self.new_id() for _ in range(crowd.practices)]
        self.numbers, self.issued = [0] * crowd.practices, [0] * crowd.practices
        self.hash = [""] * crowd.practices
        self.owed = 0.0
        self.lines: dict[str, list[str]] = {table: [] for table in COLUMNS}

    def load(self, connection: psycopg.Connection) -> None:
        """All of it, in one transaction."""
        self._add_practices()
        for first in range(0, self.crowd.requests, BATCH):
            for number in range(first, min(first + BATCH, self.crowd.requests)):
                self._add_request(number)
            self._copy(connection)
        for practice, number, end in zip(self.practices, self.numbers, self.hash, strict=True):
            self._add("audit_heads", practice, number, end or "0" * 64)
        self._copy(connection)

    def _id(self, practice: int, length: int = 32) -> str:
        made = self.new_id(length)
        return made.replace(FIRST, "eee", 1) if practice else FIRST + made[len(FIRST) :]

    def _add(self, table: str, *values: object) -> None:
        self.lines[table].append("\t".join(["\\N" if value is None else str(value) for value in values]))

    def _copy(self, connection: psycopg.Connection) -> None:
        for table, lines in self.lines.items():
            if lines:
                columns = ", ".join(COLUMNS[table].split())
                with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    copy.write("\n".join(lines) + "\n")
                lines.clear()

    def _add_practices(self) -> None:
        long_ago, key = NOW - 2 * YEAR, Identity.generate().recipient
        for number, practice in enumerate(self.practices):
            keep = 30 if number % 4 == 3 else 3_650
            self._add("practices", practice, f"A{number:05}", f"Surgery {number}", "0191 498 0123", "0" * 64, long_ago, keep)
            for one in range(MEMBERS):
                member = self.members[number] if one == 0 else self.new_id()
                email, name = f"member{one}@p{number}.example", f"Member {one} of {number}"
                self._add("members", member, email, name, "x" * 97, _hex(b"s" * 60), 0, long_ago)
                self._add("memberships", member, practice, "manager" if one == 0 else "reader")
            for kind in ("staff", "recovery"):
                self._add("recipients", self.new_id(), practice, kind, key, self.new_id(), long_ago, long_ago, long_ago)
            if number % 10 == 0:
                self._add("webhooks", self.webhooks[number], practice, f"https://{number}.example/", _hex(b"s" * 70), long_ago)

    def _add_request(self, number: int) -> None:
        chance = self.random.random()
        practice = 0 if chance < self.share else int(chance * self.crowd.practices)
        issued = NOW - YEAR * (1 - number / self.crowd.requests)
        age, keeps = NOW - issued, practice % 4 != 3
        state = self._state(number, age, keeps=keeps)
        request, self.issued[practice] = self._id(practice), self.issued[practice] + 1
        sent = state in SENT or (state is State.PURGED and number % 20 > 0)
        submitted = min(issued + DAY / 2, NOW) if sent else None
        changed = min(issued + DAY, NOW)
        self._add(
            "requests",
            request,
            self.practices[practice],
            self.members[practice],
            self.new_id(),
            state,
            f"{self.issued[practice]:07}",
            self.new_id(64),
            "" if state is State.PURGED else "x" * 97,
            0,
            0,
            self._details(practice, request),
            issued,
            issued + 7 * DAY,
            submitted,
            changed,
        )
        if submitted:
            self._add_sent(practice, request, state, submitted, changed)
        if age < 28 * DAY:
            times = (issued, issued, issued + 28 * DAY)
            self._add("sessions", self._id(practice, 64), "receipt" if sent else "patient", request, *times)
        if state is not State.PURGED:
            step = (issued, "", changed, "delivered", 1, 1, issued, "")
            self._add("messages", self._id(practice), self.practices[practice], request, "link", "sms", *step)
        for action in ("sent", "submitted", "collected") if sent else ("sent", "expired"):
            self._add_event(practice, request, f"request {action}", changed, recent=age < 30 * DAY)

    def _state(self, number: int, age: timedelta, *, keeps: bool) -> State:
        if age < 7 * DAY:
            return RECENT[number % 100] if number % 1_000 else State.LOCKED
        if age < 14 * DAY and number % 10 == 0:
            return State.EXPIRED
        if number % 1_000 == 1:
            return State.DELIVERED
        if number % 20 == 0 or not (keeps or age < 31 * DAY):
            return State.PURGED
        return State.COLLECTED if number % 50 == 2 and age < 90 * DAY else State.ATTACHED

    def _details(self, practice: int, request: str) -> str:
        if practice:
            return _HIDDEN
        details = Details(f"Patient {request[:6]}", request[6:10], "back-of-forearm", "left", "lesion", "Dr Sam Okafor")
        return _hex(self.vault.seal(asdict(details), f"requests.details/{request}"))

    def _add_sent(self, practice: int, request: str, state: State, submitted: datetime, changed: datetime) -> None:
        bundle, opened = self._id(practice), changed if state in {State.COLLECTED, State.ATTACHED, State.PURGED} else None
        self._add("bundles", bundle, self.practices[practice], request, _hex(b"{}"), _hex(b"s"), _hex(b"r"), submitted, opened)
        done = ("queued", 0, 0, submitted, "", None) if state is State.SUBMITTED else ("delivered", 1, 1, submitted, "", submitted)
        line = (self.practices[practice], self.numbers[practice] + 2)  # of the event that tells of the sending
        self._add("deliveries", self._id(practice), bundle, *line, "web", *done)
        if state is State.PURGED:
            return
        self.owed += self.crowd.photos / (0.7 * self.crowd.requests)
        for number in range(int(self.owed)):
            facts = (f"{request}/{self.new_id(16)}.age", 2_000_000, self.new_id(64), _FACTS, submitted)
            self._add("photos", self._id(practice), request, VIEWS[number % 3], *facts, "t" if number >= 3 else "f")
        self.owed %= 1

    def _add_event(self, practice: int, request: str, action: str, at: datetime, *, recent: bool) -> None:
        self.numbers[practice] += 1
        number, actor = self.numbers[practice], self.members[practice]
        fields = (self.practices[practice], number, at, actor, action, request, "{}")
        if practice:
            self._add("audit", *fields, self.new_id(64), self.new_id(64))
        else:
            event = AuditEvent(**dict(zip(COLUMNS["audit"].split(), (*fields, self.hash[0]), strict=False)))
            self.hash[0] = event_hash(event)
            self._add("audit", *fields, event.previous, self.hash[0])
        if recent and practice % 10 == 0:
            kind, step = action.replace(" ", "."), ("delivered", 1, 1, at, at, "", at)
            self._add("webhook_deliveries", self._id(practice), self.webhooks[practice], number, kind, "{}", *step)


def _hex(data: bytes) -> str:
    return "\\\\x" + data.hex()


def load(url: str, crowd: Crowd, vault: Vault, *, copies: int = 1) -> None:
    """Fill a migrated, empty database. With `copies` only one part in so many is made here, and copied that often under other ids,
    into tables without constraints and indexes, which are made at the end; the first practice has its share from the start."""
    address = make_url(url)
    where = f"host={address.query['host']} user={address.username} dbname={address.database}"
    part = replace(crowd, requests=crowd.requests // copies, photos=crowd.photos // copies)
    with psycopg.connect(where, autocommit=True) as connection:
        dropped = _drop(connection) if copies > 1 else []
        with connection.transaction():
            England(part, vault, copies).load(connection)
        if copies > 1:
            with psycopg.connect(where) as source:
                for table in COPIED:
                    _multiply(connection, source, table, copies)
        for statement in dropped:
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


COPIED = {
    "requests": "id issue_key token_hash receipt",
    "photos": "id request_id",
    "bundles": "id request_id",
    "deliveries": "id bundle_id number",
    "messages": "id request_id",
    "sessions": "id_hash request_id",
    "webhook_deliveries": "id number",
    "audit": "number subject",
}
"""What becomes another value in each copy of a table's rows."""


def _multiply(connection: psycopg.Connection, source: psycopg.Connection, table: str, copies: int) -> None:
    """Replace a table by that many copies of its rows; those of the first practice stay as they are, and alone."""
    columns, changed = COLUMNS[table].split(), COPIED[table].split()
    with connection.transaction():
        connection.execute(f"CREATE TABLE copied_{table} AS SELECT * FROM {table}")
    with connection.transaction():  # of a table that was emptied in the same transaction nothing goes into the log
        connection.execute(f"TRUNCATE {table} CASCADE")
        for number in range(copies):
            values = [_changed(column, number) if column in changed else column for column in columns]
            these = "" if number == 0 else f" WHERE {'subject' if table == 'audit' else columns[0]} NOT LIKE '{FIRST}%'"
            out = f"COPY (SELECT {', '.join(values)} FROM copied_{table}{these}) TO STDOUT (FORMAT BINARY)"
            into = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY, FREEZE)"
            with source.cursor().copy(out) as rows, connection.cursor().copy(into) as copy:
                for row in rows:
                    copy.write(row)
        source.rollback()
    connection.execute(f"DROP TABLE copied_{table}")


def _changed(column: str, copy: int) -> str:
    if column == "number":
        return f"number + {copy} * 10000"
    if column == "receipt":
        return f"lpad((receipt::int + {copy} * 1000)::text, 7, '0')::varchar"
    if column in {"issue_key", "token_hash"}:
        return f"overlay({column} placing '{copy:03x}' from 1)::varchar"
    return f"(CASE WHEN {column} LIKE '{FIRST}%' THEN {column} ELSE overlay({column} placing '{copy:03x}' from 1) END)::varchar"


def _drop(connection: psycopg.Connection) -> list[str]:
    """Drop what slows a load down; gives the statements that make it again. Rows that are there are not looked at anew."""
    constraints = connection.execute(
        "SELECT conrelid::regclass, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype IN ('f', 'p', 'u') AND ARRAY[conrelid::regclass::text, confrelid::regclass::text] && %(all)s::text[]"
        " ORDER BY array_position('{f,u,p}', contype::text)",
        {"all": list(COPIED)},
    ).fetchall()
    made: list[str] = []
    for table, name, kind, definition in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        made.insert(0, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}{' NOT VALID' if kind == 'f' else ''}")
    indexes = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)", [list(COPIED)]).fetchall()
    for name, definition in indexes:
        connection.execute(f"DROP INDEX {name}")
        made.insert(0, definition)
    return made
