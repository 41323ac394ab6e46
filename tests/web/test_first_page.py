"""What the first page says before it asks for anything."""

from tests.builders import ARequest
from tests.web.html import Visitor


def test_what_is_urgent_comes_before_any_question(visitor: Visitor, asked: ARequest) -> None:
    """Who asks, the numbers 111 and 999, and that suspected cancer does not come this way stand before the date of birth."""
    before, _, after = visitor.get(asked.path).text.partition("What is your date of birth?")
    assert after
    for said in (asked.practice.name, "If it is urgent, do not wait", "111", "999", "skin cancer", asked.practice.phone):
        assert said in before, said
