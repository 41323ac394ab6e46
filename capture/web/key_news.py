"""What every staff page says about the keys while something is to be known or done (SECURITY 34, 35)."""

from typing import Any

from flask import Blueprint, g, render_template

from capture.actions.prove_keys import DRILL_EVERY, drill_due
from capture.store import key_changes, recipients
from capture.web import services

Answer = tuple[str, int]


def init_key_news(blueprint: Blueprint) -> None:
    """Let every template ask for it."""
    blueprint.app_context_processor(lambda: {"key_news": key_news})


def key_news() -> dict[str, Any]:
    """`live`, `was_live`, `edited`, `waiting` (the id of a change), `news` (when there was any), `drill_due`.

    Nothing where nobody is.
    """
    if "member" not in g or "practice" not in g:
        return {}
    if "key_news" not in g:
        with services().database.read() as db:
            waiting = key_changes.waiting_change(db, g.practice.id)
            live = recipients.is_live(db, g.practice.id)
            g.key_news = {
                "live": live,
                "was_live": live or recipients.was_live(db, g.practice.id),
                "edited": not live and recipients.is_edited(db, g.practice.id),
                "waiting": waiting.id if waiting and waiting.proposed_by != g.member.id else "",
                "news": key_changes.news_at(db, g.practice.id, g.member.id),
                "drill_days": DRILL_EVERY.days,
                "drill_due": drill_due(db, g.practice.id, services().clock()),
            }
    news: dict[str, Any] = g.key_news
    return news


def check_live() -> Answer | None:
    """Before the pages that ask: a practice without proven keys sees what is to be done instead (SECURITY 34)."""
    with services().database.read() as db:
        if recipients.is_live(db, g.practice.id):
            return None
        facts = {"was_live": recipients.was_live(db, g.practice.id), "edited": recipients.is_edited(db, g.practice.id)}
    return render_template("staff/keys_missing.jinja", **facts, status=503), 503
