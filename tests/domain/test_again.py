"""What staff can do with a request: a new link, more time, one photo again; and what a search takes for the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from capture.domain import again
from capture.domain.following import GROUPS, STATES, matcher
from capture.domain.protocols import Site, View
from capture.domain.requests import DONE, WAITING, State
from capture.errors import Conflict, NotAllowed

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=7)
VIEWS = [View(name, name, "", "", "", "", (), (), "area") for name in ("context", "close-up")]
ARM, GROIN = Site("arm", "Arm", sides=True, snomed="1", intimate=False), Site("groin", "Groin", True, "2", intimate=True)


@pytest.mark.parametrize("state", State)
def test_what_each_state_allows(state: State) -> None:
    """Links that wait get a new one and more time, expired ones more time; photos are asked for again once some were sent."""
    longer = EXPIRES + timedelta(days=1)
    for may, can, check in (
        (state in WAITING, again.can_resend(state, NOW, EXPIRES), lambda: again.check_can_resend(state, NOW, EXPIRES)),
        (
            state in WAITING | {State.EXPIRED},
            again.can_extend(state, NOW, EXPIRES, longer),
            lambda: again.check_can_extend(state, NOW, EXPIRES, longer),
        ),
        (state in DONE, again.can_ask_again(state), lambda: again.check_can_ask_again(state)),
    ):
        assert can == may
        (passes if may else fails)(check)


def passes(check: Callable[[], None]) -> None:
    check()


def fails(check: Callable[[], None]) -> None:
    with pytest.raises(Conflict):
        check()


def test_an_expired_link_is_given_time_before_it_is_replaced() -> None:
    """A waiting link whose time is over says what to do first, at the very moment of its expiry."""
    with pytest.raises(Conflict, match="more time first"):
        again.check_can_resend(State.SENT, EXPIRES, EXPIRES)
    assert not again.can_resend(State.SENT, EXPIRES, EXPIRES)


@pytest.mark.parametrize(("days", "may"), [(6, False), (7, False), (8, True), (28, True), (29, False)])
def test_more_time_is_later_and_at_most_28_days(days: int, may: bool) -> None:
    """More time is more than the link has, and no more than 28 days from now."""
    until = NOW + timedelta(days=days)
    assert again.can_extend(State.SENT, NOW, EXPIRES, until) == may
    (passes if may else fails)(lambda: again.check_can_extend(State.SENT, NOW, EXPIRES, until))


@pytest.mark.parametrize(
    ("site", "group", "views", "reason", "allowed", "words"),
    [
        (ARM, "child", ["close-up"], "dark", False, ""),
        (GROIN, "adult", ["close-up"], "dark", True, ""),
        (ARM, "adult", [], "dark", True, "at least one photo"),
        (ARM, "adult", ["close-up", "nails"], "dark", True, "at least one photo"),
        (ARM, "adult", ["close-up"], "ugly", True, "what is wrong"),
        (GROIN, "adult", ["close-up"], "dark", False, "See the patient"),
        (GROIN, "young", ["close-up"], "dark", True, "See the patient"),
        (GROIN, "", ["close-up"], "dark", True, "See the patient"),
    ],
)
def test_what_may_be_asked_again(site: Site, group: str, views: list[str], reason: str, allowed: bool, words: str) -> None:
    """Only views that were asked for, for a reason of the list, and of an intimate place only adults where it is switched on."""
    if not words:
        again.check_again(site, group, VIEWS, views, reason, allowed=allowed)
        return
    with pytest.raises(NotAllowed, match=words):
        again.check_again(site, group, VIEWS, views, reason, allowed=allowed)


def test_each_reason_has_a_sentence_for_the_patient() -> None:
    """What staff choose and what the patient is told are the same list."""
    assert again.REASONS.keys() == again.SENTENCES.keys()


def test_each_state_is_in_one_group() -> None:
    """No request is lost between the groups of the inbox, nor counted twice, and each state has its words."""
    assert sorted(state for group in GROUPS for state in group.states) == sorted(State)
    assert STATES.keys() == set(State)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("zoë", True),
        ("ZOE", True),
        ("o'brien", True),
        ("o’brien zoe", True),
        ("brien zoe smith", False),
        ("0000 4956", True),
        ("0000-4956-9012", True),
        ("kx7p3q", True),
        ("kx7-p3q zoe", True),
        ("", False),
        ("- ’ .", False),
    ],
)
def test_how_a_search_reads(typed: str, found: bool) -> None:
    """Accents, capitals, apostrophes, spaces and hyphens make no difference; every word must fit."""
    assert matcher(typed)("Zoë O’Brien", "000049569012", "KX7-P3Q") is found
