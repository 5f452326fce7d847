"""Feed broken SIP to every parser: nothing but Malformed may come out, and what is read is written again.

Run: ``python -m benchmarks.fuzz_sip [COUNT [SEED]]``. The torture messages and some of IMS are mutated:
octets changed, cut, doubled, moved, replaced by pieces of the grammar. The same count and seed give the
same run.
"""

import base64
import random
import sys
import time
from collections.abc import Callable

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.sip import (
    STAR,
    Challenge,
    Credentials,
    Message,
    NameAddr,
    SecurityMechanism,
    StreamFramer,
    Uri,
    Via,
    datagram,
)
from imslab.sip.dialog import Dialog
from imslab.sip.sdp import SessionDescription
from imslab.sip.transaction import ack_for, cancelled_key, client_key, server_key
from imslab.sip.views import View
from imslab.sip.websocket import (
    Frame,
    FrameReader,
    check_handshake_response,
    frame_for,
    handshake_request,
    handshake_response,
    sip_message,
)

REGISTER = (
    b"REGISTER sip:ims.example.org SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKa;rport, SIP/2.0/WS x.invalid;branch=z9hG4bKb\r\n"
    b'Route: <sip:p:5060;lr>, "p, q" <sips:q;lr;transport=ws>;x=y\r\n'
    b"From: <sip:%61lice:pw@ims.example.org;user=phone?a=b&c=d>;tag=1\r\n"
    b'To: "A\\"" <tel:+1-2;phone-context=x>\r\n'
    b"Call-ID: c@[::1]\r\nCSeq: 0002 REGISTER\r\nMax-Forwards: 70\r\n"
    b'm: *, <sip:a@b>;expires=1;q=0.5;+sip.instance="<urn:uuid:1>"\r\n'
    b'Authorization: Digest username="a@b", realm="b", nonce="bg==", uri="sip:b", response="00",\r\n'
    b' qop=auth, nc=00000001, cnonce="c,\\"", auts="AA==", ik="0a", integrity-protected="yes"\r\n'
    b'WWW-Authenticate: Digest realm="r", qop="auth,auth-int", stale=FALSE, Basic abc==, Negotiate\r\n'
    b'Authentication-Info: nextnonce="n", rspauth="0"\r\n'
    b"Security-Client: ipsec-3gpp;alg=hmac-md5-96;spi-c=1;spi-s=2;port-c=3;port-s=4;q=0.1, tls\r\n"
    b'P-Access-Network-Info: IEEE-802.11;np\r\nP-Visited-Network-ID: "v, w", x\r\n'
    b'P-Charging-Vector: icid-value="a";orig-ioi=b\r\nEvent: reg;id=1\r\nSupported: path,, gruu\r\n'
    b'Require:\r\nExpires: 600000\r\nContent-Type: application/sdp;x="y"\r\nX-Any: \xff\xfe\x01\r\n'
)
SDP = (
    b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    b"m=audio 9/2 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n"
)
SEEDS = [base64.b64decode(m["octets_base64"]) for m in vectors("sip_torture")["messages"]]
SEEDS += [REGISTER + b"Content-Length: %d\r\n\r\n" % len(SDP) + SDP]
SEEDS += [b"SIP/2.0 401 Unauthorized\r\n" + REGISTER.partition(b"\r\n")[2] + b"l: 0\r\n\r\n"]
_CHARACTERS = b'\r\n\0\t\\"<>,;=:@%? []*\xff'
PIECES = (
    *(bytes((octet,)) for octet in _CHARACTERS),
    *(b"\r\n", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b"\xed\xa0\x80", "\u2028\u0663".encode(), b"%00", b"-1"),
    *(b"0" * 30, b"4294967296", b"99999", b"SIP/2.0", b"Digest ", b"z9hG4bK"),
    *(b"l: 0\r\n", b"l: 5\r\n", b"CSeq: 1 ACK\r\n", b"To: x\r\n"),
)
VIEWS = [name for name, view in vars(Message).items() if isinstance(view, View)]
PLAIN = ("method", "uri", "uri_text", "status", "reason", "headers", "via", "start_line")
PARSERS: list[Callable[[str], object]] = [
    Uri.parse, NameAddr.parse, Via.parse, Challenge.parse_all, Credentials.parse_all, SecurityMechanism.parse,
    SessionDescription.parse,
]  # fmt: skip


def mutated(octets: bytes, rng: random.Random) -> bytes:
    """Return ``octets`` with one to six faults."""
    buffer = bytearray(octets)
    for _ in range(rng.randint(1, 6)):
        at, length = rng.randrange(len(buffer) + 1), rng.randint(1, 20)
        kind = rng.randrange(5)
        if kind == 0:
            buffer[at : at + 1] = bytes((rng.randrange(256),))
        elif kind == 1:
            buffer[at:at] = rng.choice(PIECES)
        elif kind == 2:
            del buffer[at : at + length]
        elif kind == 3:
            buffer[at:at] = buffer[at : at + length] * rng.randint(1, 3)
        else:
            start = rng.randrange(len(buffer) + 1)
            buffer[at:at] = buffer[start : start + length]
    return bytes(buffer)


def quiet(work: Callable[[], object]) -> object:
    """Return what ``work`` gives, or None when it raises Malformed; anything else is a find."""
    try:
        return work()
    except Malformed as error:
        str(error)
        return None


def exercise(octets: bytes, step: int = 7) -> bool:
    """Try everything on ``octets``; return whether they are a message. An error that escapes is a find."""
    quiet(lambda: datagram(octets))
    quiet(lambda: sip_message(octets))
    stream(octets, max(1, step))
    frames(octets, max(1, step))
    message = quiet(lambda: Message.parse(octets))
    if not isinstance(message, Message):
        return False
    read_all(message, octets)
    edit_all(message)
    return True


def read_all(message: Message, octets: bytes) -> None:
    """Read every view twice; what was parsed is written, and read again, the same."""
    assert octets.startswith(bytes(message))
    again = Message.parse(bytes(message))
    assert again == message
    assert again.headers == message.headers
    assert isinstance(message.problems(), tuple)
    for name in (*VIEWS, *PLAIN):
        value = quiet(lambda name=name: getattr(message, name))  # type: ignore[misc]
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, (Uri, NameAddr, Via, Challenge, Credentials, SecurityMechanism)):
                written_again(item)
    for header in message.headers:
        quiet(lambda header=header: message.values(header.name))  # type: ignore[misc]
        for parse in PARSERS:
            quiet(lambda parse=parse, header=header: parse(header.value))  # type: ignore[misc]
    quiet(lambda: SessionDescription.parse(message.body))
    for make in (client_key, server_key, cancelled_key):
        quiet(lambda make=make: make(message))  # type: ignore[misc]


def written_again(item: object) -> None:
    """Assert that what ``item`` writes is read as the same value."""
    text = str(item)
    repr(item)
    if item is STAR:
        return
    read = type(item).parse(text)  # type: ignore[attr-defined]
    assert read == item, (item, read)
    if isinstance(item, NameAddr):
        item = item.uri
    if isinstance(item, Uri):
        assert item.matches(Uri.parse(str(item)))
        assert Uri.parse(item.canonical).canonical == item.canonical


def edit_all(message: Message) -> None:
    """Make every edit and every answer; each result can be read again, or was never usable."""
    edits: list[Callable[[], object]] = [
        lambda: message.prepend("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"),
        lambda: message.append("Path", "<sip:p;lr>"),
        lambda: message.seen_from("192.0.2.1", 9),
        lambda: message.with_body(b"x", "text/plain"),
        lambda: message.with_uri("sip:a@b"),
        lambda: Message.reply(message, 400, to_tag="t"),
        lambda: ack_for(message, message),
        lambda: Dialog.of_server(message, message).request("BYE"),
        lambda: Dialog.of_client(message, message).request("BYE"),
        *(lambda name=header.name: message.drop_first(name) for header in message.headers),  # type: ignore[misc]
    ]
    for edit in edits:
        edited = quiet(edit)
        if isinstance(edited, Message):
            quiet(lambda edited=edited: Message.parse(bytes(edited)))  # type: ignore[misc]


def stream(octets: bytes, step: int) -> None:
    """The same messages come out whole and in steps, and the same error."""
    whole, parts = StreamFramer(), StreamFramer()
    assert outcome(whole, octets, len(octets) or 1) == outcome(parts, octets, step)


def outcome(framer: StreamFramer, octets: bytes, step: int) -> tuple[list[bytes], str, int, int]:
    """Return what a framer makes of ``octets``: messages, the error's text, pings, pongs."""
    found: list[bytes] = []
    try:
        for i in range(0, len(octets), step):
            found += map(bytes, framer.receive(octets[i : i + step]))
        framer.eof()
    except Malformed as error:
        found += map(bytes, getattr(error, "complete", ()))
        return found, str(error), framer.pings, framer.pongs
    return found, "", framer.pings, framer.pongs


def frames(octets: bytes, step: int) -> None:
    """Frames out of ``octets``, and ``octets`` in frames."""
    frame = frame_for(octets)
    assert FrameReader().receive(frame.encode(octets[:4].ljust(4))) == [frame]
    reader = FrameReader(deflate=True)
    quiet(lambda: [reader.receive(octets[i : i + step]) for i in range(0, len(octets), step)])
    quiet(lambda: FrameReader(deflate=True).receive(Frame(frame.opcode, octets, compressed=True).encode()))
    quiet(lambda: handshake_response(octets))
    quiet(lambda: check_handshake_response(octets, "key"))
    quiet(lambda: handshake_response(handshake_request("h", octets.decode("latin-1"), "key")))


def main(count: int = 20_000, seed: int = 1) -> None:
    rng, usable, start = random.Random(seed), 0, time.perf_counter()
    for number in range(count):
        octets = mutated(rng.choice(SEEDS), rng)
        began = time.perf_counter()
        try:
            usable += exercise(octets, rng.randint(1, 60))
        except Exception:
            print(f"found with seed {seed}, number {number}: {octets!r}", file=sys.stderr)
            raise
        if time.perf_counter() - began > 2:
            raise SystemExit(f"two seconds for one message: seed {seed}, number {number}: {octets!r}")
    seconds = time.perf_counter() - start
    print(f"{count} mutations (seed {seed}), {usable} usable messages, {seconds:.1f} s: only Malformed")


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:3]))
