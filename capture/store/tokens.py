"""The tokens with which other systems speak for a practice (the API). Of a token only a hash is kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from capture.domain.tokens import token_hash
from capture.errors import NotFound
from capture.store.models import Base, new_id

_TOUCH_EVERY = timedelta(minutes=1)


class Token(Base):
    """One token: for which system, what it may do, how long."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    practice_id: Mapped[str] = mapped_column(ForeignKey("practices.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    scopes: Mapped[str] = mapped_column(String(200))  # keys of domain.tokens.SCOPES, a space between two
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_by: Mapped[str] = mapped_column(String(80))  # a member's id, or "operator"
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def actor(self) -> str:
        """What the audit trail calls it."""
        return f"token:{self.id}"

    def may(self, scope: str) -> bool:
        """Whether it may do that, a key of domain.tokens.SCOPES."""
        return scope in self.scopes.split()

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything still."""
        return self.revoked_at is None and now < self.expires_at


def insert_token(
    db: Session, practice_id: str, token: str, *, name: str, scopes: str, made_by: str, now: datetime, lifetime: timedelta
) -> Token:
    """Keep the hash of a new token."""
    made = Token(practice_id=practice_id, name=name, scopes=scopes, token_hash=token_hash(token), made_by=made_by)
    made.id, made.created_at, made.expires_at = new_id(), now, now + lifetime
    db.add(made)
    db.flush()
    return made


def find_live(db: Session, token: str, now: datetime) -> Token | None:
    """The row of a token that works now."""
    found = db.scalars(select(Token).where(Token.token_hash == token_hash(token))).first()
    return found if found and found.is_live(now) else None


def list_tokens(db: Session, practice_id: str) -> list[Token]:
    """All of a practice's tokens, those that are over too, the newest first."""
    query = select(Token).where(Token.practice_id == practice_id)
    return list(db.scalars(query.order_by(Token.created_at.desc(), Token.id)))


def count_live(db: Session, practice_id: str, now: datetime) -> int:
    """How many of a practice's tokens work now."""
    return sum(token.is_live(now) for token in list_tokens(db, practice_id))


def names_of(db: Session, ids: Iterable[str]) -> dict[str, str]:
    """The names of those of them that are tokens, by id or by what the audit trail calls them."""
    wanted = set(ids)
    rows = db.execute(select(Token.id, Token.name).where(Token.id.in_({one.removeprefix("token:") for one in wanted})))
    return {key: name for token_id, name in rows for key in (token_id, f"token:{token_id}") if key in wanted}


def revoke(db: Session, practice_id: str, token_id: str, now: datetime) -> bool:
    """End a token for good; False when it was ended before. NotFound: not of this practice (SECURITY 28)."""
    token = db.get(Token, token_id)
    if token is None or token.practice_id != practice_id:
        raise NotFound
    ended = update(Token).where(Token.id == token_id, Token.revoked_at.is_(None)).values(revoked_at=now)
    return db.execute(ended.returning(Token.id)).first() is not None


def needs_touch(token: Token, now: datetime) -> bool:
    """Whether it is time to note that the token is in use: once a minute, so that calls that read only read."""
    return token.used_at is None or not token.used_at <= now < token.used_at + _TOUCH_EVERY


def touch(db: Session, token: Token, now: datetime) -> None:
    """Note that the token is in use."""
    db.execute(update(Token).where(Token.id == token.id).values(used_at=now))
