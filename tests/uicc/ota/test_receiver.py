"""The card's end alone: statuses of TS 102 225, table 5, and what is done before what."""

from dataclasses import replace
from itertools import product

import pytest

from imslab.errors import Malformed
from imslab.uicc.ota import (
    Check,
    Counting,
    KeySet,
    Proof,
    Receiver,
    Spi,
    Status,
    command_packet,
    seal,
    unseal_response,
)
from imslab.uicc.ota.packet import LARGEST_COUNTER, CommandPacket

TAR = b"\xb0\x00\x11"
NOTHING = Spi.parse(b"\0\0")
AES = KeySet(1, "AES-CBC", bytes(range(16)), "AES-CMAC", bytes(range(16, 32)))


class Log:
    """Notes in which order a counter is saved and an application runs."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def run(self, keys: KeySet, data: bytes) -> bytes:
        self.events.append(("run", data))
        return b"done"

    def save(self, version: int, counter: int) -> None:
        self.events.append(("save", (version, counter)))

    def receiver(self, *key_sets: KeySet, counters: dict[int, int] | None = None) -> Receiver:
        return Receiver(key_sets, {TAR: self.run}, counters=counters, save=self.save)


@pytest.fixture
def log() -> Log:
    return Log()


def packet(counter: int = 1, spi: Spi | None = None, keys: KeySet = AES, tar: bytes = TAR) -> bytes:
    return seal(command_packet(keys, tar, b"data", counter, spi), keys)


def test_counter_is_saved_before_anything_is_done(log: Log) -> None:
    assert log.receiver(AES).receive(packet(7)).status is Status.OK
    assert log.events == [("save", (1, 7)), ("run", b"data")]


def test_a_store_that_fails_stops_everything(log: Log) -> None:
    def broken(version: int, counter: int) -> None:
        raise OSError

    receiver = Receiver([AES], {TAR: log.run}, save=broken)
    with pytest.raises(OSError):
        receiver.receive(packet(7))
    assert log.events == [] and receiver.counters == {}


@pytest.mark.parametrize(
    ("counting", "highest", "counter", "status"),
    [
        (Counting.HIGHER, 5, 6, Status.OK),
        (Counting.HIGHER, 5, 500, Status.OK),
        (Counting.HIGHER, 5, 5, Status.COUNTER_LOW),
        (Counting.HIGHER, 5, 4, Status.COUNTER_LOW),
        (Counting.HIGHER, 0, 0, Status.COUNTER_LOW),
        (Counting.NEXT, 5, 6, Status.OK),
        (Counting.NEXT, 5, 7, Status.COUNTER_HIGH),
        (Counting.NEXT, 5, 5, Status.COUNTER_LOW),
        (Counting.HIGHER, LARGEST_COUNTER - 1, LARGEST_COUNTER, Status.OK),
        (Counting.HIGHER, LARGEST_COUNTER, LARGEST_COUNTER, Status.COUNTER_BLOCKED),
        (Counting.NEXT, LARGEST_COUNTER, 0, Status.COUNTER_BLOCKED),
        (Counting.UNCHECKED, 5, 1, Status.OK),
        (Counting.NONE, 5, 1, Status.OK),
    ],
)
def test_counter_modes(log: Log, counting: Counting, highest: int, counter: int, status: Status) -> None:
    keys = replace(AES, minimum=NOTHING)
    receiver = log.receiver(keys, counters={1: highest})
    command = command_packet(keys, TAR, b"data", counter, Spi(counting=counting))
    received = receiver.receive(seal(command, keys))
    assert received.status is status
    assert bool(log.events) is (status is Status.OK)
    moved = status is Status.OK and counting in (Counting.HIGHER, Counting.NEXT)
    assert receiver.counters[1] == (counter if moved else highest)
    answer = unseal_response(received.response, command, keys)  # who proved himself gets a proof of errors
    assert (answer.status, answer.verified) == (status, True)


def test_each_key_set_counts_alone(log: Log) -> None:
    other = replace(AES, version=2, kid=bytes(16))
    receiver = log.receiver(AES, other)
    assert [receiver.receive(packet(9, keys=keys)).status for keys in (AES, other)] == [Status.OK, Status.OK]
    assert receiver.receive(packet(9)).status is Status.COUNTER_LOW
    assert receiver.counters == {1: 9, 2: 9}


def test_forged(log: Log) -> None:
    receiver = log.receiver(AES)
    received = receiver.receive(packet(3)[:-1] + b"\0")
    assert (received.status, log.events, receiver.counters) == (Status.CHECK_FAILED, [], {})
    # The answer is not made with a key: it would be a MAC for whoever asks.
    assert received.response.hex() == "000b0ab0001100000000000001"


@pytest.mark.parametrize(
    ("spi", "status"),
    [
        (replace(Spi(), check=Check.RC), Status.INSUFFICIENT_SECURITY),
        (replace(Spi(), check=Check.NONE), Status.INSUFFICIENT_SECURITY),
        (replace(Spi(), ciphered=False), Status.INSUFFICIENT_SECURITY),
        (replace(Spi(), counting=Counting.UNCHECKED), Status.INSUFFICIENT_SECURITY),
        (replace(Spi(), counting=Counting.NEXT), Status.OK),
    ],
)
def test_minimum_security_level(log: Log, spi: Spi, status: Status) -> None:
    command = CommandPacket(spi, 0x12, 0x15 if spi.check is Check.RC else 0x12, TAR, 1, b"data")
    received = log.receiver(AES).receive(seal(command, AES))
    assert received.status is status
    assert bool(log.events) is (status is Status.OK)


def test_unknown_application_and_key_set(log: Log) -> None:
    receiver = log.receiver(AES)
    assert receiver.receive(packet(1, tar=b"\xb0\x00\x99")).status is Status.TAR_UNKNOWN
    assert receiver.receive(packet(1, keys=replace(AES, version=5))).status is Status.SECURITY_ERROR
    mixed = CommandPacket(Spi(), 0x12, 0x22, TAR, 5, b"")
    # KIc of one set and KID of another; then the right key with the wrong algorithm.
    assert receiver.receive(seal(mixed, AES)).status is Status.SECURITY_ERROR
    des = KeySet(1, "3DES-CBC-2", AES.kic, "3DES-CBC-MAC-2", AES.kid)
    assert receiver.receive(packet(6, keys=des)).status is Status.SECURITY_ERROR
    assert [event for event in log.events if event[0] == "run"] == []


def test_ciphered_part_that_is_no_block(log: Log) -> None:
    octets = bytearray(packet(1)[:-1])
    octets[1] -= 1
    assert log.receiver(AES).receive(bytes(octets)).status is Status.CIPHERING_ERROR


@pytest.mark.parametrize(
    ("proof", "good", "bad"), [(Proof.NEVER, 0, 0), (Proof.ALWAYS, 1, 1), (Proof.ON_ERROR, 0, 1)]
)
def test_when_a_proof_comes(log: Log, proof: Proof, good: int, bad: int) -> None:
    receiver, spi = log.receiver(AES), Spi(proof=proof)
    first, again = receiver.receive(packet(1, spi)), receiver.receive(packet(1, spi))
    assert (first.status, again.status) == (Status.OK, Status.COUNTER_LOW)
    assert (bool(first.response), bool(again.response)) == (bool(good), bool(bad))


CHECKS = (Check.NONE, Check.RC, Check.CC)
COMBINATIONS = list(product(CHECKS, (False, True), Counting, CHECKS, (False, True)))


@pytest.mark.parametrize("cipher", ["AES-CBC", "3DES-CBC-2", "3DES-CBC-3", "DES-CBC", "DES-ECB"])
def test_every_spi(log: Log, cipher: str) -> None:
    length = {"3DES-CBC-3": 24, "DES-CBC": 8, "DES-ECB": 8}.get(cipher, 16)
    mac = {24: "3DES-CBC-MAC-3", 8: "DES-CBC-MAC", 16: "3DES-CBC-MAC-2"}[length]
    mac = "AES-CMAC" if cipher == "AES-CBC" else mac
    keys = KeySet(1, cipher, bytes(range(length)), mac, bytes(range(9, 9 + length)), minimum=NOTHING)
    receiver = log.receiver(keys)
    for number, (check, ciphered, counting, proof, proof_ciphered) in enumerate(COMBINATIONS, 1):
        spi = Spi(check, ciphered, counting, proof_check=proof, proof_ciphered=proof_ciphered)
        # A KID names a checksum or a MAC, never both; 10 leaves open which.
        kid = 0x10 if Check.RC in (check, proof) else keys.kid_octet
        command = CommandPacket(spi, keys.kic_octet, kid, TAR, receiver.counters.get(1, 0) + 1, b"data")
        received = receiver.receive(seal(command, keys))
        answer = unseal_response(received.response, command, keys)
        assert (received.status, answer.data, answer.verified) == (Status.OK, b"done", True), spi
        assert len(log.events) >= number


def test_too_broken_to_be_answered(log: Log) -> None:
    for octets in (b"", packet()[:-1], b"\0\x0e" + bytes(14), packet()[:2] + b"\xff" + packet()[3:]):
        with pytest.raises(Malformed):
            log.receiver(AES).receive(octets)
    assert log.events == []
