"""SIP in scapy's tree: dissected, built, and built again as it came."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Padding, Raw

from imslab.aka.digest import nonce_for
from imslab.capture.layers import SDP, SIP, AKANonce, SIPAuthentication, SIPHeader
from imslab.capture.layers.text import MOST_LINES
from imslab.data import vectors
from imslab.errors import Malformed

RAND, AUTN = bytes(range(16)), bytes(range(16, 32))
NONCE = nonce_for(RAND, AUTN)
CHALLENGE = (
    "SIP/2.0 401 Unauthorized\r\n"
    "Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n"
    f'WWW-Authenticate: Digest realm="r", nonce="{NONCE}", algorithm=AKAv1-MD5\r\n'
    "Content-Length: 0\r\n\r\n"
).encode()
INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\nc: application/sdp\r\nSubject: one\r\n  two\r\nl: 10\r\n\r\n"
    b"v=0\r\ns=-\r\n!rest"
)


def again(octets: bytes) -> bytes:
    """Dissect, forget the octets, and build."""
    packet = SIP(octets)
    packet.clear_cache()
    return bytes(packet)


def test_a_message_in_the_tree() -> None:
    packet = SIP(CHALLENGE)
    assert packet.start_line == b"SIP/2.0 401 Unauthorized"
    assert [header.field for header in packet.headers] == [b"Via", b"WWW-Authenticate", b"Content-Length"]
    assert packet.header("v") == packet.header("VIA") == "SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1"
    assert packet.header("Subject") is None
    assert packet.message is not None and packet.message.status == 401
    assert packet.summary() == "SIP SIP/2.0 401 Unauthorized"
    assert packet.headers[2].mysummary() == "Content-Length: 0"


def test_the_nonce_is_in_the_tree() -> None:
    nonce = SIP(CHALLENGE)[AKANonce]
    assert (nonce.rand, nonce.autn, nonce.server_data) == (RAND, AUTN, b"")
    assert (nonce.sqn_xor_ak, nonce.amf, nonce.mac_a) == (AUTN[:6], AUTN[6:8], AUTN[8:])
    assert SIP(CHALLENGE).header("WWW-Authenticate") == (
        f'Digest realm="r", nonce="{NONCE}", algorithm=AKAv1-MD5'
    )


@pytest.mark.parametrize(
    "text",
    ['nonce="abc"', f'nonce="{NONCE[:-1]}"', f'cnonce="{NONCE}"', 'nonce=""', f'nonce="{NONCE[:40]}===="'],
)
def test_what_is_no_aka_nonce_stays_text(text: str) -> None:
    packet = SIP(f"REGISTER sip:a SIP/2.0\r\nAuthorization: Digest {text}\r\n\r\n".encode())
    assert AKANonce not in packet
    assert packet.header("Authorization") == f"Digest {text}"


def test_the_body_is_sdp_and_what_lies_behind_it_is_padding() -> None:
    packet = SIP(INVITE)
    assert packet.header("Subject") == "one\r\n  two"
    assert packet[SDP].values("s") == ["-"]
    assert bytes(packet[Padding]) == b"!rest"
    assert again(INVITE) == INVITE


def test_another_body_is_raw() -> None:
    packet = SIP(INVITE.replace(b"application/sdp", b"text/plain"))
    assert packet[Raw].load == b"v=0\r\ns=-\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        CHALLENGE,
        INVITE,
        CHALLENGE.replace(b"\r\n", b"\n"),
        b"\r\n\r\n" + CHALLENGE,
        CHALLENGE.replace(b": Digest", b"\t :  digest").replace(b"nonce", b"NONCE"),
        CHALLENGE[:-2],
        CHALLENGE[:60],
        b"REGISTER sip:a SIP/2.0\r\nno colon\r\n: no name\r\nA : b\rC: d\r\n\r\n\xff\0body",
        b"REGISTER sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\nbody",
        b"REGISTER sip:a SIP/2.0\r\nbad name: x\r\n\r\n",
    ],
    ids=[
        "challenge",
        "invite",
        "LF",
        "CRLF first",
        "spelling",
        "no end",
        "cut",
        "odd lines",
        "length",
        "name",
    ],
)
def test_built_again_as_it_came(octets: bytes) -> None:
    assert bytes(SIP(octets)) == again(octets) == octets


@pytest.mark.parametrize("entry", vectors("sip_torture")["messages"], ids=lambda entry: str(entry["id"]))
def test_torture(entry: dict[str, Any]) -> None:
    octets = base64.b64decode(entry["octets_base64"])
    assert bytes(SIP(octets)) == again(octets) == octets


@given(st.binary(min_size=1, max_size=200))
def test_anything_is_built_again_as_it_came(octets: bytes) -> None:
    assert again(octets) == octets
    octets = CHALLENGE[:90] + octets
    assert again(octets) == octets


def test_a_flood_of_headers_is_bounded() -> None:
    octets = b"REGISTER sip:a SIP/2.0\r\n" + b"A: b\r\n" * (MOST_LINES + 50) + b"\r\n"
    packet = SIP(octets)
    assert len(packet.headers) == MOST_LINES
    assert bytes(packet) == again(octets) == octets


def test_a_message_is_built() -> None:
    sdp = SDP(b"v=0\r\n")
    packet = SIP.written("INVITE sip:bob@a SIP/2.0", [("Content-Type", "application/sdp"), ("l", "x")]) / sdp
    assert bytes(packet) == (
        b"INVITE sip:bob@a SIP/2.0\r\nContent-Type: application/sdp\r\nl: x\r\n"
        b"Content-Length: 5\r\n\r\nv=0\r\n"
    )
    assert bytes(SIP.written("BYE sip:a SIP/2.0")) == b"BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"


def test_a_challenge_is_built() -> None:
    header = SIPAuthentication(nonce=AKANonce(rand=RAND, amf=b"\x80\0"))
    packet = SIP(start_line=b"SIP/2.0 401 x", headers=[header, SIPHeader(field=b"X", value=b"y")])
    assert SIP(bytes(packet))[AKANonce].amf == b"\x80\0"
    nonce = nonce_for(RAND, bytes(6) + b"\x80\0" + bytes(8))
    assert header.value == f'Digest nonce="{nonce}"'.encode()
    assert bytes(packet).endswith(b"\r\nX: y\r\n\r\n")


def test_a_changed_nonce_is_written() -> None:
    packet = SIP(CHALLENGE)
    packet[AKANonce].rand = bytes(16)
    packet.clear_cache()
    assert bytes(packet) == CHALLENGE.replace(NONCE.encode(), nonce_for(bytes(16), AUTN).encode())


def test_a_message_that_cannot_be_read_says_so() -> None:
    with pytest.raises(Malformed):
        _ = SIP(b"REGISTER sip:a SIP/2.0\r\nbroken\r\n\r\n").message
