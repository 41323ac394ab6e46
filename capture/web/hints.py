"""What a patient reads about a photo that may not be good enough; the sentences stand in templates/patient/hint.jinja."""

from collections.abc import Iterable

from flask import get_template_attribute


def explain(codes: Iterable[str]) -> list[dict[str, str]]:
    """Each code with its sentence in the language of the page."""
    sentence = get_template_attribute("patient/hint.jinja", "sentence")
    return [{"code": code, "sentence": str(sentence(code))} for code in codes]
