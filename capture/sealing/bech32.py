"""Bech32 as age writes keys: BIP 173 without its limit of 90 characters."""

from collections.abc import Iterable

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode(prefix: str, data: bytes) -> str:
    """`data` under a lower-case prefix, in lower case."""
    words = _regroup(data, 8, 5)
    checksum = _polymod([*_expand(prefix), *words, *[0] * 6]) ^ 1
    words += [checksum >> 5 * (5 - i) & 31 for i in range(6)]
    return f"{prefix}1{''.join(_CHARACTERS[word] for word in words)}"


def decode(text: str) -> tuple[str, bytes]:
    """The prefix, in lower case, and the data. Raises `ValueError` for anything that is not exactly right."""
    prefix, words = decode_words(text)
    data = bytes(_regroup(words, 5, 8))
    # Padding is fewer than five bits, all of them zero: then it encodes back to the same words.
    if _regroup(data, 8, 5) != words:
        raise ValueError("bech32: the padding is not right")
    return prefix, data


def decode_words(text: str) -> tuple[str, list[int]]:
    """The prefix, in lower case, and the five-bit words without their checksum."""
    if not all("!" <= character <= "~" for character in text) or text not in (text.lower(), text.upper()):
        raise ValueError("bech32: mixed case, or a character that is not allowed")
    prefix, separator, tail = text.lower().rpartition("1")
    if not separator or not prefix or len(tail) < 6 or not set(tail) <= set(_CHARACTERS):
        raise ValueError("bech32: not a prefix, a 1 and at least six characters of the alphabet")
    words = [_CHARACTERS.index(character) for character in tail]
    if _polymod([*_expand(prefix), *words]) != 1:
        raise ValueError("bech32: the checksum does not match: a character is wrong or missing")
    return prefix, words[:-6]


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(words: Iterable[int]) -> int:
    remainder = 1
    for word in words:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ word
        for i, factor in enumerate(_GENERATOR):
            if top >> i & 1:
                remainder ^= factor
    return remainder


def _regroup(values: Iterable[int], width: int, new_width: int) -> list[int]:
    """Cut a row of `width`-bit numbers into `new_width`-bit ones. Widening drops the rest; narrowing pads it with zeros."""
    bits, count, regrouped = 0, 0, list[int]()
    for value in values:
        bits, count = bits << width | value, count + width
        while count >= new_width:
            count -= new_width
            regrouped.append(bits >> count)
            bits &= (1 << count) - 1
    if count and width > new_width:
        regrouped.append(bits << new_width - count)
    return regrouped
