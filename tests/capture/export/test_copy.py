"""A copy of a capture: frames, times, comments and names stay; what is replaced says what it was."""

import io
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import open_capture
from imslab.capture.export.copy import RAW_IP, TLS_KEY_LOG, Replacement, frames_of, write
from imslab.capture.file import CaptureFile, read_file
from imslab.data import path
from imslab.net.packet import udp_packet
from tests.capture.frames import ETHER, ETHERNET, V4, pcap

HELLO = Replacement(udp_packet(("10.0.0.1", 1), ("10.0.0.2", 2), b"hello"), "imslab: was ESP")


def copied(source: CaptureFile, *frames: int, **options: Any) -> CaptureFile:
    file = io.BytesIO()
    wanted = frames or range(1, len(source) + 1)
    assert write(file, source, wanted, **options) == len(wanted)
    return read_file(file.getvalue())


@pytest.mark.parametrize("name", ["register-akav2", "card-session"])
def test_everything_stays(name: str) -> None:
    source = read_file(path("traces", f"{name}.pcapng"))
    copy = copied(source)
    assert [copy.packet(n) for n in range(len(copy))] == [source.packet(n) for n in range(len(source))]
    for column in ("time", "original", "link"):
        assert (getattr(copy.records, column) == getattr(source.records, column)).all()
    assert [copy.packet_comment(n) for n in range(9)] == [source.packet_comment(n) for n in range(9)]
    assert copy.names == source.names and copy.comment == source.comment
    assert copy.warnings == []


def test_ethernet_and_a_frame_that_was_cut() -> None:
    frame = bytes(ETHER / V4)
    source = read_file(pcap(ETHERNET, frame, frame[:40], original=900))
    copy = copied(source)
    assert copy.records.link.tolist() == [ETHERNET] * 2
    assert copy.records.original.tolist() == [900, 900]
    assert (copy.records.time == source.records.time).all() and copy.packet(1) == frame[:40]


def test_a_replaced_frame() -> None:
    source = read_file(pcap(ETHERNET, bytes(ETHER / V4), bytes(ETHER / V4), seconds=3))
    copy = copied(source, replaced={2: HELLO})
    assert copy.records.link.tolist() == [ETHERNET, RAW_IP]
    assert copy.packet(1) == HELLO.octets and int(copy.records.original[1]) == len(HELLO.octets)
    assert (copy.records.time == source.records.time).all()
    assert copy.packet_comment(1) == "imslab: was ESP" and copy.packet_comment(0) == ""
    assert "hello" not in repr(HELLO)


def test_a_replaced_frame_keeps_its_own_comment() -> None:
    source = read_file(path("traces", "card-session.pcapng"))
    told = next(n for n in range(len(source)) if source.packet_comment(n))
    copy = copied(source, replaced={told + 1: HELLO})
    assert copy.packet_comment(told) == source.packet_comment(told)


def test_some_frames() -> None:
    source = read_file(pcap(ETHERNET, *(bytes(ETHER / V4) + bytes([n]) for n in range(5))))
    copy = copied(source, 2, 5)
    assert [copy.packet(n) for n in range(2)] == [source.packet(1), source.packet(4)]
    capture = open_capture(pcap(ETHERNET, *[bytes(ETHER / V4)] * 5))
    assert frames_of(capture) == [1, 2, 3, 4, 5]
    assert frames_of(capture.where([4, 2])) == [2, 4]


def test_secrets_come_before_the_packets() -> None:
    source = read_file(pcap(ETHERNET, bytes(ETHER / V4)))
    file = io.BytesIO()
    write(file, source, [1], key_log=b"CLIENT_RANDOM ...\n", comment="a test")
    copy = read_file(file.getvalue())
    assert copy.secrets == [(TLS_KEY_LOG, b"CLIENT_RANDOM ...\n")]
    assert copy.comment == "a test"
    assert file.getvalue().index(b"CLIENT_RANDOM") < file.getvalue().index(source.packet(0))
    assert copied(source).secrets == []


def test_a_name_that_is_too_long_is_left_out() -> None:
    source = read_file(pcap(ETHERNET, bytes(ETHER / V4)))
    source.names.update({"10.0.0.1": "x" * 70_000, "::1": "six"})
    assert copied(source).names == {"::1": "six"}


@pytest.mark.component("tshark")
def test_tshark_reads_it(tmp_path: Path, tshark: Any) -> None:
    source = read_file(pcap(ETHERNET, bytes(ETHER / V4), bytes(ETHER / V4)))
    with (tmp_path / "copy.pcapng").open("wb") as file:
        write(file, source, [1, 2], replaced={2: HELLO})
    rows = tshark(tmp_path / "copy.pcapng", "frame.protocols", "frame.comment")
    assert rows == [["eth:ethertype:ip:udp:data", ""], ["raw:ip:udp:data", "imslab: was ESP"]]
