"""APDUs told as GSMTAP, heard, and recorded so that a capture of them can be read."""

import io
import socket

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import NetworkError
from imslab.net.gsmtap import Announcer, Listener
from imslab.net.trace import TraceWriter
from imslab.uicc import Card, IsimClient, Profile, gsmtap


def card() -> Card:
    return Card(Profile.load(profile_path("alice")), protocol="T=0")


def test_what_is_told_is_heard_and_recorded() -> None:
    listener, file = Listener(port=0), io.BytesIO()
    told = Announcer(card(), *listener.address)
    atr = told.reset()
    profile = IsimClient(told).read_profile()
    assert told.protocol == "T=0"
    writer = TraceWriter(file)
    count = listener.record(writer, lambda: 1000.5, 0.1)
    told.close()
    listener.close()
    capture = open_capture(file.getvalue())
    assert count == len(capture.packets) > 20
    assert not capture.warnings
    assert any(profile.impi.encode() in event.response for event in capture.apdu_events)
    resets = [event.response for event in capture.apdu_events if not event.command]
    assert resets == [atr]


def test_nobody_has_to_listen() -> None:
    listener = Listener(port=0)
    address = listener.address
    listener.close()
    told = Announcer(card(), *address)
    for _ in range(3):  # a port that is closed says so with the next datagram
        assert told.transmit(bytes.fromhex("00a4000c023f00"))
    told.close()


def test_what_is_no_exchange_is_passed_on_and_not_told() -> None:
    listener = Listener(port=0)
    told = Announcer(card(), *listener.address)
    assert told.transmit(b"\0") == bytes.fromhex("6700")
    told.transmit(bytes.fromhex("00a4000c023f00"))
    assert len(list(listener.packets(0.1))) == 1
    told.close()
    listener.close()


def test_other_peoples_packets_are_left_out() -> None:
    listener = Listener(port=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        um = bytearray(gsmtap.encode(bytes(7)))
        um[2] = 1  # GSM Um
        for octets in (b"", b"hello", bytes(um), gsmtap.encode_atr(b"\x3b\x00")):
            other.sendto(octets, listener.address)
    assert [payload[-2:] for _, payload in listener.packets(0.1)] == [b"\x3b\x00"]
    listener.close()


def test_a_port_that_is_taken() -> None:
    first = Listener(port=0)
    with pytest.raises(NetworkError, match="cannot be heard"):
        Listener(port=first.address[1])
    first.close()
