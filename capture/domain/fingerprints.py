"""Fingerprints as words that two people can read to each other. Pure."""

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def words_of(fingerprint: str) -> str:
    """The fingerprint (`dc28-37f7-…`, docs/FORMAT.md) as one word of five letters for each group of 16 bits, in that order.

    After the proquints of arXiv:0901.4016: consonants carry four bits, vowels two, so that each word can be spoken.
    """
    return " ".join(_word(int(group, 16)) for group in fingerprint.split("-"))


def _word(number: int) -> str:
    letters = (
        _CONSONANTS[number >> 12],
        _VOWELS[number >> 10 & 3],
        _CONSONANTS[number >> 6 & 15],
        _VOWELS[number >> 4 & 3],
        _CONSONANTS[number & 15],
    )
    return "".join(letters)
