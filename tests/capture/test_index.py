"""The pass as a whole: rows and their columns, many frames, wild octets, and rows that somebody adds."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.file import read_file
from imslab.capture.index import Index, Via
from tests.capture.frames import ETHER, ETHERNET, RAW, TCP4, V4, V6, built, capture, pcap
from tests.capture.test_file import enhanced, interface, section


def test_the_columns_of_a_row() -> None:
    rows = built(RAW, V4, TCP4, V6)
    assert rows.frame.tolist() == [1, 2, 3]
    assert rows.protocol.tolist() == [17, 6, 17]
    assert rows.sport.tolist() == [5060, 1, 5060]
    assert rows.dport.tolist() == [5070, 2, 5070]
    assert rows.length.tolist() == [7] * 3
    assert rows.seq.tolist() == [0, 0xFFFFFFF0, 0]
    assert rows.flags.tolist() == [0, 0x18, 0]
    assert rows.cut.tolist() == [False] * 3
    assert [index.address(octets.tobytes()) for octets in rows.source] == [
        "10.0.0.1",
        "10.0.0.1",
        "2001:db8::1",
    ]
    assert [index.address(octets.tobytes()) for octets in rows.target] == [
        "10.0.0.2",
        "10.0.0.2",
        "2001:db8::2",
    ]
    assert [rows.octets(row) for row in range(3)] == [b"payload"] * 3


def test_the_first_octets_of_payloads_stand_beside_them() -> None:
    long = IP() / UDP(sport=1, dport=2) / Raw(bytes(range(1, 30)))
    sealed = IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / Raw(b"\x40\x00\x00\x14" + bytes(range(20)))
    rows = built(RAW, long, TCP4, sealed, IP() / UDP() / Raw(b"end"))
    assert rows.head[0].tolist() == list(range(1, 13))
    assert rows.head[1][:7].tobytes() == b"payload"
    assert rows.head[2].tolist() == list(range(12))
    assert rows.head[3].tobytes() == b"end" + bytes(9)
    assert rows.words[0].tolist() == [0x01020304, 0x05060708, 0x090A0B0C]
    more = rows.extended(
        np.array([1]), addresses("10.0.0.1"), addresses("10.0.0.2"), np.array([17]), [bytes(long.payload)]
    )
    assert more.head[1].tolist() == list(range(1, 13))


def test_columns_are_small() -> None:
    rows = built(RAW, *[V4] * 1000)
    octets = sum(getattr(rows.rows, name).nbytes for name in rows.rows.__dataclass_fields__)
    assert octets <= 44 * len(rows)
    assert [str(one.dtype) for one in (rows.start, rows.seq)] == ["int64", "int64"]


def test_nothing_has_no_rows() -> None:
    rows = built(RAW)
    assert (len(rows), len(rows.esp), rows.warnings) == (0, 0, [])
    assert rows.source.shape == (0, 16)
    assert rows.protocol.tolist() == []


def test_link_types_may_be_mixed() -> None:
    octets = section() + interface(link=1) + interface(link=101) + interface(link=147)
    for number, frame in enumerate([ETHER / V4, V6, Raw(b"?"), V4, ETHER / TCP4]):
        octets += enhanced("<", number, bytes(frame), number % 3 if number < 3 else 1 if number == 3 else 0)
    rows = index.build(read_file(octets))
    assert rows.frame.tolist() == [1, 2, 4, 5]
    assert rows.warnings == ["1 packets of link type 147 were left out: not known"]


def test_frames_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    packets = [(V4, V6, TCP4)[number % 3] for number in range(50)]
    whole = built(RAW, *packets)
    monkeypatch.setattr(index, "_PART", 7)
    parts = built(RAW, *packets)
    for name in ("frame", "start", "length", "seq", "protocol", "sport"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
    assert [parts.endpoints(row) for row in range(50)] == [whole.endpoints(row) for row in range(50)]


FRAMES = [bytes(ETHER / V4), bytes(ETHER / V6), bytes(ETHER / IP() / UDP(dport=2152) / GTP_U_Header() / V4)]
LINKS = [0, 1, 9, 50, 51, 100, 101, 104, 105, 108, 109, 113, 119, 127, 163, 166, 204, 228, 276]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_wild_octets_are_read_within_their_packet(data: st.DataObject) -> None:
    link = data.draw(st.sampled_from(LINKS))
    frames = data.draw(
        st.lists(st.binary(max_size=120) | st.sampled_from(FRAMES).flatmap(damaged), max_size=5)
    )
    file = capture(link, *frames)
    rows = index.build(file)
    inside = rows.start < rows.data.file_length
    ends, at = file.records.offset + file.records.length, rows.frame - 1
    assert (rows.start >= file.records.offset[at])[inside].all()
    assert (rows.start + rows.length <= ends[at])[inside].all()
    assert (rows.length >= 0).all()
    assert (rows.start + rows.length <= len(rows.data)).all()
    assert all(len(rows.octets(row)) == rows.length[row] for row in range(len(rows)))


def damaged(frame: bytes) -> st.SearchStrategy[bytes]:
    """Return the frame with one octet changed and its end cut off."""
    change = st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255), st.integers(0, len(frame)))
    return change.map(lambda c: (frame[: c[0]] + bytes([c[1]]) + frame[c[0] + 1 :])[: c[2]])


def addresses(*texts: str) -> "np.typing.NDArray[np.uint8]":
    return np.array(
        [[0] * 10 + [255, 255] + [int(part) for part in text.split(".")] for text in texts], np.uint8
    )


def extended(rows: Index, frame: int, packet: Packet) -> Index:
    """Add what an IP packet of scapy carries."""
    source, target = addresses(packet.src), addresses(packet.dst)
    return rows.extended(np.array([frame]), source, target, np.array([packet.proto]), [bytes(packet.payload)])


def test_rows_that_somebody_adds_stand_among_the_others() -> None:
    rows = built(RAW, V4, TCP4, V4)
    sealed = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5060, dport=5070) / Raw(b"opened")
    more = extended(rows, 2, sealed)
    assert more.frame.tolist() == [1, 2, 2, 3]
    assert [more.octets(row) for row in range(4)] == [b"payload", b"payload", b"opened", b"payload"]
    assert more.via.tolist() == [0, 0, Via.ESP, 0]
    assert more.flow[2] == more.flow[0]
    assert len(rows) == 3
    assert rows.octets(2) == b"payload"


def test_added_payloads_may_hold_tunnels_and_tcp() -> None:
    rows = built(RAW, V4)
    more = extended(rows, 1, IP(src="10.0.0.1", dst="10.0.0.2") / V6)
    more = extended(more, 1, IP(src="10.9.9.9", dst="10.0.0.2") / TCP(sport=7, dport=8, seq=9) / Raw(b"tcp"))
    assert [more.octets(row) for row in range(3)] == [b"payload", b"payload", b"tcp"]
    assert more.endpoints(2) == (("10.9.9.9", 7), ("10.0.0.2", 8))
    assert more.seq.tolist() == [0, 0, 9]
    assert more.via.tolist() == [0, Via.ESP | Via.IP_IN_IP, Via.ESP]


def test_opened_esp_is_marked() -> None:
    keys = {
        "crypt_algo": "AES-CBC",
        "crypt_key": bytes(16),
        "auth_algo": "HMAC-SHA1-96",
        "auth_key": bytes(20),
    }
    sa = SecurityAssociation(ESP, spi=1, **keys)
    rows = built(RAW, sa.encrypt(V4), V4, sa.encrypt(V4, seq_num=2))
    clear = [bytes(V4.payload)]
    more = rows.opened(np.array([1]), np.array([17]), clear)
    assert (rows.esp.opened.tolist(), more.esp.opened.tolist()) == ([False, False], [False, True])
    assert (more.frame.tolist(), more.octets(1)) == ([2, 3], b"payload")
    assert more.endpoints(1) == rows.endpoints(0)


def test_what_esp_in_a_tunnel_holds_came_through_both() -> None:
    keys = {
        "crypt_algo": "AES-CBC",
        "crypt_key": bytes(16),
        "auth_algo": "HMAC-SHA1-96",
        "auth_key": bytes(20),
    }
    outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1)
    rows = built(RAW, outer / SecurityAssociation(ESP, spi=1, **keys).encrypt(V4))
    more = rows.opened(np.array([0]), np.array([17]), [bytes(V4.payload)])
    assert more.via.tolist() == [Via.GTP_U | Via.ESP]


def test_a_length_that_nothing_holds_costs_nothing() -> None:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 65535, 1, 0, 64, 17, 0, bytes(4), bytes(4))
    rows = index.build(read_file(pcap(ETHERNET, bytes(ETHER)[:12] + b"\x08\x00" + header + b"\x00" * 8)))
    assert (rows.length.tolist(), len(rows.data)) == ([0], rows.data.file_length)
