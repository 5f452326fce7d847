# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""What AKA puts into a nonce and into AUTHENTICATE, as scapy packets.

Spec: RFC 3310, section 3.2 (the nonce); 3GPP TS 33.102, 6.3.2 (AUTN) and 6.3.3 (AUTS); TS 31.102, 7.1.2 (the
command and its answers). CK and IK in a card's answer are keys: a tree that shows them is as secret as they.
"""

import base64
import binascii
from typing import Any

from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    FieldLenField,
    PacketField,
    StrField,
    XStrField,
    XStrFixedLenField,
    XStrLenField,
)
from scapy.packet import Packet

NONCE = 32  # octets of RAND and AUTN
_SUCCESS, _SYNC_FAILURE = 0xDB, 0xDC


class AKANonce(Packet):
    """A nonce: RAND, the three parts of AUTN, and what the server adds for itself."""

    name = "AKA nonce"
    fields_desc = [
        XStrFixedLenField("rand", bytes(16), 16),
        XStrFixedLenField("sqn_xor_ak", bytes(6), 6),
        XStrFixedLenField("amf", bytes(2), 2),
        XStrFixedLenField("mac_a", bytes(8), 8),
        XStrField("server_data", b""),
    ]

    @property
    def autn(self) -> bytes:
        """AUTN: SQN xor AK, AMF and MAC-A, 16 octets."""
        return bytes(self.sqn_xor_ak + self.amf + self.mac_a)

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return nothing as payload."""
        return b"", s


class NonceField(PacketField):
    """An AKANonce, written in base64."""

    def __init__(self, name: str) -> None:
        super().__init__(name, AKANonce(), AKANonce)

    def i2m(self, pkt: Any, i: Any) -> bytes:
        """Return the base64 text."""
        return base64.b64encode(bytes(i))

    def getfield(self, pkt: Any, s: Any) -> tuple[bytes, Any]:
        """Return what follows the text, and the nonce."""
        text, quote, rest = s.partition(b'"')
        return quote + rest, AKANonce(base64.b64decode(text))


def is_nonce(text: bytes) -> bool:
    """Tell whether ``text`` is the base64 of RAND, AUTN and perhaps more, as an encoder writes it."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(octets) >= NONCE and base64.b64encode(octets) == text


class AuthenticateCommand(Packet):
    """The data of AUTHENTICATE: RAND and AUTN, each with its length."""

    name = "AUTHENTICATE"
    fields_desc = [
        ByteField("rand_length", 16),
        XStrFixedLenField("rand", bytes(16), 16),
        ByteField("autn_length", 16),
        XStrFixedLenField("sqn_xor_ak", bytes(6), 6),
        XStrFixedLenField("amf", bytes(2), 2),
        XStrFixedLenField("mac_a", bytes(8), 8),
        StrField("more", b""),
    ]


class _Success(ConditionalField):
    """A field of a card's answer that it gives when AUTN was right and fresh."""

    def __init__(self, field: Any) -> None:
        super().__init__(field, lambda answer: answer.tag == _SUCCESS)


class AuthenticateAnswer(Packet):
    """What a card answers: RES, CK and IK (tag DB), or AUTS (tag DC)."""

    name = "AUTHENTICATE answer"
    fields_desc = [
        ByteEnumField("tag", _SUCCESS, {_SUCCESS: "success", _SYNC_FAILURE: "synchronisation failure"}),
        _Success(FieldLenField("res_length", None, length_of="res", fmt="B")),
        _Success(XStrLenField("res", b"", length_from=lambda answer: answer.res_length)),
        _Success(FieldLenField("ck_length", None, length_of="ck", fmt="B")),
        _Success(XStrLenField("ck", b"", length_from=lambda answer: answer.ck_length)),
        _Success(FieldLenField("ik_length", None, length_of="ik", fmt="B")),
        _Success(XStrLenField("ik", b"", length_from=lambda answer: answer.ik_length)),
        ConditionalField(ByteField("auts_length", 14), lambda answer: answer.tag == _SYNC_FAILURE),
        ConditionalField(
            XStrFixedLenField("auts", bytes(14), 14), lambda answer: answer.tag == _SYNC_FAILURE
        ),
        XStrField("more", b""),
    ]


def is_command(octets: bytes) -> bool:
    """Tell whether these are RAND and AUTN of 16 octets each."""
    return len(octets) >= NONCE + 2 and octets[0] == octets[17] == 16


def is_answer(octets: bytes) -> bool:
    """Tell whether these octets are an answer of AUTHENTICATE that is all there."""
    if octets[:2] == bytes((_SYNC_FAILURE, 14)):
        return len(octets) == 16
    place = 1
    for _ in range(3):
        place += 1 + octets[place] if place < len(octets) else len(octets) + 1
    return octets[:1] == bytes((_SUCCESS,)) and place <= len(octets)
