"""A trace is read back by our own reader, and by tshark."""

import io
import subprocess
from pathlib import Path

import pytest

from imslab.capture import index
from imslab.capture.file import CaptureFile, read_file
from imslab.errors import Malformed
from imslab.net.trace import SEGMENT, TraceWriter
from imslab.sip.websocket import frame_for, handshake_request, handshake_response
from imslab.uicc import gsmtap

A, B = ("127.0.0.2", 40_000), ("127.0.0.10", 5060)
A6, B6 = ("2001:db8::2", 40_000), ("2001:db8::10", 5060)
AT = 1_700_000_000.25
OPTIONS = (
    b"OPTIONS sip:a@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def written(*steps: tuple[str, tuple[object, ...]]) -> CaptureFile:
    file = io.BytesIO()
    trace = TraceWriter(file, comment="by a test")
    for name, arguments in steps:
        getattr(trace, name)(*arguments)
    assert trace.packets == len(read_file(file.getvalue()))
    return read_file(file.getvalue())


def test_an_empty_trace_is_a_capture_of_nothing() -> None:
    capture = written()
    assert (capture.format, len(capture), capture.comment) == ("pcapng", 0, "by a test")
    assert capture.warnings == []


def test_a_datagram_keeps_time_addresses_payload_and_comment() -> None:
    capture = written(("udp", (AT, A, B, b"payload", "why")))
    rows = index.build(capture)
    assert capture.records.time.tolist() == [1_700_000_000_250_000_000]
    assert capture.records.link.tolist() == [101]
    assert rows.endpoints(0) == (A, B)
    assert capture.packet(0).endswith(b"payload")
    assert capture.packet_comment(0) == "why"


def test_ipv6_is_written_as_such() -> None:
    capture = written(("udp", (AT, A6, B6, b"x")))
    assert index.build(capture).endpoints(0) == (A6, B6)


def test_esp_has_addresses_and_no_ports() -> None:
    octets = bytes.fromhex("00001000 00000001") + bytes(16)
    capture = written(
        ("esp", (AT, A[0], B[0], octets, "sealed")),
        ("esp", (AT, A6[0], B6[0], octets)),
        ("udp", (AT, A, B, b"x")),
    )
    found = index.build(capture)
    assert (found.esp.frame.tolist(), found.esp.spi.tolist(), found.frame.tolist()) == (
        [1, 2],
        [0x1000] * 2,
        [3],
    )
    assert found.data[int(found.esp.start[0]) : int(found.esp.start[0]) + 24] == octets
    assert capture.packet_comment(0) == "sealed"


def test_names_are_written_once() -> None:
    once = written(("name", ("127.0.0.2", "alice")))
    twice = written(("name", ("127.0.0.2", "alice")), ("name", ("127.0.0.2", "alice")))
    assert twice.names == {"127.0.0.2": "alice"}
    assert len(twice.data) == len(once.data)
    assert written(("name", ("2001:db8::2", "bob"))).names == {"2001:db8::2": "bob"}


def test_a_connection_counts_every_octet() -> None:
    capture = written(
        ("tcp_open", (AT, A, B)),
        ("tcp", (AT, A, B, b"x" * 3000)),
        ("tcp", (AT, B, A, b"y" * 10)),
        ("tcp_close", (AT, B, A)),
    )
    rows = index.build(capture)
    assert rows.length.tolist() == [0, 0, 0, SEGMENT, SEGMENT, 200, 10, 0, 0, 0]
    #                                 SYN   SYN/ACK ACK                PSH      PSH   FIN   FIN   ACK
    assert rows.flags.tolist() == [0x02, 0x12, 0x10, 0x10, 0x10, 0x18, 0x18, 0x11, 0x11, 0x10]
    client = rows.seq[(rows.sport == A[1])].tolist()
    assert client == [1000, 1001, 1001, 2401, 3801, 4001]
    assert rows.seq[rows.sport == B[1]].tolist() == [1000, 1001, 1011, 1012]


def test_acknowledgements_confirm_what_came() -> None:
    capture = written(("tcp_open", (AT, A, B)), ("tcp", (AT, A, B, b"x" * 100)), ("tcp", (AT, B, A, b"y")))
    ack = int.from_bytes(capture.packet(4)[28:32])
    assert ack == 1001 + 100


def test_a_long_transfer_is_acknowledged_before_the_window_is_full() -> None:
    capture = written(("tcp_open", (AT, A, B)), ("tcp", (AT, A, B, bytes(200_000))))
    rows = index.build(capture)
    bare = ((rows.sport == B[1]) & (rows.flags == 0x10)).sum()
    assert bare == 200_000 // (24 * SEGMENT)  # after 24 segments more than 32 KiB are open


def test_a_connection_that_was_not_opened_starts_in_its_middle() -> None:
    rows = index.build(written(("tcp", (AT, A, B, b"x")), ("tcp_close", (AT, A, B))))
    assert rows.flags.tolist() == [0x18, 0x11, 0x11, 0x10]


def test_a_port_can_be_used_again() -> None:
    rows = index.build(
        written(
            ("tcp_open", (AT, A, B)),
            ("tcp", (AT, A, B, b"x")),
            ("tcp_close", (AT, A, B)),
            ("tcp_open", (AT, A, B)),
        )
    )
    assert rows.seq.tolist()[-3:] == [1000, 1000, 1001]


def test_an_exchange_bears_the_time_of_the_response() -> None:
    payloads = gsmtap.encode_exchange(bytes.fromhex("00a40804022f00"), bytes.fromhex("6202820090 00"))
    capture = written(("apdu", (AT, 0.000123, A[0], B[0], payloads)))
    assert capture.records.time.tolist() == [1_700_000_000_250_123_000] * 2
    assert [capture.packet_comment(i) for i in range(2)] == ["card time 123 us", "card time 0 us"]
    assert index.build(capture).dport.tolist() == [4729, 4729]


BAD = [
    ("udp", (AT, ("alice", 1), B, b"")),
    ("udp", (AT, A, ("127.0.0.1", 70_000), b"")),
    ("udp", (AT, A, B6, b"")),
    ("udp", (AT, A, B, bytes(65_508))),
    ("udp", (float("nan"), A, B, b"")),
    ("udp", (float("inf"), A, B, b"")),
    ("udp", (-1.0, A, B, b"")),
    ("udp", (1e12, A, B, b"")),
    ("tcp_open", (float("nan"), A, B)),
    ("tcp", (AT, A, ("x", 1), b"x")),
    ("apdu", (AT, -0.1, A[0], B[0], [b""])),
    ("name", ("x", "alice")),
    ("name", ("127.0.0.1", "")),
    ("name", ("127.0.0.1", "a\0b")),
    ("name", ("127.0.0.1", "x" * 256)),
]


@pytest.mark.parametrize(("step", "arguments"), BAD, ids=[f"{step}-{i}" for i, (step, _) in enumerate(BAD)])
def test_bad_input_is_refused_and_leaves_the_file_as_it_was(step: str, arguments: tuple[object, ...]) -> None:
    file = io.BytesIO()
    trace = TraceWriter(file)
    before = file.getvalue()
    with pytest.raises(Malformed):
        getattr(trace, step)(*arguments)
    assert file.getvalue() == before


def test_the_same_steps_give_the_same_octets() -> None:
    steps = (("tcp_open", (AT, A, B)), ("tcp", (AT, A, B, b"x")), ("name", ("127.0.0.1", "a")))
    assert written(*steps).data == written(*steps).data


LINE = b"CLIENT_RANDOM " + b"0a" * 32 + b" " + b"B7" * 48
TLS_13 = b"SERVER_TRAFFIC_SECRET_0 " + b"0b" * 32 + b" " + b"c8" * 32


def test_secrets_stand_right_after_the_section_header_however_late_they_come() -> None:
    file = io.BytesIO()
    trace = TraceWriter(file, comment="by a test")
    trace.udp(AT, A, B, b"handshake")
    trace.secret(LINE)
    trace.secret(TLS_13 + b"\n")
    trace.udp(AT, A, B, b"media")
    before = read_file(file.getvalue())
    whole = trace.with_secrets(file.getvalue())
    capture = read_file(whole)
    assert capture.secrets == [(0x544C534B, LINE + b"\n" + TLS_13 + b"\n")]
    assert capture.warnings == before.warnings == []
    assert [capture.packet(i) for i in range(2)] == [before.packet(i) for i in range(2)]
    assert capture.comment == "by a test"
    after_the_header = int.from_bytes(whole[4:8], "little")
    assert whole[after_the_header : after_the_header + 4] == bytes.fromhex("0a000000")


def test_a_secret_that_both_ends_tell_is_written_once() -> None:
    file = io.BytesIO()
    trace = TraceWriter(file)
    for line in (LINE, TLS_13, LINE + b"\r\n"):
        trace.secret(line)
    ((_, lines),) = read_file(trace.with_secrets(file.getvalue())).secrets
    assert lines.splitlines() == [LINE, TLS_13]


def test_a_trace_without_secrets_is_left_alone() -> None:
    file = io.BytesIO()
    trace = TraceWriter(file)
    assert trace.with_secrets(file.getvalue()) == file.getvalue()


@pytest.mark.parametrize(
    "line",
    [b"", b"CLIENT_RANDOM", LINE[:-1], LINE + b"\n" + LINE, b"# " + LINE, LINE.lower(), LINE + b"00" * 300],
    ids=["empty", "label", "odd", "two", "comment", "lower case", "long"],
)
def test_what_is_no_line_of_a_key_log_is_refused_without_being_repeated(line: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        TraceWriter(io.BytesIO()).secret(line)
    assert "b7b7" not in str(caught.value).lower()


@pytest.mark.component("tshark")
def test_tshark_finds_nothing_wrong_with_any_kind_of_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcapng"
    with path.open("wb") as file:
        trace = TraceWriter(file, comment="for tshark")
        trace.name("127.0.0.2", "alice")
        for one, other in ((A, B), (A6, B6)):
            trace.udp(AT, one, other, OPTIONS, "a comment")
            trace.tcp_open(AT, one, other)
            for _ in range(3):
                trace.tcp(AT, one, other, OPTIONS * 9)
                trace.tcp(AT, other, one, OPTIONS)
            trace.tcp(AT, one, other, OPTIONS * 800)
            trace.tcp_close(AT, one, other)
            select = gsmtap.encode_exchange(bytes.fromhex("00a40004023f00"), bytes.fromhex("62028200 9000"))
            trace.apdu(AT, 0.001, one[0], other[0], select)
        _websocket(trace)
    assert _experts(path) == []
    assert _shown(path, "sip").count("\n") > 50
    assert _shown(path, "gsm_sim").count("\n") == 4
    assert "alice" in _shown(path, "ip", "-Nn")


def _websocket(trace: TraceWriter) -> None:
    """Write a WebSocket from GET to a masked REGISTER and an unmasked answer."""
    client, server = ("127.0.0.2", 41_000), ("127.0.0.10", 80)
    request = handshake_request("127.0.0.10", "/", "dGhlIHNhbXBsZSBub25jZQ==")
    trace.tcp_open(AT, client, server)
    trace.tcp(AT, client, server, request)
    trace.tcp(AT, server, client, handshake_response(request))
    trace.tcp(AT, client, server, frame_for(OPTIONS).encode(b"mask"))
    trace.tcp(AT, server, client, frame_for(OPTIONS).encode())


def _experts(path: Path) -> list[str]:
    """Return what tshark calls malformed, or finds worth a warning or an error, checksums included."""
    checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
    fields = ["-Tfields", "-eframe.number", "-e_ws.expert.severity", "-e_ws.expert.message"]
    worse = "_ws.malformed || _ws.expert.severity >= 6291456"  # 6291456: warning
    return _run("tshark", "-r", str(path), *checks, "-Y", worse, *fields).splitlines()


def _shown(path: Path, condition: str, *more: str) -> str:
    return _run("tshark", "-r", str(path), "-Y", condition, *more)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
