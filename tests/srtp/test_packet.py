"""Where the clear part of RTP and RTCP packets ends."""

import pytest

from imslab.errors import Malformed
from imslab.srtp import packet


@pytest.mark.parametrize(
    ("octets", "length"),
    [
        ("80", 12),
        ("8f", 12 + 60),
        ("b0", 12 + 4),  # an extension without words; the padding bit does not matter
        ("92", 12 + 8 + 4),
    ],
)
def test_header_lengths(octets, length):
    whole = bytes.fromhex(octets).ljust(200, b"\0")
    assert packet.header_length(whole) == length
    assert packet.header_length(whole[:length]) == length
    with pytest.raises(Malformed):
        packet.header_length(whole[: length - 1])


def test_an_extension_counts_words():
    header = bytes([0x91]) + bytes(11) + b"csrc" + b"\xbe\xde\0\x02" + b"eight   "
    assert packet.header_length(header + b"payload") == 28
    with pytest.raises(Malformed, match="header of 28"):
        packet.header_length(header[:-1])


@pytest.mark.parametrize("first", [0x00, 0x40, 0xC0])
def test_another_version_is_refused(first):
    with pytest.raises(Malformed, match="version"):
        packet.header_length(bytes([first]) + bytes(20))
    with pytest.raises(Malformed, match="version"):
        packet.check_rtcp(bytes([first]) + bytes(20))


@pytest.mark.parametrize("size", range(12))
def test_what_is_too_short_is_refused(size):
    octets = b"\x80" * size
    with pytest.raises(Malformed, match=f"of {size} octets"):
        packet.header_length(octets)
    if size < 8:
        with pytest.raises(Malformed, match=f"of {size} octets"):
            packet.check_rtcp(octets)


def test_numbers_of_a_header():
    octets = bytes.fromhex("80001234000000000badcafe")
    assert (packet.sequence_number(octets), packet.ssrc(octets)) == (0x1234, 0x0BADCAFE)
    assert packet.rtcp_ssrc(bytes.fromhex("80c800010badcafe")) == 0x0BADCAFE
