"""The layers in scapy's tree: what rdpcap shows of our own traces, and of what a test writes."""

import io
from collections.abc import Iterator

import pytest
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.rtp import RTP
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap

from imslab.capture import layers, open_capture
from imslab.data import path
from imslab.net.trace import TraceWriter
from imslab.srtp import Session
from imslab.uicc.gsmtap import PORT, encode_atr

A, B = ("127.0.0.2", 4000), ("127.0.0.3", 5000)
REGISTER = b"REGISTER sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
MEDIA = bytes(RTP(sequence=1, sourcesync=5) / b"media")
TRACES = sorted(trace.stem for trace in path("traces").glob("*.pcapng"))


@pytest.fixture(autouse=True)
def _joined() -> Iterator[None]:
    layers.announced.forget()
    layers.join()
    yield
    layers.join()
    layers.announced.forget()


def written(*payloads: bytes, source: tuple[str, int] = A, destination: tuple[str, int] = B) -> list[Packet]:
    """Write datagrams as a trace, and read it as a person does."""
    file = io.BytesIO()
    trace = TraceWriter(file)
    for payload in payloads:
        trace.udp(1.0, source, destination, payload)
    return list(rdpcap(io.BytesIO(file.getvalue())))


@pytest.mark.parametrize("name", TRACES)
def test_our_own_traces(name: str) -> None:
    capture, packets = (
        open_capture(path("traces", f"{name}.pcapng")),
        rdpcap(str(path("traces", f"{name}.pcapng"))),
    )
    assert len(packets) == len(capture)
    in_tree = {n for n, packet in enumerate(packets, 1) if layers.SIP in packet}
    # scapy dissects segment by segment: a message of several segments is in no packet as a whole; and it
    # has no key to what ESP protects
    whole = (event for event in capture.sip if event.transport == "udp" or len(bytes(event.message)) < 1_300)
    whole = (event for event in whole if event.frame not in capture.protected)
    in_datagrams = {event.frame for event in whole if event.transport != "tcp"}
    assert in_datagrams <= in_tree
    asked = {event.frame for event in capture.apdu_events if event.command}
    assert {n for n, packet in enumerate(packets, 1) if layers.SIMAPDU in packet} == asked
    for packet in packets:
        octets = bytes(packet)
        packet.clear_cache()
        assert bytes(packet) == octets  # lengths and checksums too


@pytest.mark.parametrize(("name", "kind"), [("webrtc-call", layers.SRTPGCM), ("sdes-call", layers.SRTP)])
def test_the_media_of_our_own_calls(name: str, kind: type[layers.SRTP]) -> None:
    """DTLS or SDP says which sockets speak SRTP, and how long its tag is."""
    capture, packets = (
        open_capture(path("traces", f"{name}.pcapng")),
        rdpcap(str(path("traces", f"{name}.pcapng"))),
    )
    encrypted = {
        int(capture.index.frame[row]) for stream in capture.rtp for row in stream.packets.row.tolist()
    }
    last = {n: packet.lastlayer() for n, packet in enumerate(packets, 1)}
    shown = {n for n, layer in last.items() if isinstance(layer, layers.SRTP)}
    assert shown == encrypted
    assert kind in map(type, last.values())
    if name == "webrtc-call":
        hellos = [packet[layers.UseSRTP].profiles for packet in packets if layers.DTLSServerHello in packet]
        assert hellos and all(len(profiles) == 1 for profiles in hellos)


def test_the_same_rand_in_the_challenge_and_on_the_card() -> None:
    packets = rdpcap(str(path("traces", "register-akav1.pcapng")))
    nonce = next(packet[layers.AKANonce] for packet in packets if layers.AKANonce in packet)
    command = next(
        packet[layers.AuthenticateCommand] for packet in packets if layers.AuthenticateCommand in packet
    )
    assert (nonce.rand, nonce.sqn_xor_ak, nonce.mac_a) == (command.rand, command.sqn_xor_ak, command.mac_a)


def test_any_port_that_nobody_claimed() -> None:
    (sip,) = written(REGISTER)
    assert sip[layers.SIP].start_line.startswith(b"REGISTER")
    (dns,) = written(REGISTER, destination=("127.0.0.3", 53))
    assert DNS in dns and layers.SIP not in dns
    (other,) = written(b"hello")
    assert other[Raw].load == b"hello"


def test_gsmtap_on_its_port_alone() -> None:
    (one,) = written(encode_atr(b"\x3b\x00"), destination=("127.0.0.3", PORT))
    (back,) = written(encode_atr(b"\x3b\x00"), source=("127.0.0.3", PORT))
    (other,) = written(encode_atr(b"\x3b\x00"))
    assert layers.SIMATR in one and layers.SIMATR in back and layers.GSMTAP not in other


def test_rtp_is_srtp_where_it_was_announced() -> None:
    assert RTP in written(MEDIA)[0]
    offer = (
        b"INVITE sip:b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n"
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\n"
        b"c=IN IP4 127.0.0.3\r\nt=0 0\r\nm=audio 5000 RTP/SAVP 0\r\n"
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    )
    session = Session("AES_CM_128_HMAC_SHA1_32", bytes(16), bytes(14))
    packets = written(offer, session.protect(MEDIA))
    assert layers.SDP in packets[0]
    assert isinstance(packets[1].lastlayer(), layers.SRTP32)
    opened = packets[1][layers.SRTP32].unprotected(Session("AES_CM_128_HMAC_SHA1_32", bytes(16), bytes(14)))
    assert bytes(opened) == MEDIA


def test_tcp_and_ipv6() -> None:
    for payload, layer in ((REGISTER, layers.SIP), (b"GET / HTTP/1.1\r\n\r\n", Raw)):
        packet: Packet = IPv6(bytes(IPv6(src="::1", dst="::2") / TCP(sport=4000, dport=5999) / Raw(payload)))
        assert layer in packet
    frame = bytes(layers.WebSocketFrame() / layers.SIP(REGISTER))
    packet = IP(bytes(IP() / TCP(sport=4000, dport=5999) / Raw(frame)))
    assert packet[layers.WebSocket].frames[0][layers.SIP].start_line.startswith(b"REGISTER")


def test_the_tree_is_left_as_it_was() -> None:
    layers.leave()
    assert layers.SIP not in written(REGISTER)[0]
    layers.leave()  # twice does no harm
    layers.join()
    assert layers.SIP in written(REGISTER)[0]


def test_a_tunnel_is_looked_into() -> None:
    inner = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5060, dport=5060) / Raw(REGISTER)
    packet = IP(bytes(IP(src="1.1.1.1", dst="2.2.2.2") / inner))
    assert packet[layers.SIP].message is not None
