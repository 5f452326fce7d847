"""The search for what should be gone: every name that was replaced, in the codings in which a capture has
names.

Codings: the text itself in any case, UTF-16, hex, percent escapes, base64 at each of its three alignments,
the labels of DNS; for digits semi-octets at both alignments (TS 24.008, 10.5.4.7). Only names that are
long enough not to come by chance: 6 octets in their coding.
"""

import base64
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from imslab.capture.anonymise.vocabulary import KEY_LOG_WORDS, LABELS, SDP_WORDS, WORDS, XML_WORDS

LEAST = 6  # octets of what is searched
_LEAST_BASE64 = 8  # letters: there is much base64 in a capture
_SHORTEST = 3  # letters of a name that is not searched in vain
_STEP = 1 << 20  # octets that are looked at at once
_COMMON = {"imslab"} | WORDS | LABELS | SDP_WORDS | XML_WORDS | KEY_LOG_WORDS


def leftovers(names: Iterable[str], octets: bytes) -> list[int]:
    """Return where one of ``names`` still stands in ``octets``, in any coding."""
    wanted: dict[bytes, set[tuple[bytes, bool]]] = {}
    for name in names:
        if name.lower() not in _COMMON:
            text = name.encode("utf-8", "surrogateescape")
            for pattern in codings(name):
                if len(pattern) >= LEAST and len(set(pattern)) > 2:
                    place = pattern.lower(), pattern == text
                    wanted.setdefault(pattern[:LEAST].lower(), set()).add(place)
    lowered = octets.lower()
    found = _candidates(list(wanted), lowered)
    return [at for at in found if any(_stands(lowered, at, *one) for one in wanted[lowered[at : at + LEAST]])]


def _stands(octets: bytes, at: int, pattern: bytes, is_word: bool) -> bool:
    """Tell whether ``pattern`` stands at ``at``, and if it is a word, not as a part of a longer one."""
    end = at + len(pattern)
    if octets[at:end] != pattern:
        return False
    around = octets[at - 1 : at] if at else b"", octets[end : end + 1]
    return not (is_word and pattern.isalnum()) or not (around[0].isalnum() or around[1].isalnum())


def shows(names: Iterable[str], octets: bytes) -> bool:
    """Tell whether one of ``names``, however short, stands in ``octets`` as letters, in any case."""
    lowered = octets.lower()
    wanted = (name.lower() for name in names)
    return any(
        name.encode("utf-8", "surrogateescape") in lowered
        for name in wanted
        if len(name) >= _SHORTEST and not name.isdecimal() and name not in _COMMON
    )


def codings(name: str) -> Iterator[bytes]:
    """Yield the octets in which ``name`` may stand."""
    text = name.encode("utf-8", "surrogateescape")
    yield text
    yield text.hex().encode()
    yield b"".join(b"%%%02x" % octet for octet in text)
    yield name.encode("utf-16-le", "surrogatepass")
    yield name.encode("utf-16-be", "surrogatepass")
    yield from _base64(text)
    labels = name.split(".")
    if len(labels) > 1 and all(0 < len(label) < 64 for label in labels):
        yield b"".join(bytes((len(label.encode()),)) + label.encode() for label in labels if label.isascii())
    if name.isascii() and name.isdecimal():
        yield from _semi_octets(name)


def _base64(text: bytes) -> Iterator[bytes]:
    """Yield the letters that depend on ``text`` alone, after 0, 1 and 2 other octets."""
    for before in range(3):
        letters = base64.b64encode(bytes(before) + text)
        first, last = -(-before * 8 // 6), (before + len(text)) * 8 // 6
        if last - first >= _LEAST_BASE64:
            yield letters[first:last]


def _semi_octets(digits: str) -> Iterator[bytes]:
    """Yield the whole octets of ``digits``, beginning with a low half or with a high one."""
    for shown in (digits, digits[1:]):
        whole = shown[: len(shown) // 2 * 2]
        yield bytes(int(low) | int(high) << 4 for low, high in zip(whole[::2], whole[1::2], strict=True))
        yield bytes(int(high) | int(low) << 4 for low, high in zip(whole[::2], whole[1::2], strict=True))


def _candidates(starts: list[bytes], octets: bytes) -> list[int]:
    """Return where one of ``starts``, ``LEAST`` octets each, stands in ``octets``."""
    if not starts or len(octets) < LEAST:
        return []
    sought = np.unique(np.array([int.from_bytes(start) for start in starts], np.int64))
    data, found = np.frombuffer(octets, np.uint8), list[int]()
    for begin in range(0, len(octets) - LEAST + 1, _STEP):
        part = data[begin : begin + _STEP + LEAST - 1]
        values: NDArray[np.int64] = np.zeros(len(part) - LEAST + 1, np.int64)
        for place in range(LEAST):
            values = values << 8 | part[place : place + len(values)]
        nearest = np.minimum(np.searchsorted(sought, values), len(sought) - 1)
        found += (np.flatnonzero(sought[nearest] == values) + begin).tolist()
    return found
