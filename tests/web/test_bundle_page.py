"""The page of a bundle, for the rest of a round: which photos come next, and which are of the same skin."""

import secrets
from dataclasses import replace

from capture.actions.collect import collect
from capture.actions.issue_link import Draft, issue_link
from capture.services import Services
from tests.builders import APractice, ARequest, bundle_of, make_practice, make_request, make_submitted
from tests.conftest import Clock
from tests.web.html import Page, Visitor


def page_of(services: Services, desk: Visitor, asked: ARequest) -> Page:
    return desk.get(f"/staff/bundles/{bundle_of(services, asked).id}")


def links(page: Page, words: str) -> list[str]:
    """Where the links with these words lead, those in templates left out."""
    return [link.get("href", "") for link in page.tree.iter("a") if words in "".join(link.itertext())]


def test_the_next_photos_to_open(services: Services, desk: Visitor, practice: APractice, clock: Clock) -> None:
    """The page leads to the photos that have waited longest beside its own, and to none when no others wait."""
    asked = [make_request(services, practice) for _ in range(3)]
    for each in reversed(asked):
        make_submitted(services, each)
        clock.forward(minutes=1)
    make_submitted(services, make_request(services, make_practice(services, name="Oak Surgery")))
    ids = [bundle_of(services, each).id for each in asked]
    for shown, following in ((0, 2), (1, 2), (2, 1)):
        page = page_of(services, desk, asked[shown])
        assert set(links(page, "Next photos to open")) == {f"/staff/bundles/{ids[following]}"}
        assert "(2 waiting)" in page.text
    for bundle_id in ids[1:]:
        collect(services, practice.id, bundle_id, actor="x")
    assert links(page_of(services, desk, asked[0]), "Next photos") == []
    assert "(1 waiting)" in page_of(services, desk, asked[1]).text


def follow_up(services: Services, asked: ARequest) -> ARequest:
    """The same patient is asked for photos of the same skin again."""
    draft = Draft(asked.label, asked.born, "", "", "", "follow-up", 7, secrets.token_hex(16), follows=asked.receipt)
    issued = issue_link(services, asked.practice.id, draft, actor="operator", asked_by="Dr Sam Okafor")
    return replace(asked, id=issued.request_id, link=issued.link, receipt=issued.receipt)


def test_photos_of_the_same_skin(services: Services, desk: Visitor, asked: ARequest, clock: Clock) -> None:
    """Earlier and later bundles of the case are listed, each to be opened or laid beside; no other patient's, and none not sent."""
    make_submitted(services, asked)
    clock.forward(minutes=5)
    again, _ = follow_up(services, asked), follow_up(services, asked)
    make_submitted(services, again)
    make_submitted(services, make_request(services, asked.practice, label="Somebody Else"))
    first, second = (f"/staff/bundles/{bundle_of(services, each).id}" for each in (asked, again))
    earlier, later = page_of(services, desk, asked), page_of(services, desk, again)
    assert set(links(earlier, f"receipt {again.receipt}")) == {second}
    assert "after these" in earlier.text
    assert set(links(later, f"receipt {asked.receipt}")) == {first}
    assert "before these" in later.text
    for page, address in ((earlier, second), (later, first)):
        assert page.data.count(f'data-do="compare" data-address="{address}"'.encode()) == 1  # in what the script fills in
        assert page.data.count(b'data-do="compare"') == 1
