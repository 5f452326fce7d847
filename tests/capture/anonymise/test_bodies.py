"""Bodies: each by its type; chunks, parts and packed ones; what is neither known nor text becomes zeros."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.bodies import is_text
from tests.capture.anonymise.parts import Parts, parts


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/sdp", b"o=alice 1 1 IN IP4 192.0.2.7\r\n"),
        ("application/reginfo+xml", b"<a aor='sip:alice@x'>alice</a>"),
        ("text/plain", b"Hello alice"),
        ("application/json", b'{"alice": "alice"}'),
        ("", b"Hello alice"),
        ("message/sipfrag", b"SIP/2.0 200 OK alice"),
        ("text/html", b"<p>alice</p>"),
        ("application/x-unknown", b"\0alice"),
        ("application/octet-stream", b"\x1f\x8balice"),
    ],
)
def test_nobody_is_named(made: Parts, kind: str, body: bytes) -> None:
    new = made.bodies.rewrite(kind, body)
    assert len(new) == len(body)
    assert b"alice" not in new


def test_what_is_binary_or_packed_is_blanked_and_counted(made: Parts) -> None:
    assert made.bodies.rewrite("application/x-unknown", b"\0\1alice") == bytes(7)
    assert made.bodies.rewrite("text/plain", b"packed", coded=True) == bytes(6)
    assert made.bodies.blanked == 2


def test_a_sip_fragment_keeps_the_words_of_sip(made: Parts) -> None:
    assert (
        made.bodies.rewrite("message/sipfrag;version=2.0", b"SIP/2.0 180 Ringing") == b"SIP/2.0 180 Ringing"
    )


def test_parts(made: Parts) -> None:
    body = (
        b"--alice-1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=alice 1 1 IN IP4 192.0.2.7\r\n"
        b"--alice-1\r\nContent-Type: application/isup\r\n\r\n\1\2alice\r\n--alice-1--\r\n"
    )
    kind = "multipart/mixed;boundary=alice-1"
    new = made.bodies.rewrite(kind, body)
    assert len(new) == len(body)
    assert b"alice" not in new
    mark = made.texts.words("alice-1").encode()
    assert new.count(b"--" + mark) == 3
    assert b"Content-Type: application/sdp\r\n\r\nv=0\r\n" in new
    assert made.texts.ip("192.0.2.7").encode() in new
    assert made.bodies.rewrite('multipart/mixed;boundary="alice-1"', body) == new


def test_chunks_keep_their_lengths(made: Parts) -> None:
    body = b"5\r\n<a>al\r\n6;x=alice\r\nice</a\r\n1\r\n>\r\n0\r\nX-Who: alice\r\n\r\n"
    new = made.bodies.rewrite("text/html", body, chunked=True)
    assert len(new) == len(body)
    assert new.startswith(b"5\r\n<a>")
    inside = new[3:8] + new[21:27] + new[32:33]
    assert inside == b"<a>" + made.texts.words("alice").encode() + b"</a>"
    assert b"alice" not in new


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"text", True),
        ("Müller".encode(), True),
        ("Müller".encode()[:2], True),
        (b"\0", False),
        (b"M\xfcller is here", False),
        (b"", True),
    ],
)
def test_what_is_text(octets: bytes, answer: bool) -> None:
    assert is_text(octets) is answer


@settings(deadline=None)
@given(
    st.binary(max_size=90),
    st.sampled_from(["application/sdp", "text/xml", "text/plain", "x/y", "multipart/mixed;boundary=a", ""]),
)
def test_any_body_keeps_its_length(body: bytes, kind: str) -> None:
    bodies = parts().bodies
    for each in (body, b"--a\r\n\r\n" + body + b"--a--", b"4\r\n" + body):
        bodies.survey(kind, each)
        assert len(bodies.rewrite(kind, each)) == len(each)
        assert len(bodies.rewrite(kind, each, chunked=True)) == len(each)
