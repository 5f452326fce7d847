"""HTTP in a stream: cut at every step size, with what is no HTTP beside it."""

import io

import pytest

from imslab.capture import open_capture
from imslab.capture.http import HttpReader
from imslab.errors import Malformed
from imslab.ims.http import Request, text_response
from imslab.net.trace import TraceWriter

ASKED = bytes(Request("POST", "/a", headers=(("Content-Length", "4"),), body=b"body"))
ANSWERED = bytes(text_response(200, "a page"))
UE, WEB = ("127.0.0.2", 40000), ("127.0.0.3", 8080)


@pytest.mark.parametrize("step", range(1, len(ASKED) + 2))
def test_cut_at_every_step(step):
    reader, found = HttpReader(), []
    octets = ASKED + ASKED[:-4] + b"next"
    for at in range(0, len(octets), step):
        found += reader.receive(octets[at : at + step])
    assert [message.body for message in found] == [b"body", b"next"]


def test_what_is_not_read():
    for head in (b"Upgrade: websocket", b"Transfer-Encoding: chunked"):
        reader = HttpReader()
        found = reader.receive(b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n")
        assert len(found) == (head[:1] == b"T")
        assert reader.receive(ASKED) == []
    assert HttpReader().receive(b"G" * 20_000) == []
    with pytest.raises(Malformed):
        HttpReader().receive(b"GET nothing\r\n\r\n")
    with pytest.raises(Malformed):
        HttpReader().receive(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")


def test_a_long_body_is_not_kept_whole():
    (message,) = HttpReader().receive(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert len(message.body) == 65_536


def test_events_arrows_and_warnings():
    file = io.BytesIO()
    writer = TraceWriter(file)
    writer.tcp_open(1.0, UE, WEB)
    writer.tcp(1.1, UE, WEB, ASKED)
    writer.tcp(1.2, WEB, UE, ANSWERED)
    writer.tcp(1.3, UE, WEB, b"GET broken\r\n\r\n")
    capture = open_capture(file.getvalue())
    assert [(e.frame, e.source, e.destination) for e in capture.http] == [(4, UE, WEB), (5, WEB, UE)]
    assert [(a.kind, a.label) for a in capture.arrows()] == [("HTTP", "POST /a"), ("HTTP", "200 OK")]
    assert [warning[:13] for warning in capture.warnings] == ["frame 6: HTTP"]
    assert len(capture.where([4]).http) == 1
