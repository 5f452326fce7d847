"""Digits in semi-octets: ICCID, IMSI, PLMN and telephone numbers.

Spec: 3GPP TS 31.102, sections 4.2.2 (IMSI), 4.2.5 (PLMN, from TS 24.008, 10.5.1.3) and 4.4.2.3 (dialling
numbers); ETSI TS 102 221, section 13.2 (ICCID). The low half of an octet is the earlier digit; F fills.
"""

from imslab.errors import Malformed

# TS 31.102, table 4.4: * # DTMF-separator wild-card expansion, then F for the end.
_DIGITS = "0123456789*#,?!"


def decode(octets: bytes) -> str:
    """Return the digits up to the first F; ``*``, ``#``, ``,``, ``?`` and ``!`` stand for A to E."""
    digits: list[str] = []
    for octet in octets:
        for half in (octet & 0x0F, octet >> 4):
            if half == 0x0F:
                return "".join(digits)
            digits.append(_DIGITS[half])
    return "".join(digits)


def encode(digits: str, length: int | None = None) -> bytes:
    """Return ``digits`` as semi-octets, filled with F up to ``length`` octets, or raise Malformed."""
    halves = [_half(digit) for digit in digits]
    if len(halves) % 2:
        halves.append(0x0F)
    octets = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
    if length is None:
        return octets
    if len(octets) > length:
        raise Malformed(f"{len(digits)} digits do not fit in {length} octets")
    return octets.ljust(length, b"\xff")


def decode_imsi(octets: bytes) -> str:
    """Return the IMSI that the contents of EF.IMSI (9 octets) hold; raise Malformed when they hold none."""
    length = octets[0] if octets else 0
    if not 1 <= length <= 8 or len(octets) < 1 + length:
        raise Malformed(f"the IMSI says that it has {length} octets", offset=0, expected="1 to 8, all there")
    halves = f"{int.from_bytes(octets[1 : 1 + length]):0{2 * length}x}"
    swapped = "".join(halves[i + 1] + halves[i] for i in range(0, len(halves), 2))
    odd, digits = int(swapped[0], 16) & 0x8, swapped[1:].rstrip("f")
    if not digits.isdecimal() or bool(odd) != bool(len(digits) % 2):
        raise Malformed("the IMSI is not 1 to 15 digits with their parity", offset=1)
    return digits


def encode_imsi(imsi: str) -> bytes:
    """Return the contents of EF.IMSI, 9 octets, for 1 to 15 digits."""
    if not imsi.isascii() or not imsi.isdecimal() or len(imsi) > 15:
        raise Malformed(f"an IMSI has 1 to 15 digits, not {len(imsi)} characters")
    halves = [0x9 if len(imsi) % 2 else 0x1, *map(int, imsi)]
    if len(halves) % 2:
        halves.append(0x0F)
    octets = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
    return (bytes((len(octets),)) + octets).ljust(9, b"\xff")


def decode_plmn(octets: bytes) -> str:
    """Return a PLMN as MCC, a hyphen and MNC ("001-01"), or "" when the 3 octets are FF."""
    if len(octets) != 3:
        raise Malformed(f"a PLMN has 3 octets, not {len(octets)}")
    if octets == b"\xff\xff\xff":
        return ""
    a, b, c = octets
    mcc = f"{a & 0xF:x}{a >> 4:x}{b & 0xF:x}"
    mnc = f"{c & 0xF:x}{c >> 4:x}" + ("" if b >> 4 == 0xF else f"{b >> 4:x}")
    return f"{mcc}-{mnc}"


def encode_plmn(plmn: str) -> bytes:
    """Return "001-01" or "001-010" as 3 octets; "" as FF FF FF."""
    if not plmn:
        return b"\xff\xff\xff"
    mcc, hyphen, mnc = plmn.partition("-")
    if not hyphen or len(mcc) != 3 or len(mnc) not in (2, 3):
        raise Malformed(f"{plmn!r} is not a PLMN", expected="MCC-MNC such as 001-01")
    try:
        a, b, c, d, e, f = (int(digit, 16) for digit in mcc + mnc.ljust(3, "f"))
    except ValueError:
        raise Malformed(f"{plmn!r} is not a PLMN", expected="digits") from None
    return bytes((a | b << 4, c | f << 4, d | e << 4))


def _half(digit: str) -> int:
    place = _DIGITS.find(digit) if len(digit) == 1 else -1
    if place < 0:
        raise Malformed(f"{digit!r} is not a digit", expected="0 to 9, *, #")
    return place
