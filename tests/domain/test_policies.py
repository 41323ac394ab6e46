"""What may be asked of whom."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.domain.policies import (
    age,
    age_group,
    check_can_ask,
    check_can_follow,
    check_may_ask,
    check_may_ask_again,
    check_may_open,
    may_ask,
    may_ask_again,
    may_open,
)
from capture.domain.protocols import load_catalogue
from capture.domain.requests import State
from capture.errors import NotAllowed
from capture.settings import ROOT
from capture.store.members import ROLES

CATALOGUE = load_catalogue(ROOT / "config")
TODAY = date(2026, 11, 22)
ADULT = date(1980, 3, 31)
INTIMATE = sorted(name for name, site in CATALOGUE.sites.items() if site.intimate)


@pytest.mark.parametrize("protocol", CATALOGUE.protocols)
@pytest.mark.parametrize("site", sorted(set(CATALOGUE.sites) - set(INTIMATE)))
def test_every_other_place_can_be_asked_for(protocol: str, site: str) -> None:
    """Each protocol can be asked of each place that is not intimate, with a side exactly where there are two."""
    sides = {"left", "right"} if CATALOGUE.sites[site].sides else {""}
    for side in sides:
        check_can_ask(CATALOGUE, protocol, site, side, ADULT, TODAY)
    for side in {"left", "right", "", "both"} - sides:
        with pytest.raises(NotAllowed, match="left or right"):
            check_can_ask(CATALOGUE, protocol, site, side, ADULT, TODAY)


@pytest.mark.parametrize("site", INTIMATE)
def test_intimate_places_are_asked_of_adults_where_the_practice_chose_so(site: str) -> None:
    """Switched off, an intimate place is refused with that reason; switched on, it can be asked of someone from 18 on."""
    side = "left" if CATALOGUE.sites[site].sides else ""
    for born in (ADULT, date(2008, 11, 22)):
        with pytest.raises(NotAllowed, match="does not ask for photos of intimate places"):
            check_can_ask(CATALOGUE, "lesion", site, side, born, TODAY)
        check_can_ask(CATALOGUE, "lesion", site, side, born, TODAY, intimate_allowed=True)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("site", INTIMATE)
@given(born=st.dates(date(2008, 11, 23), TODAY))
def test_intimate_places_of_a_child_are_never_asked_for(site: str, allowed: bool, born: date) -> None:
    """Of anyone under 18 no photo of an intimate place can be asked for, whatever the practice chose."""
    side = "left" if CATALOGUE.sites[site].sides else ""
    with pytest.raises(NotAllowed, match="under 18"):
        check_can_ask(CATALOGUE, "lesion", site, side, born, TODAY, intimate_allowed=allowed)


@pytest.mark.parametrize(
    ("born", "group"),
    [
        (TODAY, "child"),
        (date(2010, 11, 23), "child"),
        (date(2010, 11, 22), "young"),
        (date(2008, 11, 23), "young"),
        (date(2008, 11, 22), "adult"),
        (ADULT, "adult"),
    ],
)
def test_who_agrees_depends_on_the_birthday(born: date, group: str) -> None:
    """From the 16th birthday on one may agree for oneself, from the 18th one is an adult."""
    assert age_group(born, TODAY) == group


@pytest.mark.parametrize(
    ("protocol", "site", "side", "born", "reason"),
    [
        ("tattoo", "back", "", ADULT, "what to ask for"),
        ("lesion", "soul", "", ADULT, "place on the body"),
        ("lesion", "arm", "", ADULT, "left or right"),
        ("lesion", "back", "left", ADULT, "no left or right"),
        ("lesion", "back", "", TODAY + timedelta(days=1), "in the past"),
        ("lesion", "back", "", date(1900, 12, 31), "in the past"),
    ],
)
def test_the_reason_is_said(protocol: str, site: str, side: str, born: date, reason: str) -> None:
    """What cannot be asked is refused with the reason, in a sentence."""
    with pytest.raises(NotAllowed, match=reason):
        check_can_ask(CATALOGUE, protocol, site, side, born, TODAY)


@pytest.mark.parametrize("state", State)
def test_what_may_be_asked_again(state: State) -> None:
    """Every request can be followed up, of the same patient only, unless it was deleted."""
    if state is State.PURGED:
        with pytest.raises(NotAllowed, match="was deleted"):
            check_can_follow(state, same_patient=True)
    else:
        check_can_follow(state, same_patient=True)
        with pytest.raises(NotAllowed, match="another date of birth"):
            check_can_follow(state, same_patient=False)


@pytest.mark.parametrize("born", [TODAY, date(1901, 1, 1)])
def test_the_oldest_and_the_youngest_can_be_asked(born: date) -> None:
    """A child born today and someone 125 years old are patients too."""
    check_can_ask(CATALOGUE, "rash", "back", "", born, TODAY)


@given(born=st.dates(date(1900, 1, 1), date(2100, 1, 1)), years=st.integers(0, 130), days=st.integers(0, 364))
def test_age_in_whole_years(born: date, years: int, days: int) -> None:
    """One is N years old from the Nth birthday on (1 March for those born on 29 February) and not a day before."""
    try:
        birthday = born.replace(year=born.year + years)
    except ValueError:
        birthday = date(born.year + years, 3, 1)
    assert age(born, birthday) == years
    assert age(born, birthday - timedelta(days=1)) == years - 1
    next_year = birthday + timedelta(days=days)
    assert age(born, next_year) in {years, years + 1}


@pytest.mark.parametrize("role", [*ROLES, "", "Manager", "owner"])
def test_each_role_may_what_it_is_named_for(role: str) -> None:
    """A requester asks, a reader opens, a manager does both, nobody else does either; who may not is told whom to ask."""
    policies = (
        (may_ask, check_may_ask, {"requester", "manager"}),
        (may_open, check_may_open, {"reader", "manager"}),
        (may_ask_again, check_may_ask_again, {"requester", "reader", "manager"}),
    )
    for may, check, roles in policies:
        assert may(role) == (role in roles)
        if role in roles:
            check(role)
        else:
            with pytest.raises(NotAllowed, match="Ask a manager of the practice"):
                check(role)
