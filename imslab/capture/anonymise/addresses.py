"""Other addresses for addresses: IPv4, IPv6 and MAC, with subnets and the length of their text kept.

An octet of an IPv4 address becomes another one of as many decimal digits, a group of an IPv6 address
another one of as many hex digits, each by a permutation that depends on what stands before it: two hosts
of a subnet stay in one subnet. Loopback, private (RFC 1918), link-local and multicast stay what they are;
0.0.0.0, 255.255.255.255, ``::`` and ``::1`` and groups (multicast) name nobody, and are left.

Spec: RFC 791, RFC 4291, RFC 6890 (special purpose addresses), IEEE 802 (MAC).
"""

from imslab.capture.anonymise.pseudonyms import Pseudonyms

_NOBODY = {bytes(4), b"\xff\xff\xff\xff", bytes(16), bytes(15) + b"\x01"}
_V4_IN_V6 = bytes(10) + b"\xff\xff"
_NEIGHBOUR = bytes.fromhex("3333ff")  # ... and the MAC that goes with it (RFC 2464, 7)
_SOLICITED = bytes.fromhex("ff0200000000000000000001ff")  # RFC 4291, 2.7.1: 24 bits of an address follow
# First octets of IPv4 addresses that mean something: they are neither changed nor given to another.
_SPECIAL = {0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)}
# Second octets that go with a first: both ends of the range in which they stay.
_SECOND = {100: (64, 127), 172: (16, 31), 192: (168, 168), 169: (254, 254)}


class Addresses:
    """The other addresses that follow from the seed of ``pseudonyms``."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._cache: dict[bytes, bytes] = {}
        self._permutations: dict[tuple[bytes, int, int], dict[int, int]] = {}

    def ip(self, packed: bytes) -> bytes:
        """Return the other address for one of 4 or 16 octets; what has another length is none."""
        if len(packed) not in (4, 16):
            return self._pseudonyms.octets(packed) if packed else packed
        found = self._cache.get(packed)
        if found is None:
            found = self._cache[packed] = self._v4(packed) if len(packed) == 4 else self._v6(packed)
        return found

    def mac(self, octets: bytes) -> bytes:
        """Return the other address for a MAC of 6 octets; one of a group is left."""
        if octets[:3] == _NEIGHBOUR:
            return octets[:3] + self._pseudonyms.octets(octets[3:])
        if not any(octets) or octets[0] & 1:
            return octets
        # Locally administered, so that it is nobody's.
        return b"\x02" + self._pseudonyms.octets(octets)[1:]

    def _v4(self, packed: bytes) -> bytes:
        if packed in _NOBODY or 224 <= packed[0] < 240:
            return packed
        new = bytearray()
        for place, octet in enumerate(packed):
            new.append(self._octet(packed, place, octet))
        return bytes(new)

    def _octet(self, packed: bytes, place: int, octet: int) -> int:
        low, high = (0, 9) if octet < 10 else (10, 99) if octet < 100 else (100, 255)
        if place == 0:
            return octet if octet in _SPECIAL else self._permutation(b"", low, min(high, 223))[octet]
        if place == 1 and (ends := _SECOND.get(packed[0])) and ends[0] <= octet <= ends[1]:
            low, high = max(low, ends[0]), min(high, ends[1])
        return self._permutation(packed[:place], low, high)[octet]

    def _permutation(self, before: bytes, low: int, high: int) -> dict[int, int]:
        """Return the permutation of ``low`` to ``high`` that belongs to the octets ``before``."""
        place = before, low, high
        found = self._permutations.get(place)
        if found is None:
            free = [n for n in range(low, high + 1) if before or n not in _SPECIAL]
            order = sorted(free, key=lambda n: self._pseudonyms.noise(b"octet%r/%d" % (before, n), 8))
            # Each goes to the one after it in a random cycle, so that none stays where it is.
            found = dict(zip(order, order[1:] + order[:1], strict=True))
            self._permutations[place] = found
        return found

    def _v6(self, packed: bytes) -> bytes:
        if packed in _NOBODY:
            return packed
        if packed.startswith(_SOLICITED):
            return packed[:13] + self._pseudonyms.octets(packed[13:])
        if packed[0] == 0xFF:
            return packed
        if packed.startswith(_V4_IN_V6):
            return _V4_IN_V6 + self.ip(packed[12:])
        return b"".join(self._group(packed, place) for place in range(0, 16, 2))

    def _group(self, packed: bytes, place: int) -> bytes:
        """Return another group of as many hex digits; the first keeps what says of what kind it is."""
        digits = [int(digit, 16) for digit in f"{int.from_bytes(packed[place : place + 2]):x}"]
        if digits == [0]:
            return bytes(2)
        kept = 0
        if place == 0 and len(digits) == 4:
            kept = 3 if packed[0] == 0xFE else 2 if packed[0] in (0xFC, 0xFD) else 1
        first = 0 if kept else 1  # the leading digit is not 0
        values, sizes = [digits[0] - 1, *digits[1:]][kept:], [15, 16, 16, 16][: len(digits)][kept:]
        moved = self._pseudonyms.permuted(values, sizes, b"group" + packed[:place])
        moved[:1] = [moved[0] + first]
        return int("".join(f"{digit:x}" for digit in [*digits[:kept], *moved]), 16).to_bytes(2)
