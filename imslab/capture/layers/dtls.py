# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF012  (fields_desc is scapy's)
"""DTLS records as scapy layers, and what of the handshake DTLS-SRTP needs.

Spec: RFC 6347, section 4 (DTLS 1.2; 1.0 has the same form); RFC 5764, section 4.1.1 (use_srtp). Records of an
epoch after 0 are encrypted and stay as they are.
"""

from typing import Any

from scapy.fields import (
    BitField,
    ByteEnumField,
    ByteField,
    FieldLenField,
    FieldListField,
    PacketListField,
    ShortEnumField,
    ShortField,
    X3BytesField,
    XShortEnumField,
    XStrFixedLenField,
    XStrLenField,
)
from scapy.packet import Packet

from imslab.capture.layers.announced import announced, sockets
from imslab.capture.layers.text import MOST_LINES, has_room

TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data", 24: "heartbeat"}
VERSIONS = {0xFEFF: "DTLS 1.0", 0xFEFD: "DTLS 1.2"}
MESSAGES = {
    0: "hello_request", 1: "client_hello", 2: "server_hello", 3: "hello_verify_request",
    4: "new_session_ticket", 11: "certificate", 12: "server_key_exchange", 13: "certificate_request",
    14: "server_hello_done", 15: "certificate_verify", 16: "client_key_exchange", 20: "finished",
}  # fmt: skip
USE_SRTP = 14
PROFILES = {
    1: "SRTP_AES128_CM_HMAC_SHA1_80", 2: "SRTP_AES128_CM_HMAC_SHA1_32", 5: "SRTP_NULL_HMAC_SHA1_80",
    6: "SRTP_NULL_HMAC_SHA1_32", 7: "SRTP_AEAD_AES_128_GCM", 8: "SRTP_AEAD_AES_256_GCM",
}  # fmt: skip
_HEADER, _HANDSHAKE, _ALERT = 13, 22, 21
_COMPUTED: Any = None  # a length that is filled in when the packet is built


_DEFAULT_PROFILES: Any = [1]


class _Part(Packet):
    """Something of known length: what follows belongs to the next one."""

    name = "part"

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return nothing as payload."""
        return b"", s


class DTLSExtension(_Part):
    """One extension of a hello."""

    name = "DTLS extension"
    fields_desc = [
        ShortEnumField(
            "type", 0, {USE_SRTP: "use_srtp", 10: "supported_groups", 23: "extended_master_secret"}
        ),
        FieldLenField("length", None, length_of="data", fmt="H"),
        XStrLenField("data", b"", length_from=lambda part: part.length),
    ]

    @classmethod
    def dispatch_hook(cls, octets: bytes | None = None, *args: Any, **values: Any) -> type[Packet]:
        """Return UseSRTP for its type."""
        return UseSRTP if octets and octets[:2] == USE_SRTP.to_bytes(2) else DTLSExtension


class UseSRTP(_Part):
    """The extension of DTLS-SRTP: profiles that are offered, or the one that was chosen, and an MKI."""

    name = "use_srtp"
    fields_desc = [
        ShortEnumField("type", USE_SRTP, {USE_SRTP: "use_srtp"}),
        FieldLenField(
            "length", None, length_of="profiles", fmt="H", adjust=lambda part, n: n + 3 + len(part.mki)
        ),
        FieldLenField("profiles_length", None, length_of="profiles", fmt="H"),
        FieldListField(
            "profiles",
            _DEFAULT_PROFILES,
            XShortEnumField("", 1, PROFILES),
            length_from=lambda part: part.profiles_length,
        ),
        FieldLenField("mki_length", None, length_of="mki", fmt="B"),
        XStrLenField("mki", b"", length_from=lambda part: part.mki_length),
    ]


def _next_extension(pkt: Any, lst: Any, cur: Any, remain: bytes) -> type[Packet] | None:
    return DTLSExtension if len(remain) >= 4 and has_room(lst, cur) else None


class _Hello(_Part):
    name = "hello"


class DTLSClientHello(_Hello):
    """What a client offers."""

    name = "ClientHello"
    fields_desc = [
        XShortEnumField("version", 0xFEFD, VERSIONS),
        XStrFixedLenField("random", bytes(32), 32),
        FieldLenField("session_id_length", None, length_of="session_id", fmt="B"),
        XStrLenField("session_id", b"", length_from=lambda hello: hello.session_id_length),
        FieldLenField("cookie_length", None, length_of="cookie", fmt="B"),
        XStrLenField("cookie", b"", length_from=lambda hello: hello.cookie_length),
        FieldLenField("ciphers_length", None, length_of="ciphers", fmt="H"),
        FieldListField("ciphers", [], ShortField("", 0), length_from=lambda hello: hello.ciphers_length),
        FieldLenField("compression_length", None, length_of="compression", fmt="B"),
        XStrLenField("compression", b"\0", length_from=lambda hello: hello.compression_length),
        FieldLenField("extensions_length", None, length_of="extensions", fmt="H"),
        PacketListField(
            "extensions",
            [],
            next_cls_cb=_next_extension,
            length_from=lambda hello: hello.extensions_length,
            max_count=MOST_LINES,
        ),
    ]


class DTLSServerHello(_Hello):
    """What a server chose."""

    name = "ServerHello"
    fields_desc = [
        XShortEnumField("version", 0xFEFD, VERSIONS),
        XStrFixedLenField("random", bytes(32), 32),
        FieldLenField("session_id_length", None, length_of="session_id", fmt="B"),
        XStrLenField("session_id", b"", length_from=lambda hello: hello.session_id_length),
        ShortField("cipher", 0),
        ByteField("compression", 0),
        FieldLenField("extensions_length", None, length_of="extensions", fmt="H"),
        PacketListField(
            "extensions",
            [],
            next_cls_cb=_next_extension,
            length_from=lambda hello: hello.extensions_length,
            max_count=MOST_LINES,
        ),
    ]


class DTLSHelloVerifyRequest(_Part):
    """A cookie that the client must repeat (RFC 6347, 4.2.1)."""

    name = "HelloVerifyRequest"
    fields_desc = [
        XShortEnumField("version", 0xFEFF, VERSIONS),
        FieldLenField("cookie_length", None, length_of="cookie", fmt="B"),
        XStrLenField("cookie", b"", length_from=lambda hello: hello.cookie_length),
    ]


class DTLSHandshake(Packet):
    """One handshake message, or a fragment of one: then what follows its header stays as it is."""

    name = "DTLS handshake"
    fields_desc = [
        ByteEnumField("type", 1, MESSAGES),
        X3BytesField("length", _COMPUTED),
        ShortField("message_seq", 0),
        X3BytesField("fragment_offset", 0),
        X3BytesField("fragment_length", _COMPUTED),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the lengths."""
        length = pkt[1:4] if self.length is not None else len(pay).to_bytes(3)
        fragment = pkt[9:12] if self.fragment_length is not None else len(pay).to_bytes(3)
        return pkt[:1] + length + pkt[4:9] + fragment + pkt[12:] + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return the message, and what follows it in the record."""
        return s[: self.fragment_length], s[self.fragment_length :]

    def guess_payload_class(self, payload: bytes) -> Any:
        """Return the class of a message that is whole and known here."""
        whole = self.fragment_offset == 0 and self.fragment_length == self.length == len(payload)
        known = _BODIES.get(self.type) if whole else None
        return known or super().guess_payload_class(payload)


_BODIES = {1: DTLSClientHello, 2: DTLSServerHello, 3: DTLSHelloVerifyRequest}


class DTLSAlert(_Part):
    """An alert in clear."""

    name = "DTLS alert"
    fields_desc = [ByteEnumField("level", 2, {1: "warning", 2: "fatal"}), ByteField("description", 0)]


class DTLSRecord(Packet):
    """One record; the sequence number counts from 0 in each epoch."""

    name = "DTLS record"
    fields_desc = [
        ByteEnumField("type", _HANDSHAKE, TYPES),
        XShortEnumField("version", 0xFEFD, VERSIONS),
        ShortField("epoch", 0),
        BitField("sequence", 0, 48),
        ShortField("length", _COMPUTED),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length."""
        return (pkt if self.length is not None else pkt[:11] + len(pay).to_bytes(2)) + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Return what the record holds, and the next record."""
        return s[: self.length], s[self.length :]

    def guess_payload_class(self, payload: bytes) -> Any:
        """Return what a record in clear holds."""
        if self.epoch == 0 and self.type == _HANDSHAKE and len(payload) >= 12:
            return DTLSHandshake
        if self.epoch == 0 and self.type == _ALERT and len(payload) == 2:
            return DTLSAlert
        return super().guess_payload_class(payload)


def _next_record(pkt: Any, lst: Any, cur: Any, remain: bytes) -> type[Packet] | None:
    return DTLSRecord if looks_like_dtls(remain) and has_room(lst, cur) else None


class DTLS(Packet):
    """The records of one datagram."""

    name = "DTLS"
    fields_desc = [PacketListField("records", [], next_cls_cb=_next_record, max_count=MOST_LINES)]

    def post_dissection(self, pkt: Packet) -> None:
        """Note what a ServerHello chose for both sockets."""
        if DTLSServerHello in self and UseSRTP in self:
            for socket in sockets(self.underlayer):
                announced.chosen(socket, self[UseSRTP].profiles[0])


def looks_like_dtls(octets: bytes) -> bool:
    """Tell whether these octets begin with a record that is all there (RFC 7983)."""
    return (
        len(octets) >= _HEADER
        and octets[0] in TYPES
        and int.from_bytes(octets[1:3]) in VERSIONS
        and int.from_bytes(octets[11:13]) <= len(octets) - _HEADER
    )
