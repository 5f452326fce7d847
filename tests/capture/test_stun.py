"""STUN: what is counted, what is not, and who speaks at which socket."""

import pytest

from imslab.capture import stun
from imslab.capture.index import Index
from tests.capture.frames import RAW, built
from tests.capture.media_trace import ALICE, BOB, indexed

COOKIE = (0x2112A442).to_bytes(4)


def message(
    kind: int, attributes: bytes = b"", *, cookie: bytes = COOKIE, length: int | None = None
) -> bytes:
    size = len(attributes) if length is None else length
    return kind.to_bytes(2) + size.to_bytes(2) + cookie + bytes(12) + attributes


def username(text: str) -> bytes:
    octets = text.encode()
    return b"\0\x06" + len(octets).to_bytes(2) + octets + bytes(-len(octets) % 4)


def read(*octets: bytes) -> tuple[Index, stun.StunMessages]:
    index = indexed([(float(place), ALICE, BOB, one) for place, one in enumerate(octets)])
    return index, stun.read(index)


def test_messages_by_type() -> None:
    _, found = read(message(0x0001), message(0x0101), message(0x0113), message(0x0016), message(0x0001))
    assert len(found) == 5
    assert found.by_type == {
        "0x0001 Binding Request": 2,
        "0x0016 Send Indication": 1,
        "0x0101 Binding Success": 1,
        "0x0113 Allocate Error": 1,
    }


@pytest.mark.parametrize(
    "octets",
    [
        message(0x0001)[:19],
        message(0x0001, cookie=bytes(4)),
        message(0x4001),
        message(0x8001),
        message(0x0001, bytes(3)),
        message(0x0001, length=8),
        message(0x0800),
        message(0x000D),
    ],
    ids=["short", "no cookie", "channel data", "RTP", "odd length", "cut", "method unknown", "method free"],
)
def test_what_is_not_stun(octets: bytes) -> None:
    assert len(read(octets)[1]) == 0


def test_icmp_that_quotes_stun_is_not_counted() -> None:
    from scapy.layers.inet import ICMP, IP, UDP
    from scapy.packet import Raw

    quoted = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / Raw(message(0x0001))
    index = built(RAW, IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=3, code=3) / quoted)
    assert len(stun.read(index)) == 0


def test_several_messages_in_one_tcp_segment() -> None:
    from scapy.layers.inet import IP, TCP
    from scapy.packet import Raw

    octets = message(0x0003, bytes(4)) + message(0x0103) + message(0x0008)[:10]
    index = built(RAW, IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=80, flags="PA") / Raw(octets))
    assert stun.read(index).type.tolist() == [0x0003, 0x0103]


def test_what_follows_in_a_datagram_is_no_message() -> None:
    assert len(read(message(0x0001) + message(0x0001))[1]) == 1


def test_ice_names_belong_to_sockets() -> None:
    check = message(0x0001, b"\0\x24\0\4" + bytes(4) + username("bob:alice"))
    index, found = read(check, check, message(0x0101), message(0x0001, username("no colon")))
    assert list(stun.ice_names(index, found)) == [(ALICE, "alice"), (BOB, "bob")]


@pytest.mark.parametrize(
    "attributes", [b"", b"\0\6\xff\xfc", b"\0\1\0\3abc\0", b"\xff" * 8], ids=["none", "long", "other", "wild"]
)
def test_attributes_without_a_name(attributes: bytes) -> None:
    index, found = read(message(0x0001, attributes))
    assert list(stun.ice_names(index, found)) == []


def test_a_part() -> None:
    _, found = read(message(0x0001), message(0x0101))
    assert found.take(found.type == 0x0101).type.tolist() == [0x0101]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (0x0001, "Binding Request"),
        (0x0011, "Binding Indication"),
        (0x0109, "ChannelBind Success"),
        (0x0118, "CreatePermission Error"),
        (0x0200, "GOOG-PING Request"),
    ],
)
def test_names(kind: int, name: str) -> None:
    assert stun.name_of(kind) == f"0x{kind:04x} {name}"
