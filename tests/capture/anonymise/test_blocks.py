"""pcapng: names, comments, interfaces and secrets are others; lengths, times and the card's time stay."""

import io
import struct

import pytest

from imslab.capture.anonymise.blocks import Blocks
from imslab.capture.file import read_file
from imslab.net.trace import TraceWriter
from tests.capture.anonymise.parts import Parts


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def file(order: str = "<") -> bytes:
    end = option(0, b"", order)
    section = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    packet = struct.pack(order + "IIIII", 0, 0, 7, 5, 5) + b"hello\xaa\xbb\xcc"
    names = struct.pack(order + "HH", 1, 14) + bytes((192, 0, 2, 7)) + b"alice.ims\0" + bytes(2) + bytes(4)
    secrets = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n# of alice\n"
    interface = struct.pack(order + "HHI", 1, 0, 0) + option(2, b"alice0", order) + option(9, b"\x09", order)
    addresses = option(4, bytes((192, 0, 2, 7, 255, 255, 255, 0)), order) + option(
        6, bytes.fromhex("001122334455"), order
    )
    return b"".join(
        [
            block(
                0x0A0D0D0A,
                section + option(1, b"of alice", order) + option(3, b"Alice OS 7", order) + end,
                order,
            ),
            block(1, interface + addresses + option(11, b"\0host 192.0.2.7", order) + end, order),
            block(10, struct.pack(order + "II", 0x544C534B, len(secrets)) + secrets, order),
            block(4, names + option(2, b"dns.alice.example", order) + end, order),
            block(
                6,
                packet
                + option(1, b"card time 1234 us", order)
                + option(1, b"alice", order)
                + option(2988, b"alice", order)
                + end,
                order,
            ),
            block(0x99, b"alice's own block", order),
        ]
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_stands_around_packets(made: Parts, order: str) -> None:
    old = file(order)
    result = bytearray(old)
    assert Blocks(made.texts).rewrite(old, result) == len(old)
    new = bytes(result)
    assert len(new) == len(old)
    assert b"alice" not in new.lower()
    assert bytes((192, 0, 2, 7)) not in new
    read = read_file(new)
    assert read.packet(0) == b"hello"
    assert read.packet_comment(0) == "card time 1234 us"
    assert b"\xaa\xbb\xcc" not in new  # padding may hold what the memory held
    assert read.comment == "anonymis"
    assert set(read.names) == {made.texts.ip("192.0.2.7")}
    assert made.addresses.mac(bytes.fromhex("001122334455")) in new
    assert b"host " not in new
    assert made.texts.ip("192.0.2.7").encode() in new
    ((kind, secrets),) = read.secrets
    random = made.texts.hex("ab" * 32)
    assert secrets.decode().splitlines()[0] == f"CLIENT_RANDOM {random} {made.texts.hex('cd' * 48)}"


def test_roles_of_nodes_stay(made: Parts) -> None:
    octets = io.BytesIO()
    writer = TraceWriter(octets)
    for address, name in (("192.0.2.1", "p-cscf"), ("192.0.2.2", "alice's card"), ("192.0.2.3", "HSS")):
        writer.name(address, name)
    writer.flush()
    result = bytearray(octets.getvalue())
    Blocks(made.texts).rewrite(octets.getvalue(), result)
    names = list(read_file(bytes(result)).names.values())
    assert names[0] == "p-cscf"
    assert names[1].endswith("'s card")
    assert "alice" not in names[1]
    assert names[2] == "HSS"


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_file_that_is_cut_or_broken(made: Parts, cut: int) -> None:
    for old in (file()[:cut], file()[:cut] + b"\xff\xff" + file()[cut + 2 :]):
        result = bytearray(old)
        assert Blocks(made.texts).rewrite(old, result) <= len(old)
        assert len(result) == len(old)
