"""pcap and pcapng in every form, whole, cut and corrupt."""

import gzip
import io
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.capture.file import CaptureFile, read_file
from imslab.errors import CaptureError

PACKETS = [b"first", b"", b"the third packet"]
SECONDS = 1_700_000_000


def pcap(order: str = "<", magic: int = 0xA1B2C3D4, link: int = 101, packets: list[bytes] = PACKETS) -> bytes:
    extra = bytes(8) if magic == 0xA1B2CD34 else b""
    header = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link)
    return header + b"".join(
        struct.pack(order + "IIII", SECONDS + n, 5, len(packet), len(packet) + 9) + extra + packet
        for n, packet in enumerate(packets)
    )


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", *, major: int = 1, options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1) + options)


def interface(order: str = "<", link: int = 101, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snaplen) + options)


def enhanced(order: str, ticks: int, packet: bytes, number: int = 0, options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(order, 6, head + packet + bytes(-len(packet) % 4) + options)


def contents(capture: CaptureFile) -> list[bytes]:
    return [capture.packet(i) for i in range(len(capture))]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 5000), (0xA1B23C4D, 5), (0xA1B2CD34, 5000)])
def test_pcap_in_every_variant(order: str, magic: int, tick: int) -> None:
    capture = read_file(pcap(order, magic))
    assert (capture.format, contents(capture), capture.warnings) == ("pcap", PACKETS, [])
    assert capture.records.time.tolist() == [(SECONDS + n) * 10**9 + tick for n in range(3)]
    assert capture.records.original.tolist() == [len(packet) + 9 for packet in PACKETS]
    assert capture.records.link.tolist() == [101] * 3
    assert capture.packet_comment(0) == ""


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_pcapng_in_both_byte_orders(order: str) -> None:
    octets = section(order) + interface(order) + b"".join(enhanced(order, 7, packet) for packet in PACKETS)
    capture = read_file(octets)
    assert (capture.format, contents(capture), capture.warnings) == ("pcapng", PACKETS, [])
    assert capture.records.time.tolist() == [7000] * 3  # microseconds, when no resolution is given


@pytest.mark.parametrize(
    ("resolution", "ticks", "nanoseconds"),
    [
        (6, 1_500_000, 1_500_000_000),
        (9, 1_500_000_000, 1_500_000_000),
        (3, 1500, 1_500_000_000),
        (12, 1_500_000_000_000, 1_500_000_000),
        (0x80 | 20, 3 << 19, 1_500_000_000),
        (0x80, 2, 2_000_000_000),
    ],
)
def test_resolutions_of_time(resolution: int, ticks: int, nanoseconds: int) -> None:
    described = interface(options=option("<", 9, bytes([resolution])))
    assert read_file(section() + described + enhanced("<", ticks, b"x")).records.time.tolist() == [
        nanoseconds
    ]


def test_an_interface_may_count_from_another_second() -> None:
    described = interface(options=option("<", 14, struct.pack("<q", 100)))
    capture = read_file(section() + described + enhanced("<", 1, b"x"))
    assert capture.records.time.tolist() == [100_000_001_000]


def test_interfaces_keep_their_link_types() -> None:
    octets = (
        section()
        + interface(link=1)
        + interface(link=113)
        + enhanced("<", 0, b"a", 1)
        + enhanced("<", 0, b"b")
    )
    assert read_file(octets).records.link.tolist() == [113, 1]


def test_sections_start_anew_in_another_byte_order() -> None:
    first = section("<") + interface("<", 1) + enhanced("<", 1, b"little")
    second = section(">") + interface(">", 101) + enhanced(">", 2, b"big")
    capture = read_file(first + second)
    assert contents(capture) == [b"little", b"big"]
    assert capture.records.link.tolist() == [1, 101]


def test_names_comments_and_secrets() -> None:
    names = struct.pack("<HH", 1, 10) + bytes([127, 0, 0, 1]) + b"alice\0" + bytes(2)
    names += struct.pack("<HH", 2, 20) + bytes(15) + b"\1" + b"bob\0" + bytes(4)
    secrets = struct.pack("<II", 0x544C534B, 5) + b"CLIENT_RANDOM"[:5]
    octets = section(options=option("<", 1, b"whole") + bytes(4)) + block("<", 10, secrets) + interface()
    octets += block("<", 4, names) + enhanced(
        "<", 1, b"abc", options=option("<", 1, "für".encode()) + bytes(4)
    )
    capture = read_file(octets)
    assert capture.names == {"127.0.0.1": "alice", "::1": "bob"}
    assert capture.comment == "whole"
    assert capture.packet_comment(0) == "für"
    assert capture.secrets == [(0x544C534B, b"CLIEN")]


def test_a_simple_packet_has_the_time_of_the_one_before() -> None:
    simple = block("<", 3, struct.pack("<I", 6) + b"simple")
    capture = read_file(section() + interface() + simple + enhanced("<", 9, b"x") + simple)
    assert contents(capture) == [b"simple", b"x", b"simple"]
    assert capture.records.time.tolist() == [0, 9000, 9000]


def test_a_simple_packet_is_cut_at_the_snapshot_length() -> None:
    simple = block("<", 3, struct.pack("<I", 600) + b"12345678")
    assert contents(read_file(section() + interface(snaplen=8) + simple)) == [b"12345678"]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_an_obsolete_packet_block_is_read(order: str) -> None:
    body = struct.pack(order + "HHIIII", 1, 0xFFFF, 0, 4, 3, 3) + b"old"
    capture = read_file(section(order) + interface(order) + interface(order, 113) + block(order, 2, body))
    assert contents(capture) == [b"old"]
    assert capture.records.time.tolist() == [4000]
    assert capture.records.link.tolist() == [113]


def test_unknown_blocks_are_stepped_over() -> None:
    assert contents(
        read_file(section() + block("<", 0x0BAD, b"?") + interface() + enhanced("<", 1, b"x"))
    ) == [b"x"]


def test_a_path_an_open_file_and_octets_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "three.pcap"
    path.write_bytes(pcap())
    with path.open("rb") as file:
        opened = [
            read_file(path),
            read_file(str(path)),
            read_file(pcap()),
            read_file(io.BytesIO(pcap())),
            read_file(file),
        ]
    assert [contents(capture) for capture in opened] == [PACKETS] * 5
    assert opened[0].name == "three.pcap"


def test_a_pcap_cut_anywhere_gives_the_packets_before() -> None:
    octets = pcap()
    for length in range(24, len(octets)):
        capture = read_file(octets[:length])
        whole = contents(capture)
        assert whole == PACKETS[: len(whole)]
        at_a_border = length in (24, 24 + 21, 24 + 21 + 16)
        assert capture.truncated is not at_a_border
        assert [f"{len(whole)} packets before" in warning for warning in capture.warnings] == [True] * (
            not at_a_border
        )


def test_a_pcapng_cut_anywhere_gives_the_packets_before() -> None:
    octets = section() + interface() + b"".join(enhanced("<", 1, packet) for packet in PACKETS)
    for length in range(28, len(octets)):
        capture = read_file(octets[:length])
        assert contents(capture) == PACKETS[: len(capture)]
        assert capture.truncated is bool(capture.warnings)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "is empty"),
        (b"{}", "no capture"),
        (b"REGISTER sip:x SIP/2.0\r\n", "no capture"),
        (b"\x28\xb5\x2f\xfd rest", "zstd data is corrupt"),
        (b"\x1f\x8b rest", "gzip data is corrupt"),
        (pcap()[:10], "file header"),
        (section()[:8], "no pcapng"),
        (section(major=2), "version 2"),
        (b"\x0a\x0d\x0d\x0a" + bytes(24), "byte order"),
        (gzip.compress(b"text"), "no capture"),
    ],
    ids=[
        "empty",
        "json",
        "sip",
        "zstd",
        "gzip",
        "pcap head",
        "pcapng head",
        "version",
        "order",
        "gzip of text",
    ],
)
def test_what_is_no_capture_gives_one_clear_line(octets: bytes, says: str) -> None:
    with pytest.raises(CaptureError, match=says) as caught:
        read_file(octets)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, says in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "empty", "empty"),
    ):
        with pytest.raises(CaptureError, match=says):
            read_file(path)
    with pytest.raises(CaptureError, match="binary"):
        read_file(io.StringIO("text"))  # type: ignore[arg-type]


def corrupted(octets: bytes, at: int, value: bytes) -> bytes:
    return octets[:at] + value + octets[at + len(value) :]


NG = section() + interface() + enhanced("<", 1, b"good") + enhanced("<", 2, b"evil")
EVIL = len(NG) - 36  # where the second packet's block begins


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (corrupted(pcap(), 24 + 21 + 8, b"\xff\xff\xff\x3f"), "1073741823 octets"),
        (corrupted(NG, EVIL + 4, struct.pack("<I", 0x40000000)), "cut"),
        (corrupted(NG, EVIL + 4, struct.pack("<I", 8)), "block of 8 octets"),
        (corrupted(NG, len(NG) - 4, bytes(4)), "two lengths"),
        (corrupted(NG, EVIL + 8, struct.pack("<I", 9)), "interface 9"),
        (corrupted(NG, EVIL + 20, struct.pack("<I", 0x40000000)), "in a smaller block"),
        (NG[:EVIL] + block("<", 6, bytes(8)), "packet block of 20"),
        (NG[:EVIL] + block("<", 1, bytes(4)), "interface description of 4"),
        (NG[:EVIL] + block("<", 1, bytes(4)) + NG[EVIL:], "interface description of 4"),
        (NG[:EVIL] + section(major=2) + interface() + enhanced("<", 1, b"x"), "version 2"),
        (corrupted(NG, EVIL, b"\x0a\x0d\x0d\x0a"), "no byte order"),
    ],
)
def test_a_corrupt_file_says_where_and_gives_what_comes_before(octets: bytes, says: str) -> None:
    capture = read_file(octets)
    assert len(capture) == 1
    assert capture.truncated
    (warning,) = capture.warnings
    assert says in warning
    assert "octet " in warning


def test_an_interface_that_is_described_too_late_is_a_fault() -> None:
    octets = section() + interface() + enhanced("<", 1, b"good") + enhanced("<", 1, b"early", 1) + interface()
    capture = read_file(octets + enhanced("<", 1, b"good", 1))
    assert contents(capture) == [b"good"]
    assert "interface 1 was not described" in capture.warnings[0]


def test_what_comes_before_a_fault_in_a_later_section_stays() -> None:
    first = section() + interface() + enhanced("<", 1, b"one")
    capture = read_file(first + section(">") + enhanced(">", 1, b"no interface here"))
    assert contents(capture) == [b"one"]
    assert "1 packets before that" in capture.warnings[0]


def test_a_packet_of_a_gigabyte_that_is_not_there_costs_nothing() -> None:
    claims = pcap(packets=[]) + struct.pack("<IIII", 1, 1, 2**30, 2**30) + b"x"
    simple = section() + interface() + block("<", 3, struct.pack("<I", 2**30) + b"12345678")
    tracemalloc.start()
    try:
        assert len(read_file(claims)) == 0
        assert contents(read_file(simple)) == [b"12345678"]
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200), st.sampled_from(["", "pcap", "ng", "gz"]))
def test_noise_gives_a_capture_or_a_capture_error(noise: bytes, start: str) -> None:
    head = {"": b"", "pcap": pcap(packets=[]), "ng": section() + interface(), "gz": b"\x1f\x8b\x08\x00"}[
        start
    ]
    try:
        capture = read_file(head + noise)
    except CaptureError:
        return
    for i in range(len(capture)):
        assert len(capture.packet(i)) == capture.records.length[i]
        capture.packet_comment(i)
