"""Tunnels: VXLAN, Geneve, TURN's channels, HEP."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.tunnels import Tunnels
from tests.capture.anonymise.parts import Parts, parts

FLOW = (b"", 0, b"", 0)


class Inner:
    """Marks what it was given."""

    def packet(self, octets: bytes) -> bytes:
        return b"P" * len(octets)

    def frame(self, octets: bytes) -> bytes:
        return b"F" * len(octets)


def tunnels(made: Parts) -> Tunnels:
    return Tunnels(made.texts, Inner(), lambda octets: b"D" * len(octets))


@pytest.mark.parametrize(
    ("ports", "octets", "new"),
    [
        ((9, 4789), b"\x08\0\0\0\0\0\7\0" + b"x" * 20, b"\x08\0\0\0\0\0\7\0" + b"F" * 20),
        ((9, 6081), b"\x01\0\x65\x58\0\0\7\0optnxxxx", b"\x01\0\x65\x58\0\0\7\0\0\0\0\0FFFF"),
        ((9, 6081), b"\0\0\x08\0\0\0\7\0xxxx", b"\0\0\x08\0\0\0\7\0PPPP"),
        ((9, 6081), b"\0\0\x12\x34\0\0\7\0xxxx", b"\0\0\x12\x34\0\0\7\0\0\0\0\0"),
        ((9, 9), b"\x40\1\0\5xxxxx\0\0\0", b"\x40\1\0\5DDDDD\0\0\0"),
    ],
)
def test_what_is_inside(made: Parts, ports: tuple[int, int], octets: bytes, new: bytes) -> None:
    assert tunnels(made).rewrite(ports, FLOW, octets) == new


def chunk(kind: int, value: bytes) -> bytes:
    return b"\0\0" + kind.to_bytes(2) + (6 + len(value)).to_bytes(2) + value


def test_hep(made: Parts) -> None:
    address = bytes((192, 0, 2, 7))
    old = (
        b"HEP3\0\0"
        + chunk(1, b"\2")
        + chunk(3, address)
        + chunk(15, b"SIP")
        + chunk(14, b"key")
        + chunk(19, b"alice")
    )
    new = tunnels(made).rewrite((9060, 9060), FLOW, old)
    assert new == b"HEP3\0\0" + chunk(1, b"\2") + chunk(3, made.addresses.ip(address)) + chunk(
        15, b"DDD"
    ) + chunk(14, bytes(3)) + chunk(19, made.texts.words("alice").encode())


@pytest.mark.parametrize("octets", [b"\x40\1\0\5xx", b"SIP", b"\x80\0\0\0"])
def test_what_is_none(made: Parts, octets: bytes) -> None:
    assert tunnels(made).rewrite((9, 9), FLOW, octets) is None


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60), st.sampled_from([4789, 6081, 9]))
def test_any_datagram_keeps_its_length(octets: bytes, port: int) -> None:
    for each in (octets, b"HEP3\0\0" + octets):
        new = tunnels(parts()).rewrite((9, port), FLOW, each)
        assert new is None or len(new) == len(each)
