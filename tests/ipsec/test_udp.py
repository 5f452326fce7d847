"""ESP inside UDP: RFC 3948."""

import pytest

from imslab.errors import EspError
from imslab.ipsec import udp
from imslab.ipsec.esp import SecurityAssociation

PACKET = SecurityAssociation(0x100, "null", b"", "null", b"").seal(1, 17, b"hello", b"")


def test_the_packet_is_the_payload() -> None:
    assert udp.unwrap(udp.wrap(PACKET)) == PACKET
    assert udp.PORT == 4500


@pytest.mark.parametrize(
    "payload",
    [udp.KEEPALIVE, b"", bytes(4) + b"IKE message", PACKET[:7]],
    ids=["keepalive", "", "IKE", "cut"],
)
def test_what_is_no_esp(payload: bytes) -> None:
    assert udp.unwrap(payload) is None
    with pytest.raises(EspError, match="no ESP packet"):
        udp.wrap(payload)


def test_eight_octets_have_a_header() -> None:
    assert udp.unwrap(PACKET[:8]) == PACKET[:8]
    assert udp.unwrap(bytes(3) + b"\1" + bytes(4)) is not None
