"""HTTP messages as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.ims.http import Request, Response, content_length, text_response

ASKED = b"GET /a?b=c HTTP/1.1\r\nHost: naf\r\nX-A:  two words \r\n\r\nbody"


def test_a_request_both_ways():
    request = Request.parse(ASKED)
    assert (request.method, request.target, request.body) == ("GET", "/a?b=c", b"body")
    assert request.get("x-a") == "two words" and request.get("none", "-") == "-"
    assert Request.parse(bytes(request)) == request


def test_a_response_both_ways():
    response = text_response(403, "no", (("A", "b"),))
    assert bytes(response).startswith(b"HTTP/1.1 403 Forbidden\r\nA: b\r\n")
    assert Response.parse(bytes(response)) == response
    assert Response(799).start_line == "HTTP/1.1 799 "


def test_having_replaces():
    request = Request.parse(ASKED).having("host", "other").having("New", "1")
    assert request.headers == (("X-A", "two words"), ("host", "other"), ("New", "1"))


@pytest.mark.parametrize("text", ["a\r\nB: c", "a\n", "\0"])
def test_no_header_begins_another(text):
    with pytest.raises(Malformed, match="CR, LF"):
        Request("GET", "/", headers=(("A", text),))
    with pytest.raises(Malformed, match="CR, LF"):
        Request("GET", "/" + text)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"b" * 16_384 + b"\r\n\r\n",
    ],
)
def test_bad_requests(octets):
    with pytest.raises(Malformed):
        Request.parse(octets)


@pytest.mark.parametrize("line", [b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 abc", b"SIP/2.0 200 OK"])
def test_bad_status_lines(line):
    with pytest.raises(Malformed):
        Response.parse(line + b"\r\n\r\n")


def test_content_length():
    def of(*values):
        return content_length(Response(200, headers=tuple(("content-LENGTH", value) for value in values)))

    assert (of(), of("0"), of("12", "12")) == (0, 0, 12)
    for values in (("1", "2"), ("-1",), ("+1",), ("",), ("1" * 10,), ("\u0661",)):
        with pytest.raises(Malformed):
            of(*values)


@given(st.binary(max_size=200))
def test_anything_else_is_malformed(octets):
    for kind in (Request, Response):
        try:
            kind.parse(octets + b"\r\n\r\n")
        except Malformed:
            continue
