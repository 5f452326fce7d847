"""DTLS records in scapy's tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from imslab.capture.layers import (
    DTLS,
    DTLSAlert,
    DTLSClientHello,
    DTLSExtension,
    DTLSHandshake,
    DTLSHelloVerifyRequest,
    DTLSRecord,
    DTLSServerHello,
    UseSRTP,
    announced,
)
from imslab.capture.layers.dtls import looks_like_dtls

# ClientHello: version, random, no session, no cookie, one cipher, no compression, use_srtp (1 and 7).
HELLO = bytes.fromhex(
    "16 feff 0000 000000000000 0043 01 000037 0000 000000 000037"
    "fefd" + "11" * 32 + "00 00 0002c02b 0100 000b 000e 0007 0004 0001 0007 00"
)


def again(octets: bytes) -> bytes:
    packet = DTLS(octets)
    packet.clear_cache()
    return bytes(packet)


def test_a_client_hello() -> None:
    assert looks_like_dtls(HELLO)
    packet = DTLS(HELLO)
    (record,) = packet.records
    assert (record.type, record.version, record.epoch, record.sequence, record.length) == (
        22,
        0xFEFF,
        0,
        0,
        67,
    )
    handshake = packet[DTLSHandshake]
    assert (handshake.type, handshake.length, handshake.fragment_length) == (1, 55, 55)
    hello = packet[DTLSClientHello]
    assert (hello.random, hello.ciphers, hello.compression) == (b"\x11" * 32, [0xC02B], b"\0")
    assert packet[UseSRTP].profiles == [1, 7]
    assert again(HELLO) == HELLO


def test_the_same_is_built() -> None:
    hello = DTLSClientHello(random=b"\x11" * 32, ciphers=[0xC02B], extensions=[UseSRTP(profiles=[1, 7])])
    assert bytes(DTLS(records=[DTLSRecord(version=0xFEFF) / DTLSHandshake() / hello])) == HELLO


def test_a_server_hello_says_what_the_sockets_speak() -> None:
    announced.forget()
    hello = DTLSServerHello(cipher=0xC02B, extensions=[DTLSExtension(type=23), UseSRTP(profiles=[2])])
    octets = bytes(DTLS(records=[DTLSRecord(sequence=5) / DTLSHandshake(type=2) / hello]))
    packet = IP(bytes(IP(src="127.0.0.2", dst="127.0.0.3") / UDP(sport=4000, dport=5000) / Raw(octets)))
    assert packet[DTLSServerHello].cipher == 0xC02B
    assert [extension.type for extension in packet[DTLSServerHello].extensions] == [23, 14]
    assert announced.tag(("127.0.0.2", 4000)) == announced.tag(("127.0.0.3", 5000)) == 4
    announced.forget()
    IP(bytes(IP(src="127.0.0.2", dst="127.0.0.3") / UDP(sport=4000, dport=5000) / Raw(HELLO)))
    assert announced.tag(("127.0.0.2", 4000)) is None  # a client only offers


def test_a_cookie_and_an_alert() -> None:
    cookie = DTLSRecord() / DTLSHandshake(type=3) / DTLSHelloVerifyRequest(cookie=b"biscuit")
    octets = bytes(DTLS(records=[cookie, DTLSRecord(type=21) / DTLSAlert(level=2, description=40)]))
    packet = DTLS(octets)
    assert packet[DTLSHelloVerifyRequest].cookie == b"biscuit"
    assert (packet[DTLSAlert].level, packet[DTLSAlert].description) == (2, 40)
    assert again(octets) == octets


def test_an_mki() -> None:
    octets = bytes(UseSRTP(profiles=[1], mki=b"\1\2"))
    assert octets.hex() == "000e0007000200010201" + "02"
    assert UseSRTP(octets).mki == b"\1\2"


def test_what_is_encrypted_or_a_fragment_stays_as_it_is() -> None:
    encrypted = DTLSRecord(epoch=1) / Raw(bytes(40))
    fragment = (
        DTLSRecord()
        / DTLSHandshake(type=11, length=500, fragment_offset=0, fragment_length=9)
        / Raw(b"fragments")
    )
    packet = DTLS(bytes(DTLS(records=[encrypted, fragment])))
    assert packet.records[0].payload.load == bytes(40)
    assert packet.records[1][DTLSHandshake].payload.load == b"fragments"
    assert again(bytes(packet)) == bytes(packet)


def test_several_messages_in_a_record() -> None:
    two = bytes(DTLSHandshake(type=2) / DTLSServerHello()) + bytes(DTLSHandshake(type=14))
    octets = bytes(DTLSRecord() / Raw(two))
    assert again(octets) == octets
    assert DTLSServerHello in DTLS(octets)


@given(st.binary(max_size=90))
def test_anything_is_built_again_as_it_came(octets: bytes) -> None:
    assert again(octets) == octets
    head = bytes.fromhex("16fefd0000000000000000") + len(octets).to_bytes(2)
    assert again(head + octets) == head + octets
    head += bytes.fromhex("01") + len(octets).to_bytes(3) + bytes(5) + len(octets).to_bytes(3)
    head = head[:11] + (len(octets) + 12).to_bytes(2) + head[13:]
    assert again(head + octets) == head + octets


@pytest.mark.parametrize(
    "octets",
    [b"", HELLO[:12], HELLO[:-1], b"\x13" + HELLO[1:], HELLO[:1] + b"\3\3" + HELLO[3:]],
    ids=range(5),
)
def test_what_is_no_dtls(octets: bytes) -> None:
    assert not looks_like_dtls(octets)
