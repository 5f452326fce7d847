"""APDUs of a capture: in words, joined, and fit to be replayed."""

import io
from itertools import count
from typing import Any, Literal

import pytest

from imslab.capture import apdu, open_capture
from imslab.data import profile_path
from imslab.errors import MacFailure
from imslab.net.trace import TraceWriter
from imslab.uicc import Card, IsimClient, Profile, Recorder, Replayer, gsmtap

TERMINAL, CARD = "127.0.0.2", "127.0.0.3"


def trace(*exchanges: tuple[float, float, bytes, bytes]) -> bytes:
    file = io.BytesIO()
    writer = TraceWriter(file)
    writer.name(TERMINAL, "alice")
    for at, seconds, command, response in exchanges:
        writer.apdu(at, seconds, TERMINAL, CARD, gsmtap.encode_exchange(command, response))
    return file.getvalue()


SELECT = bytes.fromhex("00a4040407a0000000871004 00")


def test_an_event_has_times_words_and_octets() -> None:
    (event,) = open_capture(trace((100.0, 0.25, bytes.fromhex("00b0000003"), b"abc\x90\x00"))).apdu_events
    assert (event.frame, event.at, event.seconds) == (1, 100.25, 0.25)
    assert (event.terminal, event.card) == (TERMINAL, CARD)
    assert (event.command, event.response, event.sw) == (bytes.fromhex("00b0000003"), b"abc\x90\x00", 0x9000)
    assert event.label.startswith("READ BINARY")


def test_61xx_and_get_response_are_one_pair() -> None:
    events = open_capture(trace((1.0, 0.5, SELECT, b"\x62\x02\x82\x00\x90\x00"))).apdu_events
    assert len(events) == 2
    (pair,) = apdu.pairs(events)
    assert pair.command == SELECT[:-1]
    assert pair.response == b"\x62\x02\x82\x00\x90\x00"
    assert pair.seconds == 0.5


def test_a_get_response_without_61xx_stands_alone() -> None:
    fetch = bytes.fromhex("00c0000002")
    events = open_capture(
        trace((1.0, 0.0, fetch, b"ab\x90\x00"), (2.0, 0.0, fetch, b"cd\x90\x00"))
    ).apdu_events
    assert len(apdu.pairs(events)) == 2


def test_the_answer_to_reset_is_an_event(login: Any) -> None:
    login.trace.apdu(1.0, 0.0, TERMINAL, CARD, [gsmtap.encode_atr(b"\x3b\x00")])
    (event,) = open_capture(login.octets).apdu_events
    assert (event.label, event.response, event.sw) == ("RESET", b"\x3b\x00", None)
    assert [arrow.label for arrow in open_capture(login.octets).arrows()] == ["ATR, 2 octets"]


def test_a_packet_without_a_whole_apdu_is_shown_as_what_it_is(login: Any) -> None:
    login.trace.udp(1.0, (TERMINAL, 4729), (CARD, 4729), gsmtap.encode(b"\x00\xa4"))
    login.trace.udp(1.0, (TERMINAL, 4729), (CARD, 4729), b"\x09" * 16)
    login.trace.udp(1.0, (TERMINAL, 4729), (CARD, 4729), b"\x02\x04\x0d" + bytes(13))
    capture = open_capture(login.octets)
    (event,) = capture.apdu_events
    assert (event.command, event.label) == (b"\x00\xa4", "2 octets, no whole APDU")
    assert capture.warnings[0].startswith("frame 2: GSMTAP, but")
    assert len(capture.arrows()) == 2


def test_one_machine_still_has_two_columns(login: Any) -> None:
    login.trace.apdu(
        1.0, 0.0, TERMINAL, TERMINAL, gsmtap.encode_exchange(bytes.fromhex("00b0000001"), b"x\x90\x00")
    )
    (event,) = open_capture(login.octets).apdu_events
    assert (event.terminal, event.card) == (TERMINAL, "card")


def test_the_challenge_in_an_authenticate(login: Any) -> None:
    login.card()
    (pair,) = apdu.pairs(open_capture(login.octets).apdu_events)
    assert pair.parts["RAND"] == login.vector.rand
    assert pair.parts["SQN xor AK"] + pair.parts["AMF"] + pair.parts["MAC"] == login.vector.autn


def test_a_card_in_a_trace_without_sip_still_gives_its_vector(login: Any) -> None:
    login.card()
    (row,) = open_capture(login.octets).vectors.to_dict("records")
    assert (row["frame"], row["rand"], row["verified"]) == (1, login.vector.rand.hex(), None)


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_a_recorded_card_can_be_replayed_from_its_trace(protocol: Literal["T=0", "T=1"], name: str) -> None:
    ticks = count(1.0, 0.001)
    recorder = Recorder(Card(Profile.load(profile_path(name)), protocol=protocol), clock=lambda: next(ticks))
    client = IsimClient(recorder)
    profile = client.read_profile()
    with pytest.raises(MacFailure):
        client.authenticate(bytes(16), bytes(16))
    octets = trace(*((e.at, e.seconds, e.command, e.response) for e in recorder.exchanges))
    for asked in ("alice", TERMINAL, CARD):
        replayed = IsimClient(Replayer(open_capture(octets).exchanges(asked)))
        assert replayed.read_profile() == profile
        with pytest.raises(MacFailure):
            replayed.authenticate(bytes(16), bytes(16))
    assert open_capture(octets).exchanges("somebody else") == []
