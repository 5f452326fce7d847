"""HEP: copies of messages, read from octets that follow the format and from octets that do not."""

import asyncio
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed, NetworkError
from imslab.net.hep import Copy, HepListener


def chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    return struct.pack("!HHH", vendor, kind, 6 + len(value)) + value


def packet(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


ADDRESSES = (chunk(3, bytes((127, 0, 0, 21))), chunk(4, bytes((127, 0, 0, 25))))
PORTS = (chunk(7, struct.pack("!H", 5060)), chunk(8, struct.pack("!H", 5062)))
TIME = (chunk(9, struct.pack("!I", 1_795_873_456)), chunk(10, struct.pack("!I", 250_000)))
WHOLE = packet(
    chunk(1, b"\2"), chunk(2, b"\x11"), *ADDRESSES, *PORTS, *TIME, chunk(11, b"\1"),
    chunk(12, struct.pack("!I", 3)), chunk(15, b"REGISTER", vendor=7), chunk(15, b"OPTIONS sip:a SIP/2.0"),
)  # fmt: skip


def test_a_copy_says_who_sent_what_to_whom_and_when() -> None:
    copy = Copy.parse(WHOLE)
    assert (copy.source, copy.destination) == (("127.0.0.21", 5060), ("127.0.0.25", 5062))
    assert copy.at == 1_795_873_456.25
    assert (copy.protocol, copy.type, copy.agent) == (17, 1, 3)
    assert copy.payload == b"OPTIONS sip:a SIP/2.0"  # and not the other vendor's chunk


def test_addresses_of_version_6() -> None:
    one = bytes(15) + b"\1"
    copy = Copy.parse(packet(chunk(5, one), chunk(6, one), chunk(2, b"\6"), chunk(15, b"x")))
    assert (copy.source[0], copy.protocol) == ("::1", 6)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"HEP2" + WHOLE[4:], "no HEP packet"),
        (WHOLE[:5], "no HEP packet"),
        (WHOLE[:-1], "a HEP packet of"),
        (packet(chunk(15, b"x")), "without addresses"),
        (packet(*ADDRESSES), "without addresses or payload"),
        (packet(b"\0\0\0\1\0\5"), "too long or too short at octet 6"),
        (packet(b"\0\0\0\1\0\xff"), "too long or too short at octet 6"),
        (packet(b"\0\0\0\1\0\0"), "too long or too short at octet 6"),
    ],
)
def test_what_is_no_copy_is_refused(octets: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        Copy.parse(octets)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_changed_octet_gives_a_copy_or_malformed(at: int, value: int) -> None:
    try:
        Copy.parse(WHOLE[:at] + bytes((value,)) + WHOLE[at + 1 :])
    except Malformed as error:
        problem = str(error)
    else:
        problem = "none"
    assert problem


async def test_a_listener_hands_on_copies_and_counts_the_rest() -> None:
    found: list[Copy] = []
    listener = await HepListener.bind("127.0.0.1", 0, found.append)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=listener.address
    )
    transport.sendto(b"no HEP")
    transport.sendto(WHOLE)
    end = time.monotonic() + 5
    while not found and time.monotonic() < end:
        await asyncio.sleep(0)
    transport.close()
    assert [copy.agent for copy in found] == [3] and listener.refused == 1
    with pytest.raises(NetworkError, match="is in use"):
        await HepListener.bind(*listener.address, found.append)
    listener.close()
    listener.close()
