"""The tap of the demo: whose browser a connection is, by the path of its first request."""

import io

import pytest

from imslab.capture import open_capture
from imslab.ims.node import Address
from imslab.net.tap import Clock
from imslab.net.trace import TraceWriter
from imslab.web.tap import DemoTap

SERVER, SIP = Address("127.0.0.1", 8080, "TCP"), Address("127.0.0.21", 5080, "WS")
COLUMNS = {"alice": "127.0.0.11", "bob": "127.0.0.12"}
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def browser(port: int) -> Address:
    return Address("127.0.0.1", port, "TCP")


class Tapped:
    def __init__(self) -> None:
        self.file = io.BytesIO()
        self.tap = DemoTap(TraceWriter(self.file), Clock(), columns=COLUMNS)


@pytest.fixture
def tapped() -> Tapped:
    return Tapped()


def columns(tapped: Tapped) -> list[tuple[str, str]]:
    tapped.tap.flush()
    arrows = open_capture(tapped.file.getvalue()).arrows()
    return [(arrow.source, arrow.destination) for arrow in arrows]


def test_two_browsers_have_a_column_each(tapped: Tapped) -> None:
    for port, name in ((4001, b"alice"), (4002, b"bob/client/app.js")):
        tapped.tap.opened(browser(port), SERVER)
        tapped.tap.stream(browser(port), SERVER, GET % name)
        tapped.tap.stream(SERVER, browser(port), OK)
    assert columns(tapped) == [
        ("127.0.0.11", "127.0.0.1"), ("127.0.0.1", "127.0.0.11"),
        ("127.0.0.12", "127.0.0.1"), ("127.0.0.1", "127.0.0.12"),
    ]  # fmt: skip


def test_one_connection_that_serves_two_pages_changes_its_column(tapped: Tapped) -> None:
    tapped.tap.opened(browser(4001), SERVER)
    for name in (b"alice", b"bob", b"client/x.js"):
        tapped.tap.stream(browser(4001), SERVER, GET % name)
        tapped.tap.stream(SERVER, browser(4001), OK)
    assert [source for source, _ in columns(tapped)[::2]] == ["127.0.0.11", "127.0.0.12", "127.0.0.12"]


def test_a_websocket_stays_with_whom_its_path_names(tapped: Tapped) -> None:
    client = browser(4003)
    tapped.tap.opened(client, SIP)
    tapped.tap.stream(client, SIP, GET % b"bob")
    tapped.tap.stream(client, SIP, b"\x81\x05GET /alice")  # octets of a frame are no request
    tapped.tap.closed(SIP, client)
    packets = packets_of(tapped)
    assert {source for source, _ in packets} == {"127.0.0.12", "127.0.0.21"}


def test_who_names_nobody_is_shown_as_it_is(tapped: Tapped) -> None:
    tapped.tap.opened(browser(4004), SERVER)
    tapped.tap.stream(browser(4004), SERVER, GET % b"mallory")
    assert packets_of(tapped)[0] == ("127.0.0.1", "127.0.0.1")


def test_a_connection_that_says_nothing_is_left_out(tapped: Tapped) -> None:
    tapped.tap.opened(browser(4005), SERVER)
    tapped.tap.closed(browser(4005), SERVER)
    assert packets_of(tapped) == []


def test_a_port_that_is_used_again_is_known_anew(tapped: Tapped) -> None:
    for name in (b"alice", b"bob"):
        tapped.tap.opened(browser(4006), SERVER)
        tapped.tap.stream(browser(4006), SERVER, GET % name)
        tapped.tap.closed(browser(4006), SERVER)
    clients = [source for source, destination in packets_of(tapped) if destination == "127.0.0.1"]
    assert clients[0] == "127.0.0.11" and clients[-1] == "127.0.0.12"


def packets_of(tapped: Tapped) -> list[tuple[str, str]]:
    from scapy.layers.inet import IP
    from scapy.utils import RawPcapNgReader

    tapped.tap.flush()
    packets = [IP(octets) for octets, _ in RawPcapNgReader(io.BytesIO(tapped.file.getvalue()))]  # type: ignore[arg-type]
    return [(packet.src, packet.dst) for packet in packets]
