"""What is packed with gzip or zstd: whole, in several parts, cut, corrupt, and far too much."""

import gzip
import struct
import sys
from collections.abc import Callable

import pytest
import zstandard

from imslab.capture import packed
from imslab.capture.file import read_file
from imslab.errors import CaptureError
from tests.capture.frames import RAW, pcap

Pack = Callable[[bytes], bytes]
FRAMES = [bytes([number % 251]) * 500 for number in range(1000)]
FILE = pcap(RAW, *FRAMES)
NOISE = b"".join(
    struct.pack("<I", number * 2654435761 % 2**32) for number in range(50_000)
)  # does not shrink
CHECKED = zstandard.ZstdCompressor(write_checksum=True)  # as the command zstd does
PACKS: dict[str, Pack] = {"gzip": lambda octets: gzip.compress(octets, 1), "zstd": CHECKED.compress}
both = pytest.mark.parametrize(("name", "pack"), PACKS.items(), ids=PACKS)


@both
def test_it_is_unpacked(name: str, pack: Pack) -> None:
    found, warnings = packed.unpacked("x", pack(FILE))
    assert (bytes(found), warnings) == (FILE, [])
    assert len(read_file(pack(FILE))) == len(FRAMES)


@both
def test_several_parts_follow_each_other(name: str, pack: Pack) -> None:
    found, warnings = packed.unpacked("x", pack(FILE[:30]) + pack(FILE[30:]) + b"something else")
    assert (bytes(found), warnings) == (FILE, [])


def test_what_is_not_packed_stays_what_it_is() -> None:
    assert packed.unpacked("x", FILE) == (FILE, [])
    assert packed.unpacked("x", b"") == (b"", [])


@both
def test_what_is_cut_gives_what_comes_before(name: str, pack: Pack) -> None:
    octets = pack(FILE)
    for length in range(60, len(octets), 97):
        found, (warning,) = packed.unpacked("x", octets[:length])
        assert FILE.startswith(found)
        assert warning == f"x: the {name} data is cut at octet {length}"
    assert len(found) > len(FILE) // 2


@both
def test_what_is_corrupt_gives_what_comes_before(name: str, pack: Pack) -> None:
    octets = bytearray(pack(NOISE))
    octets[len(octets) // 2] ^= 0xFF
    found, (warning,) = packed.unpacked("x", octets)
    assert warning.startswith(f"x: the {name} data is corrupt near octet ")
    assert NOISE[:1000] == found[:1000]


def test_gzip_is_read_up_to_the_fault() -> None:
    octets = gzip.compress(NOISE, 0)  # stored, in blocks of up to 65,535 octets
    second = octets.index(NOISE[65_535:65_545]) - 5
    found, _ = packed.unpacked("x", octets[:second] + b"\xff" + octets[second + 1 :])
    assert NOISE.startswith(found)
    assert 65_500 < len(found) <= 65_535


@both
def test_a_file_that_holds_too_much_is_left_in_the_middle(
    name: str, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_AT_MOST", 2**20)
    found, (warning,) = packed.unpacked("x", pack(bytes(2**27)))
    assert 2**20 < len(found) < 2**26
    assert warning == f"x: the {name} data holds more than 1048576 octets; the rest is left out"


def test_a_zstd_frame_may_not_ask_for_any_memory() -> None:
    large = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    )
    stream = large.compressobj()
    octets = stream.compress(bytes(range(256)) * 1000) + stream.flush()
    _, (warning,) = packed.unpacked("x", octets)
    assert "corrupt" in warning


def test_without_the_library_zstd_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        CaptureError, match="packed with zstd; install zstandard, or unpack it first: zstd -d"
    ):
        read_file(zstandard.compress(FILE))


@both
def test_a_cut_one_opens_and_says_so(name: str, pack: Pack) -> None:
    opened = read_file(pack(FILE)[:-3])
    assert opened.truncated
    assert f"the {name} data is cut" in opened.warnings[0]
    assert opened.packet(0) == FRAMES[0]
