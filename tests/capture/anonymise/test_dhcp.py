"""DHCP: hosts and addresses are others, times and what is asked for are not."""

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from imslab.capture.anonymise.dhcp import Dhcp
from tests.capture.anonymise.parts import Parts, parts

MAC = bytes.fromhex("001122334455")
MESSAGE = bytes(
    BOOTP(op=2, xid=7, yiaddr="192.0.2.7", siaddr="192.0.2.1", chaddr=MAC, sname=b"alice's server")
    / DHCP(
        options=[
            ("message-type", "ack"),
            ("server_id", "192.0.2.1"),
            ("lease_time", 3600),
            ("subnet_mask", "255.255.255.0"),
            ("router", "192.0.2.1"),
            ("hostname", b"alice-phone"),
            ("domain", b"home.example"),
            ("client_id", b"\1" + MAC),
            (120, b"\1" + bytes((192, 0, 2, 9))),
            (82, b"where alice is"),
            "end",
        ]
    )
)


def test_another_host(made: Parts) -> None:
    new = Dhcp(made.texts).rewrite(MESSAGE)
    assert new is not None
    assert len(new) == len(MESSAGE)
    found = BOOTP(new)
    options = {one[0]: one[1] for one in found[DHCP].options if isinstance(one, tuple)}
    assert (found.op, found.xid) == (2, 7)
    assert found.yiaddr == made.texts.ip("192.0.2.7")
    assert found.chaddr[:6] == options["client_id"][1:] == made.addresses.mac(MAC)
    assert options["router"] == options["server_id"] == made.texts.ip("192.0.2.1")
    assert (options["lease_time"], options["subnet_mask"], options["message-type"]) == (
        3600,
        "255.255.255.0",
        5,
    )
    assert options["hostname"].decode() == made.texts.name("alice-phone")
    assert options["domain"].decode() == made.texts.host("home.example")
    assert b"\x78\x05\x01" + made.addresses.ip(bytes((192, 0, 2, 9))) in new
    assert b"alice" not in new


def test_sip_servers_by_name(made: Parts) -> None:
    name = b"\0" + b"\5alice\4home\0"
    new = Dhcp(made.texts).rewrite(MESSAGE[:240] + b"\x78" + bytes((len(name),)) + name + b"\xff")
    assert new is not None
    assert new[240:244] == b"\x78\x0d\0\5"
    assert b"alice" not in new


def test_what_is_none(made: Parts) -> None:
    assert Dhcp(made.texts).rewrite(MESSAGE[:100]) is None
    assert Dhcp(made.texts).rewrite(bytes(300)) is None


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_message_keeps_its_length(options: bytes) -> None:
    octets = MESSAGE[:240] + options
    assert len(Dhcp(parts().texts).rewrite(octets) or b"") == len(octets)
