"""The tables. Columns named `…_sealed` hold vault ciphertext; times are UTC; ids are 128 random bits in hex."""

import secrets
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from capture.store.outbox import Outgoing

EMPTY = text("''")
"""The default of a text column that older rows lack."""


def new_id() -> str:
    """128 random bits in hex."""
    return secrets.token_hex(16)


class UTCTime(TypeDecorator[datetime]):
    """A time with its zone, stored as UTC in every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a time without a zone is a mistake."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC; SQLite gives times without their zone."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCTime, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy reads it as it stands


class Practice(Base):
    """A GP practice."""

    __tablename__ = "practices"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    ods: Mapped[str] = mapped_column(String(9), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str] = mapped_column(String(40))
    intimate_allowed: Mapped[bool] = mapped_column(default=False, server_default=false())  # may adults be asked for these
    logo_text: Mapped[str] = mapped_column(String(60), default="", server_default=EMPTY)  # in the header, instead of the name
    opening_hours: Mapped[str] = mapped_column(String(500), default="", server_default=EMPTY)  # JSON, see domain/hours.py
    preset: Mapped[str] = mapped_column(String(40), default="ers-5mb", server_default="ers-5mb")  # of config/presets.toml
    protocols_off: Mapped[str] = mapped_column(String(400), default="", server_default=EMPTY)  # ids, a space between two
    languages: Mapped[str] = mapped_column(String(200), default="", server_default=EMPTY)  # codes; empty: all that the service has
    wait_hours: Mapped[int] = mapped_column(default=16, server_default="16")  # open hours until waiting photos are flagged
    remind_days: Mapped[int] = mapped_column(default=3, server_default="3")  # until a link nobody used is sent again; 0: never
    keep_attached_days: Mapped[int] = mapped_column(default=30, server_default="30")  # from "attached" until it is deleted
    keep_collected_days: Mapped[int] = mapped_column(default=90, server_default="90")  # from "collected" until it is deleted
    notice_email: Mapped[str] = mapped_column(String(254), default="", server_default=EMPTY)  # who is told that photos wait
    notice_arrived: Mapped[bool] = mapped_column(default=True, server_default=true())  # is that address told of new photos too
    recipients_mac: Mapped[str] = mapped_column(String(64))  # shows that this service wrote the recipients (SECURITY 35)
    created_at: Mapped[datetime]


class RecipientRow(Base):
    """A public key that a practice's photos are sealed to. The practice's `recipients_mac` covers every column."""

    __tablename__ = "recipients"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # staff | recovery
    recipient: Mapped[str] = mapped_column(String(2100))
    fingerprint: Mapped[str] = mapped_column(String(80))
    identity_file: Mapped[bytes | None]  # an age file under a passphrase; None for the recovery recipient
    created_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]  # when its identity first opened a test (SECURITY 34)
    used_from: Mapped[datetime | None]  # since when photos are sealed to it
    retired_at: Mapped[datetime | None]  # since when no longer


class Member(Base):
    """A person of a practice's staff."""

    __tablename__ = "members"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    code_secret_sealed: Mapped[bytes]
    code_step: Mapped[int]  # the last time step whose one-time code was used (RFC 6238)
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Membership(Base):
    """What a member may do in a practice."""

    __tablename__ = "memberships"
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), primary_key=True)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10))  # requester | reader | manager
    keys_seen_at: Mapped[datetime | None]  # when this member was last told of a change of keys


class SessionRow(Base):
    """A signed-in member, a confirmed patient, or one who has sent; only a hash of the cookie is kept."""

    __tablename__ = "sessions"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # see store/sessions.py
    member_id: Mapped[str | None] = mapped_column(ForeignKey("members.id"), index=True)
    practice_id: Mapped[str | None] = mapped_column(ForeignKey("practices.id"))
    request_id: Mapped[str | None] = mapped_column(ForeignKey("requests.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    pending_sealed: Mapped[bytes | None]  # what must come back, once: a passkey's challenge


_WAITS = text("wait_until IS NOT NULL")


class Request(Base):
    """What is asked of one patient, and the state it is in."""

    __tablename__ = "requests"
    __table_args__ = (
        UniqueConstraint("practice_id", "receipt"),
        UniqueConstraint("practice_id", "issue_key"),
        Index("ix_requests_practice_id_issued_at", "practice_id", "issued_at"),
        Index("ix_requests_practice_id_changed_at", "practice_id", "changed_at"),
        Index("ix_requests_practice_id_state_changed_at", "practice_id", "state", "changed_at"),
        Index("ix_requests_state_expires_at", "state", "expires_at"),
        Index("ix_requests_state_changed_at", "state", "changed_at"),
        Index("ix_requests_wait_until", "wait_until", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    issued_by: Mapped[str | None] = mapped_column(ForeignKey("members.id"))
    issue_key: Mapped[str] = mapped_column(String(64))  # the form's own id, so that sending it twice issues one link
    case_id: Mapped[str | None] = mapped_column(String(32), index=True)  # the first request about the same skin; None: this one
    views: Mapped[str] = mapped_column(String(400), default="", server_default=EMPTY)  # those asked for, by a space; empty: all
    flagged_at: Mapped[datetime | None]  # when staff were told that its photos wait
    state: Mapped[str] = mapped_column(String(10))
    receipt: Mapped[str] = mapped_column(String(7))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    dob_hash: Mapped[str] = mapped_column(String(200))
    guesses: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[int] = mapped_column(default=0)
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # of files taken and refused
    wait_until: Mapped[datetime | None]
    hand_over_hash: Mapped[str | None] = mapped_column(String(64), index=True, unique=True)  # of the one link to another phone
    hand_over_until: Mapped[datetime | None]
    details_sealed: Mapped[bytes]
    answers_sealed: Mapped[bytes | None]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    due_noted_at: Mapped[datetime | None] = mapped_column(index=True)  # when the worker first saw that it is to be deleted

    @property
    def case(self) -> str:
        """The id of the first request about the same skin: what the date of birth is hashed under in every request of the case."""
        return self.case_id or self.id


class Photo(Base):
    """One sealed photo. `blob` names its ciphertext in the blob store; sizes in bytes."""

    __tablename__ = "photos"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), index=True)
    view: Mapped[str] = mapped_column(String(40))
    blob: Mapped[str] = mapped_column(String(100))
    sealed_size: Mapped[int]
    sealed_sha256: Mapped[str] = mapped_column(String(64))
    facts_sealed: Mapped[bytes]
    arrived_at: Mapped[datetime]
    replaced: Mapped[bool] = mapped_column(default=False)


class Bundle(Base):
    """All that a patient sent: the signed manifest and the sealed request; the photos lie in the blob store."""

    __tablename__ = "bundles"
    __table_args__ = (Index("ix_bundles_practice_id_created_at", "practice_id", "created_at"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), unique=True)
    manifest: Mapped[bytes]
    signature: Mapped[bytes]
    request_part: Mapped[bytes]
    created_at: Mapped[datetime]
    collected_at: Mapped[datetime | None]


_QUEUED = text("state = 'queued'")


class Delivery(Base, Outgoing):
    """One bundle on its way to one inbox: queued, under way (taken by a way station), delivered, given up, or dropped.

    Those of one practice to one inbox go in the order of `number`, that of the audit event of the sending.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("bundle_id", "inbox"),
        Index("ix_deliveries_state_due_at", "state", "due_at"),
        Index("ix_deliveries_practice_id_state_number", "practice_id", "state", "number"),
        Index("ix_deliveries_queued", "practice_id", "inbox", "number", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.id"))
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"))
    inbox: Mapped[str] = mapped_column(String(40))
    number: Mapped[int] = mapped_column(default=0, server_default="0")
    reference: Mapped[str] = mapped_column(String(100), default="", server_default=EMPTY)  # what the inbox calls it
    told_at: Mapped[datetime | None]  # when staff were told that it does not arrive
    handed_at: Mapped[datetime | None]  # when a way station took it
    delivered_at: Mapped[datetime | None]


class DeliveryTry(Base):
    """A try of a delivery that failed; `error` is a code."""

    __tablename__ = "delivery_tries"
    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # the fence of its lease: which try it was, counted from 1 for ever
    at: Mapped[datetime]
    error: Mapped[str] = mapped_column(String(100))


class AuditEvent(Base):
    """One link of a practice's audit chain (an empty practice id is the service's own chain)."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_practice_id_subject", "practice_id", "subject"),
        Index("ix_audit_practice_id_action_at", "practice_id", "action", "at"),
    )
    practice_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    facts: Mapped[str] = mapped_column(String(500))  # JSON, never patient data
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of each chain; its row is what writers of one practice wait for each other on."""

    __tablename__ = "audit_heads"
    practice_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
