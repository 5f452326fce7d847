"""Short messages: one, several, cut, and in an ENVELOPE."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.uicc.apdu import Command
from imslab.uicc.ota import sms

TPDU = next(one for one in vectors("ota")["vectors"] if one["kind"] == "sms_deliver_tpdu")


def test_published_tpdu() -> None:
    packet = bytes.fromhex(TPDU["command_packet"])
    (user_data,) = sms.segments(packet)
    assert user_data.hex() == TPDU["udh"] + TPDU["command_packet"]
    scts = bytes.fromhex(TPDU["tp_scts"])
    ours = sms.deliver(user_data, originator="12345678", timestamp=scts, more=True).hex()
    # Peer defect: pySim's TP-UDL is 03, the length of the header alone; all else is as there.
    assert ours == TPDU["tpdu"].replace("0302700000201506", "2502700000201506")
    with pytest.raises(Malformed, match="TP-UDL is 3, 37 octets follow"):
        sms.parse_deliver(bytes.fromhex(TPDU["tpdu"]))


@given(st.binary(min_size=1, max_size=1000), st.integers(0, 255))
def test_a_packet_of_any_length_comes_together_again(packet: bytes, reference: int) -> None:
    parts = [sms.segment(part) for part in sms.segments(packet, reference)]
    assert b"".join(part.payload for part in parts) == packet
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert [part.is_command for part in parts] == [True] + [False] * (len(parts) - 1)
    assert {(part.total, part.reference) for part in parts} == {
        (len(parts), reference if len(parts) > 1 else 0)
    }
    assert all(len(part) <= 140 for part in sms.segments(packet, reference))


def test_one_message_as_long_as_it_can_be() -> None:
    assert [len(sms.segments(bytes(length))) for length in (137, 138, 132 + 134, 132 + 135)] == [1, 2, 2, 3]
    first, second = sms.segments(bytes(138), 0x2A)
    assert first[:8].hex() == "0700032a02017000"
    assert second[:6].hex() == "0500032a0202"
    with pytest.raises(Malformed, match="255 short messages"):
        sms.segments(bytes(255 * 140))


@pytest.mark.parametrize("originator", ["12345678", "+1555010000", "112", "+15550100001"])
def test_deliver_round_trip(originator: str) -> None:
    message = sms.parse_deliver(sms.deliver(b"\x02\x70\x00abc", originator=originator))
    assert (message.originator, message.pid, message.dcs) == (originator, 0x7F, 0xF6)
    assert message.has_header and message.user_data == b"\x02\x70\x00abc"


def test_envelope() -> None:
    tpdu = sms.deliver(b"\x02\x70\x00" + bytes(137))
    command = Command.parse(sms.envelope(tpdu))
    assert (command.cla, command.ins, command.data[:1].hex()) == (0x80, 0xC2, "d1")
    assert sms.parse_envelope(command.data) == tpdu
    assert sms.parse_envelope(bytes.fromhex("d1090202838106000b0141")) == b"A"  # without "must be understood"
    for wrong in ("d2090202838106000b0141", "d1070202838206000b", "d1040202", "d10402028381", ""):
        with pytest.raises(Malformed):
            sms.parse_envelope(bytes.fromhex(wrong))


def test_proactive_command() -> None:
    tpdu = sms.submit(b"\x02\x71\x00abc", "+15550100001")
    command = sms.send_short_message(tpdu)
    assert command.hex().startswith("d0") and "8103011300" in command.hex()
    assert sms.parse_submit(sms.parse_send_short_message(command)) == b"\x02\x71\x00abc"
    with pytest.raises(Malformed, match="not SEND SHORT MESSAGE"):
        sms.parse_send_short_message(command.replace(bytes.fromhex("011300"), bytes.fromhex("012100")))


@pytest.mark.parametrize(
    ("user_data", "words"),
    [
        ("", "cut"),
        ("05", "cut"),
        ("0270", "cut"),
        ("027005", "cut"),
        ("03700000", "cut"),
        ("0400020102ff", "concatenation"),
        ("050003010203", "concatenation"),
        ("050003010200", "concatenation"),
    ],
)
def test_wrong_header(user_data: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        sms.segment(bytes.fromhex(user_data))


PARSERS = (sms.segment, sms.parse_deliver, sms.parse_envelope, sms.parse_submit, sms.parse_send_short_message)


@given(st.binary(max_size=60), st.sampled_from(PARSERS))
def test_nothing_but_malformed(octets: bytes, parser: object) -> None:
    assert callable(parser)
    try:
        parser(octets)
    except Malformed as error:
        caught = error
        assert str(caught)


@pytest.mark.parametrize("number", ["", "12a", "1" * 21, "++1", "٣"])
def test_wrong_number(number: str) -> None:
    with pytest.raises(Malformed, match="digits"):
        sms.deliver(b"\x02\x70\x00", originator=number)
