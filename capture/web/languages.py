"""Which language a page is in: the patient's own choice, else what the browser asks for, of those that are on.

Staff pages and the API are always in English. Sentences are written in English and looked up in templates and in `capture.web`,
nowhere else.
A choice is a link to the same page with `?lang=`: it sets a cookie, changes nothing here, and comes back without the query.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

from babel import Locale
from flask import Flask, current_app, g, redirect, request, url_for
from flask_babel import Babel, format_date, format_decimal, format_time, get_locale, gettext, ngettext
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from capture.domain.hours import describe as describe_hours
from capture.domain.hours import parse_hours, stretches
from capture.domain.protocols import View
from capture.errors import SettingsError
from capture.settings import SOURCE_LANGUAGE, TRANSLATIONS, Settings
from capture.web import services
from capture.web.security import cookie_name, set_cookie

COOKIE, PARAMETER = "language", "lang"
TIME_ZONE = "Europe/London"
_SOME_DAY = date(2026, 1, 1)


def init_languages(app: Flask, settings: Settings) -> None:
    """Install the choice, the catalogues, and dates and numbers as they are written in each language.

    Raises SettingsError when the catalogue of a language that is on was not compiled.
    """
    catalogues = {code: TRANSLATIONS / code / "LC_MESSAGES" / "messages.mo" for code in settings.languages}
    missing = [code for code, path in catalogues.items() if code != SOURCE_LANGUAGE and not path.is_file()]
    if missing:
        raise SettingsError([f"the translation {code} is not compiled" for code in missing], hint="make setup")
    Babel(
        app,
        default_locale=SOURCE_LANGUAGE,
        default_timezone=TIME_ZONE,
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=_choose,
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters.update(date=date_text, datetime=datetime_text, short_datetime=short_datetime_text)
    app.jinja_env.filters.update(filesize=size_text, opening_hours=hours_text)
    app.jinja_env.globals.update(_=sentence, plural_forms=plural_forms)
    app.before_request(_keep_choice)
    app.context_processor(lambda: {"language": describe(get_locale()), "other_languages": list(_others())})


def sentence(text: str, **values: object) -> str:
    """`text` in the language of the page, for templates: plain, so that it is escaped like any text, unless a value is markup.

    Jinja's own would call all of them markup, and the components of NHS.UK frontend show markup and text one after the other.
    """
    translated: str = gettext(text)
    return (Markup(translated) if any(isinstance(value, Markup) for value in values.values()) else translated) % values  # noqa: S704


def describe(locale: Locale) -> dict[str, str]:
    """What a page says of a language: its code, its name in its own words, and the values of `lang` and `dir`."""
    name = locale.get_display_name(locale) or str(locale)
    return {"code": str(locale), "name": name.capitalize(), "tag": str(locale).replace("_", "-"), "dir": locale.text_direction}


def plural_forms(singular: str, plural: str) -> dict[str, str]:
    """A sentence about `count` things in each plural form of the page's language, by CLDR's names, for script that counts."""
    form_of = get_locale().plural_form
    samples = {"other": 1_000_000, **{form_of(number): number for number in (1_000_000, *range(100, -1, -1))}}
    return {form: ngettext(singular, plural, number, count="%{count}") for form, number in samples.items()}


def translate(sentence: str) -> str:
    """A sentence that stands in a setting or a table, in the language of the page."""
    return gettext(sentence) if sentence else ""  # of the empty one gettext gives the head of its catalogue


def translate_view(view: View) -> View:
    """A view with its guidance in the language of the page."""
    words = {name: translate(getattr(view, name)) for name in ("title", "short", "distance", "light")}
    lists = {name: tuple(translate(sentence) for sentence in getattr(view, name)) for name in ("do", "dont")}
    return replace(view, **words, **lists)  # type: ignore[arg-type]


def date_text(value: datetime) -> str:
    """Such as `22 November 2026`, as clocks go in the UK."""
    text: str = format_date(value, "d MMMM y" if _is_english() else "long")
    return text


def short_datetime_text(value: datetime) -> str:
    """Such as `22 Nov 2026, 4:05pm`, for tables on staff pages, which are in English."""
    return f"{format_date(value, 'd MMM y')}, {format_time(value, 'h:mma').lower()}"


def datetime_text(value: datetime) -> str:
    """Such as `22 November 2026, 4:05pm`."""
    time = format_time(value, "h:mma").lower() if _is_english() else format_time(value, "short")
    return f"{date_text(value)}, {time}"


def size_text(size: int) -> str:
    """Such as `3.4 MB`."""
    return f"{format_decimal(size / 1_000_000, '0.0')} MB" if size >= 100_000 else f"{max(1, round(size / 1000))} kB"


def hours_text(stored: str) -> str:
    """The opening hours of a practice, such as `Monday to Friday, 8am to 6:30pm`; with dashes in other languages."""
    hours = parse_hours(stored)
    if _is_english():
        return describe_hours(hours)
    names = get_locale().days["stand-alone"]["wide"]
    parts = []
    for one in stretches(hours):
        days = [names[day] for day in dict.fromkeys((one.first, one.last))]
        times = [format_time(datetime.combine(_SOME_DAY, at), "short", rebase=False) for at in (one.opens, one.closes)]
        parts.append(", ".join((" – ".join(days), " – ".join(times))))
    return "; ".join(parts)


def _is_english() -> bool:
    return bool(get_locale().language == SOURCE_LANGUAGE)


def _choose() -> str:
    """The language of this answer: by `zh-CN` a browser means our `zh_Hans`; who asks for none that is on gets the first."""
    languages = _offered()
    if _for_staff():
        return SOURCE_LANGUAGE
    kept = request.cookies.get(cookie_name(services().settings, COOKIE))
    if kept in languages:
        return kept
    by_name = {code.partition("_")[0]: code for code in languages}
    asked = (tag.lower().replace("_", "-").partition("-")[0] for tag, quality in request.accept_languages if quality)
    return next((by_name[name] for name in asked if name in by_name), languages[0])


def _offered() -> tuple[str, ...]:
    """The languages that are on and that the practice offers, if it is known by now; all that are on if it has chosen none."""
    on = services().settings.languages
    chosen = g.practice.languages.split() if "practice" in g else ()
    return tuple(code for code in on if code in chosen) or on


def _for_staff() -> bool:
    return request.path.startswith(("/staff", "/api/"))


def _keep_choice() -> BaseResponse | None:
    wanted = request.args.get(PARAMETER)
    if request.method != "GET" or request.endpoint is None or _for_staff() or wanted not in services().settings.languages:
        return None
    response = redirect(url_for(request.endpoint, **request.view_args or {}), 303)
    set_cookie(response, services().settings, COOKIE, wanted)
    return response


def _others() -> Iterator[dict[str, str]]:
    """The languages to change to, on pages for patients that can be asked for again: some only answer a form."""
    adapter = current_app.create_url_adapter(request)
    if not _for_staff() and adapter and adapter.test(method="GET"):
        for code in _offered():
            if code != str(get_locale()):
                yield describe(Locale.parse(code))
