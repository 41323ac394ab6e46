"""What is sent to a patient with the link: one text message, whatever the practice is called. Pure."""

import unicodedata
from string import ascii_letters, digits

LONGEST_TEXT = 160
"""Characters of GSM 03.38 in one text message; a second one costs as much again."""
_GSM = frozenset(f"{ascii_letters}{digits} !\"#%&'()*+,-./:;<=>?@$_£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà")
"""The basic character set. Those of its extension count twice and are left out."""
_PLAIN = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}


def text_message(practice: str, link: str) -> str:
    """The message that brings a link: it names the practice and the whole address, never the patient; at most 160 characters.

    A name that would make it longer is cut, to no less than ten characters: an origin of over 70 makes more than one text.
    """
    after = f" asks you for photos of your skin. Take them here: {link}"
    room = LONGEST_TEXT - len(after)
    name = _to_gsm(practice)
    if len(name) > room:
        name = name[: max(room - 3, 10)].rstrip() + "..."
    return f"{name}{after}"


def _to_gsm(text: str) -> str:
    """The text in the basic character set: accents that it lacks are dropped, what is left unknown becomes a question mark."""
    plain = "".join(_PLAIN.get(sign, sign) for sign in " ".join(text.split()))
    return "".join(sign if sign in _GSM else _without_accent(sign) for sign in plain)


def _without_accent(sign: str) -> str:
    base = unicodedata.normalize("NFKD", sign)[0]
    return base if base in _GSM else "?"
