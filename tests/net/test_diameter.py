"""Diameter itself: framing, headers, and what peers say before their questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.net import diameter
from imslab.net.diameter import Framer, Header, Node, message, parse

NODE = Node("hss.example", "example", "127.0.0.41", 16_777_216)
CER = NODE.request(diameter.CAPABILITIES_EXCHANGE, 7)


def test_a_cer_says_who_is_there_and_what_it_speaks() -> None:
    header, avps = parse(CER)
    assert (header.command, header.is_request, header.application) == (257, True, 0)
    assert (header.hop_by_hop, header.end_to_end) == (7, 7)
    assert (avps.text(diameter.ORIGIN_HOST), avps.text(diameter.ORIGIN_REALM)) == ("hss.example", "example")
    assert avps.octets(diameter.HOST_IP) == b"\x00\x01\x7f\x00\x00\x29"  # family 1, then the address
    application = avps.group(diameter.VENDOR_APPLICATION)
    assert application.number(diameter.AUTH_APPLICATION) == 16_777_216
    assert application.number(diameter.VENDOR) == 10_415


@pytest.mark.parametrize("command", [257, 280, 282], ids=["CEA", "DWA", "DPA"])
def test_an_answer_carries_the_identifiers_of_its_request(command: int) -> None:
    asked = Header(command, diameter.REQUEST, 0, 0x11223344, 0xFFFFFFFF)
    header, avps = parse(NODE.answer(asked))
    assert (header.command, header.is_request, header.flags) == (command, False, 0)
    assert (header.hop_by_hop, header.end_to_end) == (0x11223344, 0xFFFFFFFF)
    assert avps.number(diameter.RESULT) == diameter.SUCCESS
    assert bool(avps.octets(diameter.PRODUCT)) is (command == 257)


def test_an_unknown_command_is_answered_with_the_error_bit() -> None:
    header, avps = parse(NODE.answer(Header(999, diameter.REQUEST, 5, 1, 2), diameter.UNSUPPORTED_COMMAND))
    assert header.flags & diameter.ERROR and header.application == 5
    assert avps.number(diameter.RESULT) == 3001


def test_a_disconnection_says_why() -> None:
    _, avps = parse(NODE.request(diameter.DISCONNECT_PEER, 1))
    assert avps.octets(diameter.DISCONNECT_CAUSE) == bytes(4)  # REBOOTING


@pytest.mark.parametrize("step", [1, 2, 3, 7, 19, 20, 21, 1000])
def test_a_stream_is_cut_at_every_step(step: int) -> None:
    watchdog = NODE.request(diameter.DEVICE_WATCHDOG, 8)
    stream, framer, found = CER + watchdog, Framer(), []
    for at in range(0, len(stream), step):
        found += framer.receive(stream[at : at + step])
    assert found == [CER, watchdog]


@pytest.mark.parametrize(
    "start", [b"\x02\x00\x00\x14", b"\x01\x00\x00\x13", b"\x01\x01\x00\x01", b"GET "], ids=bytes.hex
)
def test_a_stream_that_is_no_diameter_is_refused_at_once(start: bytes) -> None:
    with pytest.raises(Malformed, match="no Diameter message on this stream"):
        Framer().receive(start)


@given(st.binary(max_size=200))
def test_octets_that_are_no_message_raise_malformed_and_nothing_else(octets: bytes) -> None:
    for tried in (octets, b"\x01" + (len(octets) + 4).to_bytes(3) + octets):
        try:
            header, _ = parse(tried)
        except Malformed:
            continue
        assert len(tried) >= diameter.HEADER and header.command < 2**24


def test_what_no_avp_can_hold_is_refused_without_saying_it() -> None:
    header = Header(280, diameter.REQUEST, 0, 1, 1)
    with pytest.raises(Malformed, match="AVP 268 cannot hold a str") as caught:
        message(header, [(diameter.RESULT, "a key")])
    assert "a key" not in str(caught.value)
    with pytest.raises(Malformed, match="no identifier of 32 bits"):
        message(Header(280, 0, 0, 2**32, 0), [])
