"""Save, replace or delete a practice's template of a request."""

from dataclasses import dataclass

from capture.errors import TooMany
from capture.services import Services
from capture.store import audit
from capture.store.request_templates import find_template, list_templates, put_template

MOST = 50


@dataclass(frozen=True)
class TemplateDraft:
    """What a manager fills in; `days` is how long the link works."""

    name: str
    site: str
    side: str
    protocol: str
    message: str
    days: int


def save_template(services: Services, practice_id: str, draft: TemplateDraft, *, actor: str) -> str:
    """Save it under its name, in the place of one that has the name already: its id. TooMany past 50."""
    now = services.clock()
    with services.database.write() as db:
        names = {template.name for template in list_templates(db, practice_id)}
        if draft.name not in names and len(names) >= MOST:
            raise TooMany(f"A practice can have {MOST} templates. Delete one first.")
        template = put_template(
            db,
            practice_id,
            name=draft.name,
            site=draft.site,
            side=draft.side,
            protocol=draft.protocol,
            message=draft.message,
            days=draft.days,
            now=now,
        )
        audit.append(db, practice_id, actor=actor, action="template saved", subject=template.id, at=now)
        return template.id


def delete_template(services: Services, practice_id: str, template_id: str, *, actor: str) -> None:
    """Delete it; NotFound when it is another practice's."""
    with services.database.write() as db:
        db.delete(find_template(db, practice_id, template_id))
        audit.append(db, practice_id, actor=actor, action="template deleted", subject=template_id, at=services.clock())
