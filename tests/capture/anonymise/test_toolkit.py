"""The toolkit: short messages and commands with other numbers and other words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.toolkit import Toolkit
from imslab.uicc import tlv
from imslab.uicc.ota import sms
from tests.capture.anonymise.parts import Parts, parts


def test_a_secured_packet_has_another_content_and_the_same_frame(made: Parts) -> None:
    tpdu = sms.deliver(sms.COMMAND_HEADER + b"a secured packet of the operator", originator="4915112345678")
    data = sms.envelope(tpdu)[5:-1]
    new = sms.parse_deliver(sms.parse_envelope(Toolkit(made.texts).rewrite(data)))
    assert new.originator == made.numbers.number("4915112345678")
    assert (new.pid, new.dcs, new.has_header) == (0x7F, 0xF6, True)
    assert new.user_data[:3] == sms.COMMAND_HEADER
    assert b"operator" not in new.user_data


def test_a_message_that_the_card_sends(made: Parts) -> None:
    tpdu = sms.submit(b"\x02\x71\x00the answer", "4915112345678")
    new = Toolkit(made.texts).rewrite(sms.send_short_message(tpdu))
    inner = sms.parse_submit(sms.parse_send_short_message(new))
    assert inner[:3] == b"\x02\x71\x00"
    assert b"answer" not in inner


def test_a_location_is_elsewhere_in_another_network(made: Parts) -> None:
    place = tlv.encode(0x93, bytes.fromhex("00f110") + b"\x12\x34\x56\x78")
    new = Toolkit(made.texts).rewrite(
        tlv.encode(0xD6, tlv.encode(0x99, b"\x03") + tlv.encode(0x82, b"\x82\x81") + place)
    )
    assert new[:9] == bytes.fromhex("d6109901038202 8281".replace(" ", ""))
    assert new[11:14] == made.numbers.plmn(bytes.fromhex("00f110"))
    assert new[14:] != b"\x12\x34\x56\x78"


@pytest.mark.parametrize(("tag", "kept"), [(0x81, True), (0x02, True), (0x8D, False), (0x85, False)])
def test_what_stays(made: Parts, tag: int, kept: bool) -> None:
    old = tlv.encode(0xD0, tlv.encode(tag, b"\x01\x21\x80"))
    assert (Toolkit(made.texts).rewrite(old) == old) is kept


def test_a_proof_of_receipt_keeps_its_header(made: Parts) -> None:
    new = Toolkit(made.texts).rewrite(b"\x02\x71\x00\x00\x0e the status and more")
    assert new[:3] == b"\x02\x71\x00"
    assert b"status" not in new


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_data_keeps_its_length(data: bytes) -> None:
    for octets in (data, b"\xd1" + bytes([len(data)]) + data, b"\x8b" + data):
        assert len(Toolkit(parts().texts).rewrite(octets)) == len(octets)
