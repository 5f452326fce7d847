"""ESP packets that scapy makes: counted, and read where nothing is encrypted."""

import os
import struct
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Packet, Raw

from imslab.capture import index
from imslab.capture.ip import Via
from tests.capture.frames import RAW, built

NULL: dict[str, dict[str, Any]] = {
    "HMAC-SHA1-96": {"auth_algo": "HMAC-SHA1-96", "auth_key": bytes(20)},
    "HMAC-MD5-96": {"auth_algo": "HMAC-MD5-96", "auth_key": bytes(16)},
    "SHA2-256-128": {"auth_algo": "SHA2-256-128", "auth_key": bytes(32)},
    "SHA2-512-256": {"auth_algo": "SHA2-512-256", "auth_key": bytes(64)},
    "AES-CMAC-96": {"auth_algo": "AES-CMAC-96", "auth_key": bytes(16)},
    "no authentication": {"auth_algo": "NULL"},
}
BELOW = IP(src="10.0.0.1", dst="10.0.0.2")
BELOW6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
SIP = b"REGISTER sip:ims.example.org SIP/2.0\r\n\r\n"
INNER = {
    "UDP": UDP(sport=5060, dport=5063) / Raw(SIP),
    "TCP": TCP(sport=5060, dport=5063, seq=9, flags="PA") / Raw(SIP),
}


def association(spi: int = 0x1234, **options: Any) -> SecurityAssociation:
    return SecurityAssociation(ESP, spi=spi, crypt_algo=options.pop("crypt_algo", "NULL"), **options)


@pytest.mark.parametrize("options", NULL.values(), ids=NULL)
@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
@pytest.mark.parametrize("below", [BELOW, BELOW6], ids=["IPv4", "IPv6"])
def test_null_encryption_is_seen(options: dict[str, Any], inner: Packet, below: Packet) -> None:
    sa = association(**options)
    packets = [sa.encrypt(below / inner / Raw(bytes(n)), seq_num=n + 1) for n in range(4)]
    rows = built(RAW, *packets)
    assert [rows.octets(row) for row in range(4)] == [SIP + bytes(n) for n in range(4)]
    assert rows.endpoints(0) == ((below.src, 5060), (below.dst, 5063))
    assert rows.via.tolist() == [Via.ESP] * 4
    assert rows.esp.opened.all()


def test_a_tunnel_is_looked_into() -> None:
    sa = association(**NULL["HMAC-SHA1-96"], tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"))
    rows = built(RAW, sa.encrypt(BELOW / INNER["UDP"]))
    assert rows.endpoints(0) == (("10.0.0.1", 5060), ("10.0.0.2", 5063))
    assert rows.via.tolist() == [Via.ESP | Via.IP_IN_IP]


def test_aes_gmac_has_an_initialisation_vector() -> None:
    inner = bytes(INNER["UDP"]) + b"\x01\x02\x02\x11"
    inner = inner[:4] + struct.pack("!H", 8 + len(SIP)) + inner[6:]
    packet = BELOW / Raw(struct.pack("!II", 7, 1) + os.urandom(8) + inner + os.urandom(16))
    packet.proto = 50
    assert built(RAW, packet).octets(0) == SIP


@pytest.mark.parametrize("cipher", ["AES-CBC", "AES-GCM", "3DES"])
def test_what_is_encrypted_stays_closed(cipher: str) -> None:
    size = {"AES-CBC": 16, "AES-GCM": 20, "3DES": 24}[cipher]
    more = {} if cipher == "AES-GCM" else NULL["HMAC-SHA1-96"]
    sa = association(crypt_algo=cipher, crypt_key=bytes(range(size)), **more)
    rows = built(RAW, *(sa.encrypt(BELOW / INNER["UDP"] / Raw(bytes(n)), seq_num=n + 1) for n in range(20)))
    assert (len(rows), len(rows.esp)) == (0, 20) and not rows.esp.opened.any()


def test_noise_is_never_taken_for_clear_text() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (3000, 80), np.uint8)
    header = bytes(IP(proto=50, len=100))
    rows = built(RAW, *(header + row.tobytes() for row in noise))
    assert len(rows.esp) == 3000
    assert not rows.esp.opened.any()


def test_one_that_does_not_fit_among_many_is_left_closed() -> None:
    sa = association(**NULL["HMAC-SHA1-96"])
    packets = [bytes(sa.encrypt(BELOW / INNER["UDP"], seq_num=n + 1)) for n in range(20)]
    packets[7] = packets[7][:60] + bytes(len(packets[7]) - 60)
    assert built(RAW, *packets).esp.opened.tolist() == [n != 7 for n in range(20)]
    packets[8:12] = [packets[7]] * 4
    assert not built(RAW, *packets).esp.opened.any()


def test_icmp_in_clear_is_opened_and_has_no_row() -> None:
    sa = association(**NULL["HMAC-SHA1-96"])
    rows = built(RAW, sa.encrypt(BELOW / ICMP() / Raw(bytes(56))))
    assert (len(rows), rows.esp.opened.tolist()) == (0, [True])


def test_the_columns_of_esp() -> None:
    sa, other = association(0xFFFFFFFF, **NULL["HMAC-SHA1-96"]), association(7, **NULL["HMAC-SHA1-96"])
    first, second = (
        bytes(sa.encrypt(BELOW / INNER["UDP"], seq_num=2**32 - 1)),
        bytes(other.encrypt(BELOW6 / ICMP())),
    )
    rows = built(RAW, bytes(BELOW / UDP()), first, second)
    esp = rows.esp
    assert (esp.frame.tolist(), esp.spi.tolist()) == ([2, 3], [0xFFFFFFFF, 7])
    assert esp.sequence.tolist() == [2**32 - 1, 1]
    assert esp.length.tolist() == [len(first) - 20, len(second) - 40]
    assert rows.data[int(esp.start[0]) :][:8] == b"\xff" * 8
    source, target = rows.flows.addresses(esp.pair)
    assert [index.address(octets.tobytes()) for octets in (*source, *target)] == [
        "10.0.0.1", "2001:db8::1", "10.0.0.2", "2001:db8::2",
    ]  # fmt: skip


def test_esp_in_udp_is_counted_and_its_datagram_too() -> None:
    sa = association(**NULL["HMAC-SHA1-96"], nat_t_header=UDP(sport=4500, dport=4500))
    ike = IP() / UDP(sport=4500, dport=4500) / Raw(bytes(40))
    keepalive = IP() / UDP(sport=4500, dport=4500) / Raw(b"\xff")
    rows = built(RAW, sa.encrypt(BELOW / INNER["UDP"]), ike, keepalive)
    assert (rows.esp.frame.tolist(), rows.esp.spi.tolist()) == ([1], [0x1234])
    assert rows.frame.tolist() == [1, 1, 2, 3]
    assert rows.octets(1) == SIP
    assert rows.via.tolist() == [0, Via.ESP | Via.ESP_IN_UDP, 0, 0]


def test_a_packet_that_is_cut_is_not_judged() -> None:
    sa = association(**NULL["HMAC-SHA1-96"])
    packet = bytes(sa.encrypt(BELOW / INNER["UDP"]))
    rows = built(RAW, packet[:-1], original=len(packet))
    assert (rows.esp.cut.tolist(), rows.esp.opened.tolist()) == ([True], [False])
    assert len(built(RAW, bytes(IP(proto=50, len=28)) + bytes(8)).esp) == 1
    assert len(built(RAW, bytes(IP(proto=50, len=27)) + bytes(7)).esp) == 0


def test_esp_in_esp() -> None:
    outer = association(1, **NULL["HMAC-SHA1-96"], tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"))
    inner = association(2, **NULL["SHA2-256-128"])
    rows = built(RAW, outer.encrypt(inner.encrypt(BELOW / INNER["TCP"])))
    assert rows.octets(0) == SIP
    assert rows.esp.spi.tolist() == [1, 2]
    assert rows.esp.opened.all()
