"""A practice's manager sets how it works."""

from capture.domain.hours import parse_hours, to_text
from capture.domain.practices import Choices, find_problems
from capture.errors import NotAllowed
from capture.services import Services
from capture.store import audit
from capture.store.models import Practice


def choices_of(practice: Practice) -> Choices:
    """What the practice has chosen so far."""
    return Choices(
        name=practice.name,
        phone=practice.phone,
        logo_text=practice.logo_text,
        opening_hours=parse_hours(practice.opening_hours),
        preset=practice.preset,
        protocols_off=tuple(practice.protocols_off.split()),
        languages=tuple(practice.languages.split()),
        wait_hours=practice.wait_hours,
        remind_days=practice.remind_days,
        keep_attached_days=practice.keep_attached_days,
        keep_collected_days=practice.keep_collected_days,
        notice_email=practice.notice_email,
        notice_arrived=practice.notice_arrived,
    )


def problems_of(services: Services, choices: Choices) -> dict[str, str]:
    """What cannot be chosen here, by field."""
    known = {"presets": services.presets, "protocols": services.catalogue.protocols, "languages": services.settings.languages}
    return find_problems(choices, **known)


def set_practice(services: Services, practice_id: str, choices: Choices, *, actor: str) -> tuple[str, ...]:
    """Set it from now on; gives the names of the fields that are another than before, which is what the audit trail says.

    NotAllowed with the first problem there is. Of two managers at the same moment the later one counts; both are on record.
    """
    for problem in problems_of(services, choices).values():
        raise NotAllowed(f"{problem}.")
    with services.database.write() as db:
        practice = db.get_one(Practice, practice_id, with_for_update={"key_share": True})  # others may still point at it
        before = choices_of(practice)
        changed = tuple(name for name in vars(choices) if getattr(choices, name) != getattr(before, name))
        for name in changed:
            setattr(practice, name, _as_stored(choices, name))
        if changed:
            facts = {"fields": " ".join(changed)}
            audit.append(db, practice_id, actor=actor, action="practice set", subject=practice_id, at=services.clock(), **facts)
    return changed


def _as_stored(choices: Choices, name: str) -> object:
    value = getattr(choices, name)
    if name == "opening_hours":
        return to_text(value)
    return " ".join(value) if isinstance(value, tuple) else value
