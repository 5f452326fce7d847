"""Other names of the same length: each word, number and octet string has one pseudonym for one seed.

A word keeps its shape (a digit stays a digit, a capital a capital, a letter outside ASCII one of as many
octets), so that a name in a URI, in a body and on a card becomes the same other name, and no octet moves.
Among words of one shape the map is a bijection: eight rounds of a Feistel network over the letters
(as in NIST SP 800-38G, with SHAKE-256 as the round function), so that two subscribers stay two.

Whoever knows the seed can turn names back: it is a secret.
"""

import hashlib

_DIGITS, _HEX, _LETTERS = "0123456789", "abcdef", "abcdefghijklmnopqrstuvwxyz"
# Letters that stand for others of as many octets in UTF-8: Latin, CJK, CJK extension B.
_WIDE = {2: (0xC0, 0x17F), 3: (0x4E00, 0x9FA5), 4: (0x20000, 0x2A6D6)}
_LONE = (0xDCA1, 0xDCFE)  # an octet that is no UTF-8, as Python carries it in text
_ROUNDS = 8
_LONG_HEX = 8  # letters of a word without digits that is taken for hex all the same
_REMEMBERED = 200_000  # words whose pseudonym is kept


class Pseudonyms:
    """The pseudonyms that follow from ``seed``, at least 16 octets that nobody else knows.

    ``known`` holds what has a pseudonym of another making: a B-TID, which is made of a RAND, for example.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = hashlib.sha256(b"imslab anonymise" + seed).digest()
        self._words: dict[tuple[str, str], str] = {}
        self.known: dict[str, str] = {}
        self.known_octets: dict[bytes, bytes] = {}

    def word(self, word: str, tweak: str = "") -> str:
        """Return the pseudonym of a run of letters and digits; another ``tweak`` gives another one."""
        found = self._words.get((word, tweak))
        if found is None:
            found = _shaped(word, self._word(word.translate(_LOWER), tweak))
            if len(self._words) < _REMEMBERED:
                self._words[word, tweak] = found
        return found

    def octets(self, octets: bytes) -> bytes:
        """Return as many other octets: the same for the same; those that ``known_octets`` has, if any."""
        found = self.known_octets.get(octets)
        return self.noise(b"octets" + octets, len(octets)) if found is None else found

    def noise(self, context: bytes, length: int) -> bytes:
        """Return ``length`` octets that look random, the same for the same ``context``."""
        return hashlib.shake_256(self._key + b"noise" + context).digest(length)

    def number(self, context: bytes, below: int) -> int:
        """Return a number from 0 up to ``below``, without it, that follows from ``context``."""
        return int.from_bytes(self.noise(b"number" + context, 16)) % below

    def permuted(self, values: list[int], sizes: list[int], tweak: bytes) -> list[int]:
        """Return other ``values``, each below its size: a bijection for each ``sizes`` and ``tweak``."""
        values, middle, tweak = list(values), len(values) // 2, b"%s/%r" % (tweak, sizes)
        halves = slice(0, middle), slice(middle, len(values))
        for number in range(_ROUNDS):
            fixed, moved = halves if number % 2 == 0 else halves[::-1]
            text = b"%d/%s/%s" % (number, tweak, repr(values[fixed]).encode())
            count = len(values[moved])
            stream = self.noise(b"round" + text, 4 * count)
            steps = (int.from_bytes(stream[4 * i : 4 * i + 4]) for i in range(count))
            values[moved] = [
                (value + step) % size
                for value, step, size in zip(values[moved], steps, sizes[moved], strict=True)
            ]
        return values

    def _word(self, word: str, tweak: str) -> str:
        alphabets = [_alphabet(word, place, letter) for place, letter in enumerate(word)]
        values = [alphabet.index(letter) for alphabet, letter in zip(alphabets, word, strict=True)]
        moved = self.permuted(values, [len(alphabet) for alphabet in alphabets], tweak.encode())
        return "".join(alphabet[value] for alphabet, value in zip(alphabets, moved, strict=True))


class _Range:
    """The letters between two code points, as an alphabet."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._size = first, last - first + 1

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: int) -> str:
        return chr(self._first + place)

    def index(self, letter: str) -> int:
        return (ord(letter) - self._first) % self._size  # a letter from outside joins those within


_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_RANGES = {width: _Range(*ends) for width, ends in _WIDE.items()}
_LONE_RANGE = _Range(*_LONE)


def _alphabet(word: str, place: int, letter: str) -> "str | _Range":
    """Return the letters that may stand in one place of a word."""
    if letter in _DIGITS:
        # A number keeps its leading zeros and gets none: it must stay a number of as many digits.
        if place == 0 and word.isdecimal() and word.isascii():
            return "0" if letter == "0" else _DIGITS[1:]
        return _DIGITS
    if letter in _LETTERS:
        return _HEX if _is_hex(word) else _LETTERS
    return _LONE_RANGE if 0xDC80 <= ord(letter) <= 0xDCFF else _RANGES[_width(letter)]


def _width(letter: str) -> int:
    return max(2, len(letter.encode("utf-8", "surrogatepass")))


def _is_hex(word: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in word) and (
        len(word) >= _LONG_HEX or any(letter in _DIGITS for letter in word)
    )


def _shaped(word: str, lowered: str) -> str:
    """Give a pseudonym the capitals of the word."""
    return "".join(new.upper() if "A" <= old <= "Z" else new for old, new in zip(word, lowered, strict=True))
