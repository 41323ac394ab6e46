"""Adding practices and members: what is refused, and why."""

import pytest

from capture.actions.add_member import add_member
from capture.actions.add_practice import add_practice
from capture.actions.sign_in import give_password
from capture.errors import CaptureError, Conflict, NotAllowed, NotFound
from capture.services import Services
from tests.builders import PASSWORD, APractice


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ods": "a81001"}, "'a81001' is not an ODS code."),
        ({"ods": "A810010000"}, "is not an ODS code."),
        ({"ods": ""}, "is not an ODS code."),
        ({"name": " "}, "needs a name and a phone number"),
        ({"phone": ""}, "needs a name and a phone number"),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"phone": "1" * 41}, "at most 40"),
        ({"name": "Elm\0Surgery"}, "without control characters"),
    ],
)
def test_practice_that_is_refused(services: Services, changes: dict[str, str], sentence: str) -> None:
    """A practice needs an ODS code, a name and a phone number."""
    with pytest.raises(NotAllowed, match=sentence):
        add_practice(services, **{"ods": "A81001", "name": "Elm Surgery", "phone": "0191 498 0456", **changes})  # type: ignore[arg-type]


def test_practice_that_is_there(services: Services, practice: APractice) -> None:
    """An ODS code is used once."""
    with pytest.raises(Conflict, match="There is a practice"):
        add_practice(services, ods=practice.ods, name="Oak Surgery", phone="0191 498 0456")


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"email": "nobody"}, NotAllowed, "is not an e-mail address"),
        ({"email": "a@" + "b" * 260 + ".example"}, NotAllowed, "is not an e-mail address"),
        ({"email": "a" + "ß" * 200 + "@b.example"}, NotAllowed, "is not an e-mail address"),
        ({"email": "a\0@b.example"}, NotAllowed, "is not an e-mail address"),
        ({"name": " "}, NotAllowed, "needs a name"),
        ({"name": "x" * 201}, NotAllowed, "at most 200 characters"),
        ({"password": "x" * 201}, NotAllowed, "at most 200 characters"),
        ({"role": "owner"}, NotAllowed, "must be one of requester, reader, manager"),
        ({"password": "short"}, NotAllowed, "at least 12 characters"),
        ({"ods": "Z99999"}, NotFound, "There is no practice Z99999"),
    ],
)
def test_member_that_is_refused(
    services: Services, practice: APractice, changes: dict[str, str], error: type[CaptureError], sentence: str
) -> None:
    """A member needs an address, a role that there is, a password of some length, and a practice that exists."""
    values = {"ods": practice.ods, "email": "a@b.example", "name": "A B", "role": "reader", "password": PASSWORD, **changes}
    with pytest.raises(error, match=sentence):
        add_member(services, values.pop("ods"), **values)


def test_longest_that_is_taken(services: Services) -> None:
    """A name of 200 characters, a phone number of 40, and a password of 200 that signs in afterwards."""
    longest = "".join(chr(0x4E00 + number) for number in range(200))
    made = add_practice(services, ods="A81001", name="x" * 200, phone=" " + "1" * 40)
    assert (len(made.name), len(made.phone)) == (200, 40)
    add_member(services, "A81001", email="a@b.example", name="x" * 200, role="reader", password=longest)
    assert give_password(services, "a@b.example", longest)


def test_address_that_is_taken(services: Services, practice: APractice) -> None:
    """An address belongs to one member, however it is written; without a secret given, each gets one of their own."""
    first = add_member(services, practice.ods, email="a@b.example", name="A", role="reader", password=PASSWORD)
    second = add_member(services, practice.ods, email="c@b.example", name="C", role="reader", password=PASSWORD)
    assert first.code_secret != second.code_secret
    assert first.code_secret in first.otpauth
    with pytest.raises(Conflict, match="this e-mail address"):
        add_member(services, practice.ods, email=" A@B.example ", name="A", role="reader", password=PASSWORD)
