"""Other numbers: telephone numbers, IMSI, IMEI, ICCID, networks (MCC and MNC), in digits and semi-octets.

Spec: 3GPP TS 23.003, 2.2 (IMSI) and 13.2 (domains with MNC and MCC); ITU-T E.212 (001: networks for tests,
999: private networks); TS 24.008, 10.5.1.3 and 10.5.4.7 (semi-octets).
"""

import re
from collections.abc import Iterator

from imslab.capture.anonymise.pseudonyms import Pseudonyms

NETWORK = re.compile(r"(?i)\b(mnc)(\d{2,3})(\.mcc)(\d{3})\b")
_NETWORK_OCTETS = re.compile(rb"(?i)mnc(\d{2,3})\.mcc(\d{3})")
_IMSI = range(14, 17)  # digits; 16 with the software version of an IMEISV
_TELECOM, _ICCID = "89", range(18, 21)  # ITU-T E.118: the major industry identifier, and the digits in all
_TESTS, _PRIVATE = "001", "999"
_FILLER = 0xF
_DIGITS_OF_31_BITS = 10


class Numbers:
    """Replaces numbers; an IMSI keeps to its network, which has another name in every form."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._networks: dict[tuple[str, str], tuple[str, str]] = {}
        self.seen: set[str] = set()

    def note_networks(self, octets: bytes) -> None:
        """Remember the networks that domain names in ``octets`` name, before the first IMSI is replaced."""
        for mnc, mcc in _NETWORK_OCTETS.findall(octets):
            self.network(mcc.decode(), mnc.decode())

    def network(self, mcc: str, mnc: str) -> tuple[str, str]:
        """Return another MCC and MNC, of a network for tests or a private one; each has one of its own."""
        short = mnc[1:] if len(mnc) == 3 and mnc[0] == "0" else mnc  # filled up with a 0 in a domain name
        found = self._networks.get((mcc, short))
        if found is None:
            taken = set(self._networks.values())
            found = next(new for new in self._candidates(mcc, short) if new not in taken)
            self._networks[mcc, short] = found
        return found[0], found[1].zfill(len(mnc))

    def _candidates(self, mcc: str, mnc: str) -> Iterator[tuple[str, str]]:
        countries = (_TESTS, _PRIVATE) if mcc != _TESTS else (_PRIVATE, _TESTS)
        size = 10 ** len(mnc)
        first = self._pseudonyms.number(f"network {mcc}{mnc}".encode(), size)
        for country in countries:
            for number in range(first, first + size):
                new = country, f"{number % size:0{len(mnc)}}"
                if new != (mcc, mnc):
                    yield new
        yield countries[0], f"{first:0{len(mnc)}}"  # more networks than there are numbers for them

    def number(self, digits: str) -> str:
        """Return another number of as many digits."""
        self.seen.add(digits)
        if digits.startswith(_TELECOM) and len(digits) in _ICCID:
            rest = self._pseudonyms.word("x" + digits[2:-1], "iccid")[1:]
            return _TELECOM + rest + _check_digit(_TELECOM + rest)
        if len(digits) in _IMSI:
            for (mcc, mnc), other in self._networks.items():
                if digits.startswith(mcc + mnc):
                    # A letter in front lets the rest begin with a 0.
                    rest = self._pseudonyms.word("x" + digits[len(mcc + mnc) :], "msin")[1:]
                    return "".join(other) + rest
        return self._pseudonyms.word(digits)

    def counter(self, digits: str) -> str:
        """Return another long number that counts on as this one does: its last three digits stay.

        It stays below 2**31 (RFC 3261, 8.1.1.5), as a CSeq must.
        """
        self.seen.add(digits)
        head, tail = digits[:-3], digits[-3:]
        if len(digits) < _DIGITS_OF_31_BITS:
            return self._pseudonyms.word(head, "counter") + tail
        return "1" + self._pseudonyms.word("x" + head[1:], "counter")[1:] + tail

    def digits(self, text: str) -> str:
        """Replace the digits of a number that is written with separators, as one number."""
        moved = iter(self.number("".join(filter(_is_digit, text))) if any(map(_is_digit, text)) else "")
        return "".join(next(moved) if _is_digit(letter) else letter for letter in text)

    def semi_octets(self, octets: bytes, first: int = 0) -> bytes:
        """Replace the digits in semi-octets, low half first, from half number ``first``; others stay."""
        halves = [half for octet in octets for half in (octet & 0x0F, octet >> 4)]
        places = [i for i in range(first, len(halves)) if halves[i] <= 9]
        if places:
            moved = self.number("".join(str(halves[i]) for i in places))
            for place, digit in zip(places, moved, strict=True):
                halves[place] = int(digit)
        return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))

    def plmn(self, octets: bytes) -> bytes:
        """Replace a network in 3 octets (TS 24.008, 10.5.1.3); what is none, or FF FF FF, stays."""
        a, b, c = octets
        mcc, mnc = (a & 15, a >> 4, b & 15), (c & 15, c >> 4, b >> 4)
        short = mnc[:2] if mnc[2] == _FILLER else mnc
        if any(digit > 9 for digit in (*mcc, *short)):
            return octets
        country, code = self.network("".join(map(str, mcc)), "".join(map(str, short)))
        x, y = [int(digit) for digit in country], [int(digit) for digit in code]
        third = y[2] if len(y) == 3 else _FILLER
        return bytes((x[0] | x[1] << 4, x[2] | third << 4, y[0] | y[1] << 4))


def _check_digit(digits: str) -> str:
    """Return the digit that makes the sum right after Luhn (ISO/IEC 7812-1, annex B)."""
    doubled = (2 * int(digit) for digit in digits[::-2])
    total = sum(n - 9 if n > 9 else n for n in doubled) + sum(int(digit) for digit in digits[-2::-2])
    return str(-total % 10)


def _is_digit(letter: str) -> bool:
    return "0" <= letter <= "9"
