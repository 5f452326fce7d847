"""Messages: every header has its rule, broken rows too, and what is left is as long as before."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.sip import Message
from imslab.sip.websocket import accept_key
from tests.capture.anonymise.parts import Parts, parts

INVITE = b"""INVITE sip:+15550100002@ims.mnc001.mcc001.3gppnetwork.org;user=phone SIP/2.0\r
Via: SIP/2.0/UDP pcscf.home.example:5060;branch=z9hG4bKabc123;received=192.0.2.7;rport=5060\r
v: SIP/2.0/TCP [2001:db8::7];branch=z9hG4bKdef456\r
Max-Forwards: 70\r
Record-Route: <sip:orig@scscf.home.example:5060;lr>\r
From: "Alice Liddell" <sip:alice@home.example>;tag=9fxced76sl\r
To: Bob Phone <sip:+15550100002@home.example>\r
i: 3848276298220188511@client.home.example\r
CSeq: 4711 INVITE\r
Contact: <sip:alice@192.0.2.7:5060;transport=udp>;+sip.instance="<urn:gsma:imei:35209900-176148-1>"\r
 ;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"\r
P-Asserted-Identity: "Alice" <sip:alice@home.example>, <tel:+15550100001>\r
P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000101\r
P-Charging-Vector: icid-value=1234bc9876e;icid-generated-at=192.0.2.9;orig-ioi=home.example\r
P-Visited-Network-ID: "Visited network number 1"\r
Security-Client: ipsec-3gpp;alg=hmac-sha-1-96;spi-c=23456789;spi-s=12345678;port-c=2468;port-s=1357\r
Subject: Lunch with Carol\r
User-Agent: Vendor Model-X/1.2\r
Warning: 399 proxy.home.example "Alice is away"\r
X-Vendor-Note: alice was here\r
Allow: INVITE, ACK, CANCEL, BYE, PRACK\r
Supported: 100rel, precondition\r
Content-Type: text/plain\r
Content-Length: 11\r
\r
Hello Alice"""
GONE = b"""
alice liddell bob carol home.example home 15550100001 15550100002 192.0.2 2001:db8 9fxced76sl abc123
def456 3848276298220188511 35209900 0010100010000101 1234bc9876e lunch vendor model-x away proxy. hello mnc001
"""


def test_nobody_is_named(made: Parts) -> None:
    made.messages.survey(INVITE)
    new = made.messages.rewrite(INVITE)
    assert len(new) == len(INVITE)
    assert [word for word in GONE.split() if word in new.lower()] == []


def test_the_protocol_says_what_it_said(made: Parts) -> None:
    new = Message.parse(made.messages.rewrite(INVITE))
    old = Message.parse(INVITE)
    assert [header.name for header in new.headers if not header.name.startswith("X-")] == [
        header.name for header in old.headers if not header.name.startswith("X-")
    ]
    for name in (
        "Max-Forwards",
        "CSeq",
        "Allow",
        "Supported",
        "Content-Type",
        "Content-Length",
        "Security-Client",
    ):
        assert new.get(name) == old.get(name)
    via = new.all("Via")
    assert ";branch=z9hG4bK" in via[0]
    assert via[0].endswith(";rport=5060")
    assert (new.get("Contact") or "").endswith('"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"')
    assert (new.get("P-Access-Network-Info") or "").startswith("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=")


def test_the_same_is_the_same(made: Parts) -> None:
    new = Message.parse(made.messages.rewrite(INVITE))
    alice = new.from_.uri
    assert str(alice) in (new.get("P-Asserted-Identity") or "")
    assert new.contacts[0].uri.user == alice.user
    assert made.texts.ip("192.0.2.7") == new.contacts[0].uri.host
    assert new.from_.uri.host == new.to.uri.host


@pytest.mark.parametrize(
    "row",
    [
        b"no colon but alice here",
        b"Two Words: alice",
        b"From alice@home.example",
        b": alice",
        b'From: "alice <sip:a',
        b"To: <sip:alice@home.example",
        b'Contact: alice, ,;=<>"',
        b"Via: alice",
        b"Warning: alice",
        b'Authorization: Digest username="alice',
        b"Folded: one\r\n two alice\r\n\tthree",
    ],
)
def test_a_broken_row_names_nobody_either(made: Parts, row: bytes) -> None:
    message = b"OPTIONS sip:x SIP/2.0\r\n" + row + b"\r\n\r\n"
    new = made.messages.rewrite(message)
    assert len(new) == len(message)
    assert b"alice" not in new


@pytest.mark.parametrize(
    "line", [b"OPTIONS alice SIP/2.0", b"alice", b"SIP/2.0 200 alice", b"ALICE sip:x SIP/2.0", b""]
)
def test_a_broken_start_line_names_nobody_either(made: Parts, line: bytes) -> None:
    new = made.messages.rewrite(line + b"\r\nFrom: <sip:bob@x>\r\n\r\n")
    assert b"alice" not in new.lower()
    assert b"bob" not in new


def test_a_reason_phrase_keeps_its_words(made: Parts) -> None:
    new = made.messages.rewrite(b"SIP/2.0 407 Proxy Authentication Required by Alice\r\n\r\n")
    assert new.startswith(b"SIP/2.0 407 Proxy Authentication Required by ")
    assert b"Alice" not in new


@pytest.mark.parametrize("message", vectors("sip_torture")["messages"], ids=lambda each: each["id"])
def test_torture_messages_keep_their_length(message: dict[str, str]) -> None:
    octets = base64.b64decode(message["octets_base64"])
    assert len(parts().messages.rewrite(octets)) == len(octets)


def test_a_websocket_s_key_is_accepted(made: Parts) -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    rows = f"Host: home.example\r\nSec-WebSocket-Key: {key}\r\nUpgrade: websocket\r\n\r\n"
    ask = b"GET /sip HTTP/1.1\r\n" + rows.encode()
    said = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
    made.messages.survey(ask)
    new_key = made.messages.rewrite(ask).split(b"Key: ")[1][:24].decode()
    assert new_key != key
    assert made.messages.rewrite(said).endswith(f"Accept: {accept_key(new_key)}\r\n\r\n".encode())
    assert b"Upgrade: websocket" in made.messages.rewrite(ask)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.binary(max_size=4))
def test_any_message_keeps_its_length(tail: bytes, cut: int, noise: bytes) -> None:
    messages = parts().messages
    for octets in (tail, INVITE[:cut] + noise + INVITE[cut + 3 :], INVITE[:cut] + tail):
        messages.survey(octets)
        assert len(messages.rewrite(octets)) == len(octets)
