"""UDP inside ESP: RFC 768, against what the tap writes and what scapy computes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import EspError, Malformed
from imslab.ipsec.datagram import MOST, datagram, payload_of
from imslab.net.packet import udp_packet

ALICE, PCSCF = ("127.0.0.11", 49_200), ("127.0.0.21", 5063)


@given(st.binary(max_size=100), st.integers(0, 65_535), st.integers(0, 65_535))
def test_round_trip(payload: bytes, source: int, destination: int) -> None:
    octets = datagram(("192.0.2.1", source), ("192.0.2.2", destination), payload)
    assert payload_of(octets + b"more") == (source, destination, payload)


@pytest.mark.parametrize(
    ("ends", "header"), [((ALICE, PCSCF), 20), ((("2001:db8::1", 1), ("2001:db8::2", 2)), 40)]
)
def test_as_the_tap_writes_it(ends: tuple[tuple[str, int], tuple[str, int]], header: int) -> None:
    for payload in (b"", b"REGISTER", b"odd", bytes(2)):
        assert datagram(*ends, payload) == udp_packet(*ends, payload)[header:]


def test_checksum_is_never_none() -> None:
    """RFC 768: a sum of 0 is written as FFFF, for 0 says that there is none."""
    found = {datagram(ALICE, PCSCF, n.to_bytes(2))[6:8] for n in range(65_536)}
    assert bytes(2) not in found and b"\xff\xff" in found


def test_a_checksum_of_scapy() -> None:
    from scapy.layers.inet import IP, UDP

    packet = bytes(IP(src=ALICE[0], dst=PCSCF[0]) / UDP(sport=ALICE[1], dport=PCSCF[1]) / b"REGISTER")
    assert datagram(ALICE, PCSCF, b"REGISTER") == packet[20:]


@pytest.mark.parametrize(
    ("octets", "match"),
    [
        (bytes(7), "7 octets are no UDP datagram"),
        (bytes.fromhex("0001000200070000"), "datagram of 7 octets in 8"),
        (bytes.fromhex("0001000200090000"), "datagram of 9 octets in 8"),
    ],
)
def test_no_datagram(octets: bytes, match: str) -> None:
    with pytest.raises(EspError, match=match):
        payload_of(octets)


def test_what_cannot_be_sent() -> None:
    assert len(datagram(ALICE, PCSCF, bytes(MOST))) == MOST + 8
    with pytest.raises(Malformed, match="do not fit"):
        datagram(ALICE, PCSCF, bytes(MOST + 1))
    with pytest.raises(Malformed, match="no IP address"):
        datagram(("alice", 1), PCSCF, b"")
