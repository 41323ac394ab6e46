"""A request's life, move by move and minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.domain.requests import (
    DONE,
    FINISH_AFTER_EXPIRY,
    MOVES,
    WAITING,
    State,
    can_move,
    check_can_confirm,
    check_can_continue,
    check_can_move,
    shown_state,
)
from capture.errors import Conflict, LinkClosed, LinkExpired

EXPIRES = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)
ALLOWED = """
    drafted   > sent cancelled
    sent      > opened confirmed cancelled expired locked
    opened    > confirmed cancelled expired locked
    confirmed > submitted cancelled expired locked
    submitted > delivered purged
    delivered > collected purged
    collected > attached purged
    attached  > collected purged
    purged    >
    cancelled > purged
    expired   > sent purged
    locked    > cancelled purged
"""
TABLE = {row.split(">")[0].strip(): set(row.split(">")[1].split()) for row in ALLOWED.strip().splitlines()}
SAID = {
    **dict.fromkeys(["drafted", "sent", "opened", "confirmed"], "not sent yet"),
    **dict.fromkeys(["submitted", "delivered"], "sent already"),
    "collected": "opened",
    "purged": "deleted",
}
"""What people read of a state where its name would tell them nothing."""
moments = st.timedeltas(min_value=timedelta(days=-60), max_value=timedelta(days=60)).map(lambda delta: EXPIRES + delta)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("to", State)
def test_the_table_of_moves_is_this_and_no_other(state: State, to: State) -> None:
    """Every move that a request may make is allowed, and every other one is a Conflict that says where it stands, in words."""
    if to in TABLE[state]:
        check_can_move(state, to)
        assert can_move(state, to)
    else:
        with pytest.raises(Conflict, match=rf"^(This|These|The) .*\b{SAID.get(state, state)}\b") as refused:
            check_can_move(state, to)
        assert refused.value.sentence.endswith(".")
        assert not can_move(state, to)


def test_nothing_leaves_a_purged_request_and_every_state_ends_there() -> None:
    """Whatever happens, a request can come to its end, and stays there."""
    for state in State:
        reached, found = {state}, {state}
        while found:
            found = {to for now in found for to in MOVES[now]} - reached
            reached |= found
        assert State.PURGED in reached
    assert MOVES[State.PURGED] == set()


def test_a_sent_request_never_takes_photos_again() -> None:
    """No state after the sending leads back to one in which photos are taken (SECURITY 10, 42)."""
    reached = set(DONE)
    for _ in State:
        reached |= {to for state in reached for to in MOVES[state]}
    assert not reached & WAITING


@given(now=moments)
@pytest.mark.parametrize("state", State)
def test_a_link_lets_in_only_while_it_waits_and_its_time_is_not_over(state: State, now: datetime) -> None:
    """A link opens for a waiting request until the very moment it expires, and never otherwise."""
    if state not in WAITING | {State.EXPIRED}:
        with pytest.raises(LinkClosed):
            check_can_confirm(state, now, EXPIRES)
    elif state is State.EXPIRED or now >= EXPIRES:
        with pytest.raises(LinkExpired):
            check_can_confirm(state, now, EXPIRES)
    else:
        check_can_confirm(state, now, EXPIRES)


@given(now=moments)
@pytest.mark.parametrize("state", State)
def test_a_session_may_finish_for_half_an_hour_past_the_expiry(state: State, now: datetime) -> None:
    """Who has confirmed may go on for 30 minutes after the expiry, and nobody else may at all (SECURITY 13)."""
    if state not in {State.CONFIRMED, State.EXPIRED}:
        with pytest.raises(Conflict):
            check_can_continue(state, now, EXPIRES)
    elif state is State.EXPIRED or now >= EXPIRES + timedelta(minutes=30):
        with pytest.raises(LinkExpired):
            check_can_continue(state, now, EXPIRES)
    else:
        check_can_continue(state, now, EXPIRES)


@pytest.mark.parametrize(
    ("after", "may_confirm", "may_continue"),
    [
        (timedelta(microseconds=-1), True, True),
        (timedelta(0), False, True),
        (FINISH_AFTER_EXPIRY - timedelta(microseconds=1), False, True),
        (FINISH_AFTER_EXPIRY, False, False),
    ],
)
def test_the_edges_of_the_expiry(after: timedelta, may_confirm: bool, may_continue: bool) -> None:
    """The expiry and the half hour after it end at the microsecond (SECURITY 13)."""
    for check, may in ((check_can_confirm, may_confirm), (check_can_continue, may_continue)):
        if may:
            check(State.CONFIRMED, EXPIRES + after, EXPIRES)
        else:
            with pytest.raises(LinkExpired):
                check(State.CONFIRMED, EXPIRES + after, EXPIRES)


@pytest.mark.parametrize("state", State)
def test_staff_see_a_waiting_request_expire_on_time(state: State) -> None:
    """A waiting request is shown as expired from its expiry on; every other state is shown as it is."""
    assert shown_state(state, EXPIRES - timedelta(seconds=1), EXPIRES) is state
    assert shown_state(state, EXPIRES, EXPIRES) is (State.EXPIRED if state in WAITING else state)
