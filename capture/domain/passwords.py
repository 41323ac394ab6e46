"""What may be a password: long, and not one that others try first (after NIST SP 800-63B, 3.1.1.2). Pure.

Words that everyone knows, words about the person and the practice, runs such as `1234` or `qwer`, are taken out; what is left must
still be hard to guess. No rule asks for capitals, digits or signs.
"""

import re
from collections.abc import Iterable

from capture.errors import NotAllowed

MIN_PASSWORD, MAX_PASSWORD = 12, 200
"""In characters. No more than the sign-in page takes."""
_LEFT, _DISTINCT, _WORD, _RUN = 8, 5, 3, 3
_COMMON = re.findall(
    r"\w+",
    """
password passwort passwd passcode passphrase secret letmein welcome admin administrator login signin access changeme default master
guest test testing tester user username demo sample temp temporary hello welcome1 iloveyou loveyou princess sunshine monkey dragon
football baseball liverpool arsenal chelsea everton celtic rangers superman batman pokemon starwars shadow michael jennifer jessica
ashley charlie daniel thomas jordan hunter buster soccer hockey killer george andrew joshua summer winter spring autumn january
february march april may june july august september october november december monday tuesday wednesday thursday friday saturday
sunday london england scotland wales britain manchester birmingham internet computer windows google microsoft office outlook
teams nhs gp doctor doctors nurse nurses surgery practice medical health healthcare clinic hospital patient patients reception
receptionist staff manager dermatology photo photos capture whatever trustno1 freedom cheese banana chocolate flower flowers
purple orange yellow silver golden diamond forever family friend friends mother father baby angel heaven lovely money qazwsx
correcthorsebatterystaple
""",
)
_LINES = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb", '!"£$%^&*()')
_LEET = str.maketrans("@4301$5!7", "aaeoissit")


def check_password(password: str, about: Iterable[str] = ()) -> None:
    """NotAllowed with the reason. `about` are names that others would try: the person's, the e-mail address, the practice's."""
    if len(password) < MIN_PASSWORD:
        raise NotAllowed(f"The password must have at least {MIN_PASSWORD} characters.")
    if len(password) > MAX_PASSWORD:
        raise NotAllowed(f"The password must have at most {MAX_PASSWORD} characters.")
    plain = password.casefold()
    own = {word for text in about for word in re.findall(r"\w+", text.casefold()) if len(word) >= _WORD}
    for form in (plain, plain.translate(_LEET)):
        left = _without(form, sorted({*own, *_COMMON}, key=len, reverse=True))
        if len(left) < _LEFT or len(set(left)) < _DISTINCT or _repeats(left):
            raise NotAllowed("This password is easy to guess. Use three or more words that do not belong together.")


def _without(text: str, words: list[str]) -> str:
    """The text with known words and runs taken out."""
    for word in words:
        text = text.replace(word, "")
    for line in _LINES:
        for way in (line, line[::-1]):
            for length in range(len(way), _RUN, -1):
                for start in range(len(way) - length + 1):
                    text = text.replace(way[start : start + length], "")
    return text


def _repeats(text: str) -> bool:
    """Whether it is one short piece again and again."""
    return re.fullmatch(r"(.{1,6}?)\1+", text) is not None
