"""A packet taken apart for a picture: nothing is lost, and nothing is shown without the key."""

from dataclasses import replace

import pytest

from imslab.errors import OtaError
from imslab.uicc.ota import KeySet, Spi, command_packet, seal
from imslab.uicc.ota.anatomy import opened_parts, sealed_parts


def test_parts(keys: KeySet) -> None:
    packet = seal(command_packet(keys, b"\xb0\x00\x12", b"abc", 258), keys)
    sealed, opened = sealed_parts(packet), dict(opened_parts(packet, keys))
    assert b"".join(value for _, value in sealed) == packet
    assert [name for name, _ in sealed] == ["CPL, CHL", "SPI", "KIc, KID", "TAR", "ciphered"]
    assert (opened["CNTR"].hex(), opened["data"], opened["padding"]) == ("0000000102", b"abc", bytes(15))
    assert len(opened["MAC"]) == 8 and opened["PCNTR"] == b"\x0f" and opened["TAR"] == b"\xb0\x00\x12"
    plain = seal(command_packet(keys, b"\xb0\x00\x12", b"abc", 1, replace(Spi(), ciphered=False)), keys)
    assert sealed_parts(plain) == opened_parts(plain, keys)
    with pytest.raises(OtaError):
        opened_parts(packet, replace(keys, kid=bytes(16)))
