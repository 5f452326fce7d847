"""Framing: whole, octet by octet, cut at every step size, and with something behind it."""

import pytest

from imslab.errors import Malformed
from imslab.sip import BadMessage, Limits, Message, StreamFramer, datagram


def message(number: int, body: bytes = b"") -> bytes:
    head = (
        f"MESSAGE sip:b@c SIP/2.0\r\nv: SIP/2.0/TCP h;branch=z9hG4bK{number}\r\nt: <sip:b@c>\r\n"
        f"f: <sip:a@c>;tag=1\r\ni: i{number}\r\nCSeq: {number} MESSAGE\r\nl: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ONE, TWO, THREE = message(1, b"\r\n\r\nMESSAGE"), message(2), message(3, b"\x00\xff" * 40)
STREAM = b"\r\n\r\n" + ONE + TWO + b"\r\n" + THREE + b"\r\n\r\n\r\n\r\n"


def fed(framer: StreamFramer, octets: bytes, step: int) -> list[Message]:
    return [m for i in range(0, len(octets), step) for m in framer.receive(octets[i : i + step])]


@pytest.mark.parametrize("step", [*range(1, 80), len(STREAM)])
def test_stream_cut_at_every_step(step: int) -> None:
    framer = StreamFramer()
    assert [bytes(m) for m in fed(framer, STREAM, step)] == [ONE, TWO, THREE]
    assert (framer.pings, framer.pongs) == (3, 1)
    assert framer.pending == 0
    framer.eof()
    assert framer.closed


@pytest.mark.parametrize("cut", range(len(ONE) + 1))
def test_stream_cut_in_two_at_every_octet(cut: int) -> None:
    framer = StreamFramer()
    assert [bytes(m) for m in framer.receive(ONE[:cut]) + framer.receive(ONE[cut:])] == [ONE]


@pytest.mark.parametrize("cut", range(1, len(ONE)))
def test_end_within_a_message_is_an_error(cut: int) -> None:
    framer = StreamFramer()
    framer.receive(ONE[:cut])
    with pytest.raises(BadMessage, match="middle of a message") as caught:
        framer.eof()
    assert caught.value.offset == cut


def test_keep_alives_are_counted_between_messages_only() -> None:
    framer = StreamFramer()
    assert framer.receive(b"\r\n") == []
    assert (framer.pings, framer.pongs) == (0, 1)
    framer.receive(b"\r\n")
    assert (framer.pings, framer.pongs) == (1, 0)
    framer.receive(b"\r\n" + ONE + b"\r\n")
    assert (framer.pings, framer.pongs) == (1, 2)


NO_LENGTH = TWO.replace(b"l: 0\r\n", b"")


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_no_content_length_is_an_error_and_closes(step: int) -> None:
    framer = StreamFramer()
    with pytest.raises(BadMessage, match="no Content-Length") as caught:
        fed(framer, NO_LENGTH, step)
    assert framer.closed
    assert framer.pending == 0
    assert caught.value.message is not None
    assert Message.reply(caught.value.message, caught.value.status).call_id == "i2"
    with pytest.raises(Malformed, match="closed"):
        framer.receive(ONE)


@pytest.mark.parametrize(
    "bad",
    [
        TWO.replace(b"l: 0", b"l: 0\r\nl: 5"),
        TWO.replace(b"l: 0", b"l: -1"),
        TWO.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n"),
        b"\x16\x03\x01\x00\xa5\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        TWO.replace(b"t: ", b"t\0: "),
    ],
)
def test_a_fault_closes_and_gives_what_came_before(bad: bytes) -> None:
    framer = StreamFramer()
    with pytest.raises(BadMessage) as caught:
        framer.receive(ONE + bad + TWO)
    assert [bytes(m) for m in caught.value.complete] == [ONE]
    assert framer.closed


@pytest.mark.parametrize("step", [1, 10, 10_000])
def test_bounds_on_a_stream(step: int) -> None:
    limits = Limits(head=300, headers=10, body=100)
    assert len(fed(StreamFramer(limits), message(1, bytes(100)), step)) == 1
    for octets in (
        message(1, bytes(101)),
        b"OPTIONS " + b"x" * 400,
        TWO.replace(b"t: ", b"a:b\r\n" * 5 + b"t: "),
        TWO.replace(b"t: ", b"X: " + b"y" * 300 + b"\r\nt: "),
    ):
        framer = StreamFramer(limits)
        with pytest.raises(BadMessage) as caught:
            fed(framer, octets, step)
        assert caught.value.status == 513
        assert framer.closed


def test_a_head_may_be_as_long_as_the_bound() -> None:
    room = 300 - (len(TWO) - 4) - len("X: \r\n")
    octets = TWO.replace(b"t: ", b"X: " + b"y" * room + b"\r\nt: ")
    assert len(fed(StreamFramer(Limits(head=300)), octets, 1)) == 1
    with pytest.raises(BadMessage):
        fed(StreamFramer(Limits(head=299)), octets, 1)


def test_datagram_keep_alives_and_bodies() -> None:
    for octets in (b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"):
        assert datagram(octets) is None
    assert datagram(NO_LENGTH + b"the rest") is not None
    assert Message.parse(NO_LENGTH + b"the rest").body == b"the rest"
    assert datagram(b"\r\n" + ONE) == Message.parse(ONE)
    assert bytes(Message.parse(TWO + b"behind")) == TWO


def test_datagram_shorter_than_its_length() -> None:
    with pytest.raises(BadMessage, match="Content-Length is 11, but 10"):
        datagram(ONE[:-1])


def test_datagram_longer_than_any() -> None:
    longest = TWO.replace(b"l: 0", b"l: 9") + bytes(9)
    head = len(longest) - 9 - 4
    assert datagram(longest, Limits(head=head, body=9)) is not None
    with pytest.raises(BadMessage) as caught:
        datagram(bytes(200), Limits(head=50, body=50))
    assert caught.value.status == 513
