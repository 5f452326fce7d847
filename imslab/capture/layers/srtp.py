# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""SRTP as a scapy layer: the header in clear, what is encrypted, and the authentication tag.

Spec: RFC 3711, section 3.1; RFC 7714, section 8. No octet of a packet says whether it is RTP or SRTP, and how
long its tag is: the signalling does. ``announced`` remembers which sockets it announced.
"""

from typing import Any

from scapy.fields import (
    BitField,
    BitFieldLenField,
    ConditionalField,
    FieldLenField,
    FieldListField,
    IntField,
    ShortField,
    XShortField,
    XStrField,
    XStrLenField,
)
from scapy.layers.rtp import RTP
from scapy.packet import Packet

from imslab.srtp import Session

_VERSION_2 = 2
_RTCP = range(192, 224)  # the second octet, where RTCP shares the port (RFC 5761, section 4)
_HEADER = 12


class _Extended(ConditionalField):
    """A field of the header extension (RFC 3550, 5.3.1)."""

    def __init__(self, field: Any) -> None:
        super().__init__(field, lambda packet: packet.extension == 1)


class _Ciphertext(XStrField):
    """All octets but those of the tag."""

    def getfield(self, pkt: Any, s: Any) -> tuple[bytes, bytes]:
        """Return the tag, and what lies before it."""
        end = max(len(s) - pkt.tag_length, 0)
        return s[end:], s[:end]


class SRTP(Packet):
    """One SRTP packet without an MKI, with a tag of 10 octets: AES_CM_128_HMAC_SHA1_80."""

    name = "SRTP"
    tag_length = 10
    fields_desc = [
        BitField("version", _VERSION_2, 2),
        BitField("padding", 0, 1),
        BitField("extension", 0, 1),
        BitFieldLenField("csrc_count", None, 4, count_of="csrc"),
        BitField("marker", 0, 1),
        BitField("payload_type", 0, 7),
        ShortField("sequence", 0),
        IntField("timestamp", 0),
        IntField("ssrc", 0),
        FieldListField("csrc", [], IntField("", 0), count_from=lambda packet: packet.csrc_count),
        _Extended(XShortField("extension_profile", 0xBEDE)),
        _Extended(
            FieldLenField(
                "extension_words", None, length_of="extension_data", fmt="H", adjust=lambda packet, n: n // 4
            )
        ),
        _Extended(XStrLenField("extension_data", b"", length_from=lambda packet: 4 * packet.extension_words)),
        _Ciphertext("ciphertext", b""),
        XStrField("tag", b""),
    ]

    @staticmethod
    def protected(rtp: Packet, session: Session) -> "SRTP":
        """Return an RTP packet as ``session`` sends it; SrtpError when it will not."""
        return with_tag(session.profile.tag_length)(session.protect(bytes(rtp)))

    def unprotected(self, session: Session) -> RTP:
        """Return scapy's RTP packet in clear; AuthenticationFailed, or another SrtpError."""
        return RTP(session.unprotect(bytes(self)))

    def mysummary(self) -> str:
        """Return what the clear header says."""
        return f"SRTP SSRC {self.ssrc:08x} sequence {self.sequence}"


class SRTP32(SRTP):
    """An SRTP packet with a tag of 4 octets: the profiles whose names end in _32."""

    name = "SRTP, short tag"
    tag_length = 4


class SRTPGCM(SRTP):
    """An SRTP packet with a tag of 16 octets: AES-GCM."""

    name = "SRTP, GCM"
    tag_length = 16


def with_tag(length: int) -> type[SRTP]:
    """Return the class of SRTP packets whose tag has ``length`` octets; that of 10 for any other length."""
    return {SRTP32.tag_length: SRTP32, SRTPGCM.tag_length: SRTPGCM}.get(length, SRTP)


def looks_like_rtp(octets: bytes) -> bool:
    """Tell whether octets have the form of RTP, and not of RTCP (RFC 7983; RFC 5761, section 4)."""
    return len(octets) >= _HEADER and octets[0] >> 6 == _VERSION_2 and octets[1] not in _RTCP
