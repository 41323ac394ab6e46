"""What may be asked of whom, and by whom. `check_…` raises with the reason; beside it `may_…` answers templates. Pure."""

from collections.abc import Collection
from datetime import date

from capture.domain.protocols import Catalogue
from capture.domain.requests import State
from capture.errors import NotAllowed

ADULT, CONSENT_AGE = 18, 16
"""From when intimate places may be asked for at all, and from when people agree for themselves."""
NO_CHILD = "Photos of an intimate place cannot be asked of anyone under 18."
CHILD_ALONE = "You are under 16. Ask a parent, or someone with parental responsibility, to go on, or phone the practice."
NOT_SWITCHED_ON = "This practice does not ask for photos of intimate places. See the patient instead."
ASKING_ROLES, OPENING_ROLES = {"requester", "manager"}, {"reader", "manager"}


def check_can_ask(
    catalogue: Catalogue, protocol: str, site: str, side: str, born: date, today: date, *, intimate_allowed: bool = False
) -> None:
    """Whether these photos may be asked of someone born then; NotAllowed says why not.

    `intimate_allowed` is the practice's own choice, and for adults only: no switch reaches a child.
    """
    if protocol not in catalogue.protocols:
        raise NotAllowed("Choose what to ask for from the list.")
    if site not in catalogue.sites:
        raise NotAllowed("Choose the place on the body from the list.")
    place = catalogue.sites[site]
    if side not in (("left", "right") if place.sides else ("",)):
        raise NotAllowed("Choose left or right." if place.sides else "This place has no left or right side.")
    if not born <= today or today.year - born.year > 125:
        raise NotAllowed("Check the date of birth: it must be a date in the past.")
    if place.intimate and age(born, today) < ADULT:
        raise NotAllowed(NO_CHILD)
    if place.intimate and not intimate_allowed:
        raise NotAllowed(NOT_SWITCHED_ON)


def check_switched_on(protocol: str, off: Collection[str]) -> None:
    """Whether the practice asks for this list of photos at all; NotAllowed if it has switched it off."""
    if protocol in off:
        raise NotAllowed("Your practice does not ask for these photos. Choose others, or ask a manager to switch them on.")


def check_can_follow(state: State, *, same_patient: bool) -> None:
    """Whether an earlier request, of that state, may be asked again of this patient; NotAllowed says why not."""
    if state is State.PURGED:
        raise NotAllowed("The request with this receipt was deleted. Choose what to ask for from the list.")
    if not same_patient:
        raise NotAllowed("The request with this receipt is for another date of birth. Check both.")


def age(born: date, today: date) -> int:
    """Whole years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def age_group(born: date, today: date) -> str:
    """`child` (a parent agrees), `young` (16 and 17: agrees alone, or a parent does) or `adult`."""
    years = age(born, today)
    return "child" if years < CONSENT_AGE else "young" if years < ADULT else "adult"


def who_may_agree(group: str) -> tuple[str, ...]:
    """Of `me`, `parent` and `proxy` those who may agree for someone of that age group; all where it is not known."""
    return {"child": ("parent",), "adult": ("me", "proxy")}.get(group, ("me", "parent", "proxy"))


def check_can_agree(group: str, who: str) -> None:
    """The same; NotAllowed says whom to ask."""
    if who in who_may_agree(group):
        return
    if group == "child":
        raise NotAllowed(CHILD_ALONE)
    raise NotAllowed("Choose who you are.")


def may_ask(role: str) -> bool:
    """Whether a member in that role may ask for photos and take a request back."""
    return role in ASKING_ROLES


def check_may_ask(role: str) -> None:
    """The same; NotAllowed says who may."""
    if not may_ask(role):
        raise NotAllowed("You can open photos here, but not ask for them. Ask a manager of the practice.")


def may_open(role: str) -> bool:
    """Whether a member in that role may open photos."""
    return role in OPENING_ROLES


def check_may_open(role: str) -> None:
    """The same; NotAllowed says who may."""
    if not may_open(role):
        raise NotAllowed("You can ask for photos here, but not open them. Ask a manager of the practice.")


def may_ask_again(role: str) -> bool:
    """Whether a member in that role may ask for a photo again: also whoever opened it and sees that it is blurred."""
    return may_ask(role) or may_open(role)


def check_may_ask_again(role: str) -> None:
    """The same; NotAllowed says who may."""
    if not may_ask_again(role):
        raise NotAllowed("You cannot ask for photos here. Ask a manager of the practice.")


def may_manage(role: str) -> bool:
    """Whether a member in that role may change who belongs to the practice and how it works."""
    return role == "manager"


def check_may_manage(role: str) -> None:
    """The same; NotAllowed says who may."""
    if not may_manage(role):
        raise NotAllowed("Only managers of the practice can do this. Ask one of them.")
