"""Headers and checksums, against the bit by bit definition of RFC 1071 and against scapy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.net.packet import Flags, esp_packet, ip_packet, packed_address, tcp_packet, udp_packet
from imslab.octets import checksum

V4 = ("127.0.0.2", 5060), ("127.0.0.3", 5061)
V6 = ("::1", 5060), ("2001:db8::2", 5061)


def slowly(octets: bytes) -> int:
    """RFC 1071, section 1, word by word."""
    padded = octets + bytes(len(octets) % 2)
    total = sum(int.from_bytes(padded[i : i + 2]) for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.binary(max_size=9) | st.lists(st.sampled_from([0, 255]), max_size=6).map(bytes))
def test_checksum_is_that_of_rfc_1071(octets: bytes) -> None:
    assert checksum(octets) == slowly(octets)


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("payload", [b"", b"x", b"REGISTER" * 100, b"\0" * 7])
def test_udp_is_what_scapy_builds(ends: tuple[tuple[str, int], tuple[str, int]], payload: bytes) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    (src, sport), (dst, dport) = ends
    below = IPv6(src=src, dst=dst, hlim=64) if ":" in src else IP(src=src, dst=dst, id=0, flags="DF")
    built = below / UDP(sport=sport, dport=dport) / Raw(payload)
    assert udp_packet(*ends, payload) == bytes(built)


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_tcp_is_what_scapy_builds(ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6

    (src, sport), (dst, dport) = ends
    below = IPv6(src=src, dst=dst, hlim=64) if ":" in src else IP(src=src, dst=dst, id=0, flags="DF")
    syn = TCP(sport=sport, dport=dport, seq=7, ack=0, flags="S", window=65535, options=[("MSS", 1400)])
    assert tcp_packet(*ends, b"", seq=7, ack=0, flags=Flags.SYN) == bytes(below / syn)


@pytest.mark.parametrize("ends", [("127.0.0.2", "127.0.0.3"), ("::1", "2001:db8::2")], ids=["IPv4", "IPv6"])
def test_esp_is_what_scapy_builds(ends: tuple[str, str]) -> None:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    src, dst = ends
    below = (
        IPv6(src=src, dst=dst, hlim=64, nh=50)
        if ":" in src
        else IP(src=src, dst=dst, id=0, flags="DF", proto=50)
    )
    assert esp_packet(src, dst, b"sealed") == bytes(below / Raw(b"sealed"))
    with pytest.raises(Malformed, match="two families"):
        esp_packet("127.0.0.2", "::1", b"")
    assert len(esp_packet("127.0.0.2", "127.0.0.3", bytes(65_515))) == 65_535
    with pytest.raises(Malformed, match="65516 octets do not fit"):
        esp_packet("127.0.0.2", "127.0.0.3", bytes(65_516))


def test_any_protocol_is_what_scapy_builds() -> None:
    from scapy.layers.inet import ICMP, IP

    built = IP(src="127.0.0.2", dst="127.0.0.3", id=0, flags="DF") / ICMP() / b"ping"
    assert ip_packet(1, "127.0.0.2", "127.0.0.3", bytes(built)[20:]) == bytes(built)


def test_a_udp_checksum_of_zero_is_written_as_all_ones() -> None:
    # 0 would say that there is no checksum (RFC 768)
    word = checksum(udp_packet(*V4, b"\0\0")[20:])
    for value in range(0x10000):
        packet = udp_packet(*V4, value.to_bytes(2))
        if packet[26:28] == b"\xff\xff":
            break
    assert packet[26:28] == b"\xff\xff"
    assert word != 0xFFFF


def test_numbers_wrap_at_32_bits() -> None:
    packet = tcp_packet(*V4, b"", seq=2**32 + 5, ack=2**32 + 6, flags=Flags.ACK)
    assert packet[24:32] == bytes.fromhex("0000000500000006")


@pytest.mark.parametrize("host", ["alice", "", "1.2.3", "::g", "1.2.3.4.5"])
def test_a_name_is_no_address(host: str) -> None:
    with pytest.raises(Malformed, match="not an IP address"):
        packed_address(host)


def test_a_zone_is_dropped() -> None:
    assert packed_address("fe80::1%eth0") == packed_address("fe80::1")


@pytest.mark.parametrize("port", [-1, 65536, "5060", None])
def test_a_bad_port_is_refused(port: object) -> None:
    with pytest.raises(Malformed, match="port"):
        udp_packet(("127.0.0.1", port), V4[1], b"")  # type: ignore[arg-type]


def test_two_families_are_refused() -> None:
    with pytest.raises(Malformed, match="two families"):
        udp_packet(V4[0], V6[0], b"")


@pytest.mark.parametrize(("ends", "most"), [(V4, 65_507), (V6, 65_527)], ids=["IPv4", "IPv6"])
def test_the_largest_datagram(ends: tuple[tuple[str, int], tuple[str, int]], most: int) -> None:
    assert len(udp_packet(*ends, bytes(most))) > most
    with pytest.raises(Malformed, match="do not fit"):
        udp_packet(*ends, bytes(most + 1))
