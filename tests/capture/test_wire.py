"""What a login costs on the first hop, over each transport."""

import pytest

from imslab.capture import open_capture
from imslab.data import path


@pytest.fixture(scope="module")
def wires():
    capture = open_capture(path("traces", "register-akav2.pcapng"))
    return {login.wire.transport: login.wire for login in capture.logins if "alice" in login.impu}


def test_a_datagram_is_a_packet(wires):
    udp = wires["udp"]
    assert udp.messages == udp.packets == 4
    assert udp.payload == udp.sip
    assert udp.octets == udp.payload + 4 * (20 + 8)  # IPv4 and UDP headers


def test_a_stream_has_to_be_opened(wires):
    tcp = wires["tcp"]
    assert tcp.messages == 4 and tcp.packets >= 3 + 4
    assert tcp.payload == tcp.sip
    assert tcp.octets > tcp.payload + tcp.packets * 40 - 1


def test_a_websocket_brings_http_and_frames(wires):
    ws = wires["ws"]
    assert ws.messages == 4 and ws.packets >= 3 + 2 + 4
    assert ws.payload > ws.sip + 4 * 4
