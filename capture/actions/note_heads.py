"""Note the ends of the audit chains outside the database, and look whether the chains still lead there (SECURITY 39)."""

from datetime import timedelta

from capture.services import Services
from capture.store import audit_heads

NOTE_EVERY = timedelta(hours=1)


def note_heads(services: Services) -> int:
    """Add a line to `audit_heads` for each chain that has grown; how many. Unavailable when the file cannot be written."""
    with services.database.read() as db:
        return audit_heads.note_heads(db, services.settings.heads_file, services.signing_key, services.clock())


def note_due_heads(services: Services) -> int:
    """The same if nothing was noted for an hour; whichever process comes first does it for all of them."""
    file = services.settings.heads_file
    age = abs(services.clock().timestamp() - file.stat().st_mtime) if file.exists() else NOTE_EVERY.total_seconds()
    return note_heads(services) if age >= NOTE_EVERY.total_seconds() else 0


def list_restores(services: Services) -> list[str]:
    """When the service was brought back from a backup, in sentences."""
    return audit_heads.list_restores(services.settings.heads_file, services.signing_key.verifying_key)


def find_breaks(services: Services) -> list[str]:
    """What is wrong with the audit trail of any practice, or with the file, in sentences."""
    with services.database.read() as db:
        return audit_heads.find_breaks(db, services.settings.heads_file, services.signing_key.verifying_key)
