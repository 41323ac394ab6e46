"""The photos of a request as the patient meets them: what there is, where each stands, what comes next.

`g` holds the request's `views`, when each that has `arrived` did, how many photos were `taken` in all, and the `answers`. What
waits on the phone, as the page's script says, counts as taken: the pages say the same whatever the signal.
"""

from typing import Any

from flask import g, request, url_for

from capture.domain.protocols import View, missing, wanted
from capture.errors import NotFound
from capture.web import services
from capture.web.languages import translate


def find(view_id: str) -> View:
    """A view that this request may take; NotFound for any other."""
    for view in g.views:
        if view.id == view_id:
            found: View = view
            return found
    raise NotFound


def done_views() -> set[str]:
    """The ids of the views that have a photo, here or still on the phone (the header X-Waiting names those)."""
    return set(g.arrived) | ({view.id for view in g.views} & set(request.headers.get("X-Waiting", "").split(",")))


def count() -> int:
    """How many photos there will be: those asked for and not skipped, and those added."""
    return len(wanted(g.views, done_views(), g.answers.skipped))


def tasks() -> dict[str, Any]:
    """For the list and for the check page. A task's `state` is arrived, waiting, missing or cannot."""
    done = done_views()
    shown = [view for view in g.views if view.id in done or not view.extra]
    rows = [{"view": view, "state": _state(view), "done": view.id in done, "url": _url(view)} for view in shown]
    left = _missing()
    return {
        "tasks": rows,
        "done_count": len(done),
        "total": count(),
        "can_send": bool(done),
        "next_url": _url(left[0]) if left else None,
        "more_url": _more_url(),
        "check_url": url_for("patient.check"),
        "follows": g.follows,
    }


def place() -> dict[str, str]:
    """Where on the body: the place in the language of the page, and its side (left, right or empty)."""
    return {"site": translate(services().catalogue.site(g.details.site).title), "side": g.details.side}


def place_of(view: View) -> dict[str, int]:
    """Which photo it is, of how many that were asked for; the number of one that is added is 0."""
    asked = [one.id for one in g.views if not one.extra]
    return {"number": 0 if view.extra else asked.index(view.id) + 1, "total": len(asked)}


def after(view: View) -> str:
    """The page of the next photo that is missing, those behind this one first; the check page when none is."""
    order = list(g.views)
    left = [order.index(one) for one in _missing() if one != view]
    ahead = [place for place in left if place > order.index(view)]
    return _url(order[(ahead or left)[0]]) if left else url_for("patient.check")


def for_script() -> list[dict[str, Any]]:
    """Every view for the page's script. It goes on to those that are asked for; the extra ones are there to be added.

    `arrived` is when, in milliseconds since 1970, and 0 for not yet.
    """
    asked = {view.id for view in wanted(g.views, g.arrived, g.answers.skipped)}
    return [
        {
            "id": view.id,
            "title": view.title,
            "url": _url(view),
            "arrived": round(g.arrived[view.id].timestamp() * 1000) if view.id in g.arrived else 0,
            "asked": view.id in asked,
            "extra": view.extra,
        }
        for view in g.views
    ]


def _missing() -> list[View]:
    return missing(g.views, done_views(), g.answers.skipped)


def _more_url() -> str | None:
    """Where to add a photo; None once there are as many as may be, those that are still asked for counted in."""
    free = [view for view in g.views if view.extra and view.id not in done_views()]
    return _url(free[0]) if free and services().settings.max_photos - g.taken > len(_missing()) else None


def _state(view: View) -> str:
    if view.id in g.arrived:
        return "arrived"
    if view.id in done_views():
        return "waiting"
    return "cannot" if view.id in g.answers.skipped else "missing"


def _url(view: View) -> str:
    return url_for("patient.photo", view_id=view.id)
