"""GTP: the user's packet is found behind extension headers, elements become another subscriber's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.gtp import Gtp
from imslab.uicc import bcd
from tests.capture.anonymise.parts import Parts, parts

IP = b"\x45alice's packet"


def gtp(made: Parts) -> Gtp:
    return Gtp(made.texts, bytes.upper)


def user(payload: bytes, *, flags: int = 0x30, kind: int = 255, more: bytes = b"") -> bytes:
    return bytes((flags, kind)) + (len(more) + len(payload)).to_bytes(2) + b"TEID" + more + payload


@pytest.mark.parametrize(
    ("flags", "more"),
    [
        (0x30, b""),
        (0x32, b"\0\1\0\0"),
        (0x34, b"\0\0\0\x85\1\x10\x09\0"),
        (0x34, b"\0\0\0\x85\1\x10\x09\x85\2\1\2\3\4\5\6\0"),
    ],
)
def test_a_user_s_packet(made: Parts, flags: int, more: bytes) -> None:
    old = user(IP, flags=flags, more=more)
    assert gtp(made).user(old) == old[: -len(IP)] + IP.upper()


def test_what_is_no_packet_is_blanked(made: Parts) -> None:
    assert gtp(made).user(user(b"\x11alice")) == user(bytes(6))
    assert gtp(made).user(user(b"\x85\0\4" + bytes((192, 0, 2, 7)), kind=26)) == user(
        b"\x85\0\4" + made.addresses.ip(bytes((192, 0, 2, 7))), kind=26
    )
    assert gtp(made).user(b"\x48no GTP version 1") is None
    assert gtp(made).user(b"\x30") is None


def element(kind: int, value: bytes) -> bytes:
    return bytes((kind,)) + len(value).to_bytes(2) + b"\0" + value


def control(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return b"\x48\x20" + (len(body) + 8).to_bytes(2) + b"TEID" + b"\0\0\1\0" + body


APN = b"\x03ims\x06mnc001\x06mcc001\x04gprs"
PCO = b"\x80\x00\x0c\x04" + bytes((192, 0, 2, 7)) + b"\x80\x21\x04user"


def test_a_session_is_another_subscriber_s(made: Parts) -> None:
    made.numbers.note_networks(b"mnc001.mcc001")
    imsi, number = "001010123456789", "4915112345678"
    address, tunnel = bytes((192, 0, 2, 7)), b"\x86\0\0\0\1" + bytes((192, 0, 2, 9))
    old = control(
        element(1, bcd.encode(imsi)),
        element(76, bcd.encode(number)),
        element(71, APN),
        element(79, b"\1" + address),
        element(83, bcd.encode_plmn("001-01")),
        element(87, tunnel),
        element(78, PCO),
        element(72, b"\0\0\1\0" * 2),
        element(93, element(73, b"\5") + element(87, tunnel)),
        element(86, b"the place where alice is"),
    )
    new = gtp(made).control(old)
    assert new is not None
    ip, new_tunnel = made.addresses.ip, b"\x86\0\0\0\1" + made.addresses.ip(bytes((192, 0, 2, 9)))
    host = made.texts.host("ims.mnc001.mcc001.gprs").split(".")
    assert new == control(
        element(1, bcd.encode(made.numbers.number(imsi))),
        element(76, bcd.encode(made.numbers.number(number))),
        element(71, b"".join(bytes((len(label),)) + label.encode() for label in host)),
        element(79, b"\1" + ip(address)),
        element(83, made.numbers.plmn(bcd.encode_plmn("001-01"))),
        element(87, new_tunnel),
        element(78, b"\x80\x00\x0c\x04" + ip(address) + b"\x80\x21\x04" + bytes(4)),
        element(72, b"\0\0\1\0" * 2),
        element(93, element(73, b"\5") + element(87, new_tunnel)),
        element(86, bytes(24)),
    )


def test_what_is_no_control_message(made: Parts) -> None:
    assert gtp(made).control(b"\x32" + bytes(20)) is None
    assert gtp(made).control(control()[:-1]) is None


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_message_keeps_its_length(body: bytes, kind: int) -> None:
    rewriter = gtp(parts())
    for octets in (
        body,
        user(body, kind=kind),
        user(body, flags=0x34),
        control(element(kind, body)),
        control(body),
    ):
        for new in (rewriter.user(octets), rewriter.control(octets)):
            assert new is None or len(new) == len(octets)
