# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""GSMTAP with the APDUs of a SIM as scapy layers.

Spec: libosmocore's gsmtap.h, version 2; ETSI TS 102 221, 10.1; 3GPP TS 31.102, 7.1.2. A packet holds a
command and its response as T=0 writes them. GET RESPONSE after AUTHENTICATE brings its answer:
it is known by its form.
"""

from typing import Any

from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    IntField,
    PacketField,
    SignedByteField,
    XByteField,
    XShortField,
    XStrField,
    XStrLenField,
)
from scapy.packet import Packet, Raw

from imslab.capture.layers.aka import AuthenticateAnswer, AuthenticateCommand, is_answer, is_command
from imslab.uicc import gsmtap
from imslab.uicc.apdu import AUTHENTICATE, GET_RESPONSE, NAMES, SELECT, takes_data

_HEADER, _SHORTEST, _STATUS = 16, 7, 2  # octets: of the header, of an exchange, of a status word
_TYPES = {1: "Um", 2: "Abis", 4: "SIM", 13: "LTE RRC", 18: "LTE NAS"}
_SUBTYPES = {gsmtap.SUBTYPE_APDU: "APDU", gsmtap.SUBTYPE_ATR: "ATR"}


class GSMTAP(Packet):
    """The header; its payload is SIMAPDU, SIMATR, or Raw for what is no SIM's."""

    name = "GSMTAP"
    fields_desc = [
        ByteField("version", 2),
        ByteField("header_words", 4),
        ByteEnumField("type", gsmtap.TYPE_SIM, _TYPES),
        ByteField("timeslot", 0),
        XShortField("arfcn", 0),
        SignedByteField("signal_dbm", 0),
        SignedByteField("snr_db", 0),
        IntField("frame_number", 0),
        ByteEnumField("subtype", gsmtap.SUBTYPE_APDU, _SUBTYPES),
        ByteField("antenna", 0),
        ByteField("sub_slot", 0),
        ByteField("reserved", 0),
        ConditionalField(
            XStrLenField("more", b"", length_from=lambda packet: 4 * packet.header_words - _HEADER),
            lambda packet: packet.header_words * 4 > _HEADER,
        ),
    ]

    def guess_payload_class(self, payload: bytes) -> Any:
        """Return what a SIM says."""
        if self.type != gsmtap.TYPE_SIM:
            return super().guess_payload_class(payload)
        if self.subtype == gsmtap.SUBTYPE_ATR:
            return SIMATR
        whole = self.subtype == gsmtap.SUBTYPE_APDU and len(payload) >= _SHORTEST
        return SIMAPDU if whole else super().guess_payload_class(payload)


class SIMATR(Packet):
    """An answer to reset."""

    name = "ATR"
    fields_desc = [XStrField("atr", b"")]


class _Data(PacketField):
    """Octets to the card: RAND and AUTN, or Raw; None when there are none."""

    def getfield(self, pkt: Any, s: Any) -> tuple[bytes, Any]:
        """Return what follows the data, and the data."""
        header = bytes((pkt.cla, pkt.ins, pkt.p1, pkt.p2))
        end = pkt.p3 if takes_data(header) and pkt.p3 <= len(s) - _STATUS else 0
        return s[end:], self._read(pkt, s[:end]) if end else None

    def _read(self, pkt: Any, octets: bytes) -> Packet:
        asked = pkt.ins == AUTHENTICATE and is_command(octets)
        return AuthenticateCommand(octets) if asked else Raw(octets)


class _Answer(_Data):
    """Octets from the card: RES and keys, AUTS, or Raw; None when there are none."""

    def getfield(self, pkt: Any, s: Any) -> tuple[bytes, Any]:
        """Return the status word, and what lies before it."""
        end = max(len(s) - _STATUS, 0)
        return s[end:], self._read(pkt, s[:end]) if end else None

    def _read(self, pkt: Any, octets: bytes) -> Packet:
        brings = pkt.ins in (AUTHENTICATE, GET_RESPONSE) and is_answer(octets)
        return AuthenticateAnswer(octets) if brings else Raw(octets)


class SIMAPDU(Packet):
    """A command and its response: CLA INS P1 P2 P3, data one way or the other, the status word.

    ``p3`` None is computed: the octets of ``data``, else those of ``answer``.
    """

    name = "SIM APDU"
    fields_desc = [
        XByteField("cla", 0),
        ByteEnumField("ins", SELECT, NAMES),
        XByteField("p1", 0),
        XByteField("p2", 0),
        ByteField("p3", None),
        _Data("data", None, Raw),
        _Answer("answer", None, Raw),
        XShortField("sw", 0x9000),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in P3."""
        if self.p3 is None:
            octets = self.data if self.data is not None else self.answer
            pkt = pkt[:4] + bytes((len(bytes(octets or b"")) & 0xFF,)) + pkt[5:]
        return pkt + pay

    def mysummary(self) -> str:
        """Return the command's name and the status word."""
        return f"{NAMES.get(self.ins, 'APDU')} {self.sw:04X}"


def looks_like_gsmtap(octets: bytes) -> bool:
    """Tell whether octets begin with a GSMTAP header that is all there."""
    return len(octets) >= _HEADER and octets[0] in (2, 3) and _HEADER <= 4 * octets[1] <= len(octets)
