"""The practice, for its managers: what patients see of it, what it asks for, when it is told. Its other pages hang below."""

from typing import Any

from babel import Locale
from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from capture.actions import allow_intimate, set_practice
from capture.domain import policies
from capture.domain.hours import DAYS, Hours, Period
from capture.domain.practices import MAX_EMAIL, MAX_LOGO, MAX_NAME, MAX_PHONE, Choices, read_day
from capture.errors import NotAllowed
from capture.web import audit, dashboard, deliveries, services
from capture.web.forms import Errors, text_of
from capture.web.languages import describe
from capture.web.sign_in import check_fresh, load_member

blueprint = Blueprint("practice", __name__, url_prefix="/staff/practice")
blueprint.before_request(load_member)
blueprint.register_blueprint(dashboard.blueprint)
blueprint.register_blueprint(audit.blueprint)
blueprint.register_blueprint(deliveries.blueprint)
Answer = BaseResponse | str | tuple[str, int]
SHOWN_AT = {"opening_hours": "opens_0", "protocols": "protocol", "languages": "language"}
"""The field at which a problem is shown, where it has another name than the problem."""
_NUMBERS = ("wait_hours", "remind_days", "keep_attached_days", "keep_collected_days")


@blueprint.before_request
def check_role() -> None:
    """Managers only, on every page here."""
    policies.check_may_manage(g.role)


@blueprint.get("/settings")
def show_settings() -> Answer:
    """What the practice has chosen."""
    return _page({}, _values(set_practice.choices_of(g.practice)))


@blueprint.post("/settings")
def save_settings() -> Answer:
    """Choose anew; everything on the form counts."""
    errors: Errors = {}
    choices = _read(errors)
    for name, sentence in set_practice.problems_of(services(), choices).items():
        if not (name == "opening_hours" and any(field.startswith("opens_") for field in errors)):
            errors.setdefault(SHOWN_AT.get(name, name), sentence)
    if errors:
        return _page(errors, _values(choices) | _typed()), 422
    set_practice.set_practice(services(), g.practice.id, choices, actor=g.member.id)
    return redirect(url_for(".show_settings", saved=1), 303)


@blueprint.post("/intimate")
def switch_intimate() -> Answer:
    """Allow photos of intimate places of adults, or stop it."""
    check_fresh()
    allowed = text_of(request.form, "allowed", 3)
    if allowed not in {"yes", "no"}:
        raise NotAllowed("Choose whether your practice asks for these photos, then save again.")
    allow_intimate.allow_intimate(services(), g.practice.ods, allowed == "yes", actor=g.member.id)
    return redirect(url_for(".show_settings", saved=1), 303)


def _read(errors: Errors) -> Choices:
    """The form as choices; what cannot be read is a sentence in `errors`, and stands for nothing in them."""
    form = request.form
    asked_for = form.getlist("protocol")
    languages = tuple(code for code in services().settings.languages if code in form.getlist("language"))
    if not languages:
        errors["language"] = "Choose at least one language"
    return Choices(
        name=text_of(form, "name", MAX_NAME + 1),
        phone=text_of(form, "phone", MAX_PHONE + 1),
        logo_text=text_of(form, "logo_text", MAX_LOGO + 1),
        opening_hours=Hours(tuple(_read_day(number, errors) for number in range(len(DAYS)))),
        preset=text_of(form, "preset", 40),
        protocols_off=tuple(name for name in services().catalogue.protocols if name not in asked_for),
        languages=() if languages == services().settings.languages else languages,
        wait_hours=_read_number("wait_hours"),
        remind_days=_read_number("remind_days"),
        keep_attached_days=_read_number("keep_attached_days"),
        keep_collected_days=_read_number("keep_collected_days"),
        notice_email=text_of(form, "notice_email", MAX_EMAIL + 1),
        notice_arrived="notice_arrived" in form,
    )


def _read_day(number: int, errors: Errors) -> Period | None:
    try:
        return read_day(*(text_of(request.form, f"{end}_{number}", 8) for end in ("opens", "closes")))
    except NotAllowed as error:
        errors[f"opens_{number}"] = f"{DAYS[number]}: {error.sentence}"
        return None


def _read_number(name: str) -> int:
    """A whole number; -1, which is never right, for anything else."""
    text = text_of(request.form, name, 6)
    return int(text) if text.isascii() and text.isdigit() else -1


def _values(choices: Choices) -> dict[str, Any]:
    """What the form shows of choices."""
    days = {
        f"{end}_{number}": f"{period[place]:%H:%M}" if period else ""
        for number, period in enumerate(choices.opening_hours.days)
        for place, end in enumerate(("opens", "closes"))
    }
    return {**vars(choices), **days}


def _typed() -> dict[str, str]:
    """What was typed where it may be wrong, to be put right."""
    names = {*_NUMBERS, *(f"{end}_{number}" for end in ("opens", "closes") for number in range(len(DAYS)))}
    return {name: text_of(request.form, name, 8) for name in names}


def _page(errors: Errors, values: dict[str, Any]) -> str:
    catalogue, languages = services().catalogue, services().settings.languages
    return render_template(
        "staff/practice.jinja",
        errors=errors,
        values=values,
        saved="saved" in request.args and not errors,
        fresh=g.fresh,
        channels=set(services().messengers),
        days=DAYS,
        presets=list(services().presets.values()),
        protocols=list(catalogue.protocols.values()),
        languages=[{**describe(Locale.parse(code)), "english": Locale.parse(code).english_name} for code in languages],
        intimate=g.practice.intimate_allowed,
    )
