"""Malformed commands: each ends in a status word, and afterwards every file still reads as before."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.uicc import Card, Profile
from imslab.uicc.apdu import NAMES

INSTRUCTIONS = sorted(NAMES)
FIDS = [
    0x3F00,
    0x7FFF,
    0x2F00,
    0x2F06,
    0x2FE2,
    0x6F02,
    0x6F04,
    0x6F07,
    0x6F09,
    0x6FAD,
    0x7FF0,
    0x7FF1,
    0x0000,
]
AIDS = [bytes.fromhex("a0000000871002"), bytes.fromhex("a0000000871004"), b"\xa0", b""]
COMMANDS = 24_000


def contents(card: Card) -> dict[str, list[bytes]]:
    return {file.key: list(file.records) for file in card._session.files.files}


def read_all(card: Card) -> None:
    """Read every file through the front door; what its rule locks answers 6982."""
    for file in card._session.files.files:
        path = bytes.fromhex(file.key.replace("/", ""))
        adf = next((adf for adf in card._session.files.applications if file.key.startswith(adf.key)), None)
        if adf is not None:
            assert card.transmit(b"\x00\xa4\x04\x0c" + bytes([len(adf.aid)]) + adf.aid) == b"\x90\x00"
            path = b"\x7f\xff" + path[2:]
        else:
            path = path[2:]
        assert card.transmit(b"\x00\xa4\x08\x0c" + bytes([len(path)]) + path) == b"\x90\x00"
        for number, record in enumerate(file.records, 1):
            length = bytes([len(record) & 0xFF])
            command = b"\x00\xb2" + bytes([number]) + b"\x04" if file.record_length else b"\x00\xb0\x00\x00"
            assert card.transmit(command + length) in (record[:256] + b"\x90\x00", b"\x69\x82")


def likely(rng: random.Random) -> bytes:
    """Make a command that is nearly right, so that it gets far before it fails."""
    ins = rng.choice(INSTRUCTIONS) if rng.random() < 0.9 else rng.randrange(256)
    cla = rng.choice((0x00, 0x00, 0x00, 0x80, 0x01, 0x41, rng.randrange(256)))
    p1 = rng.choice((0, 0, 1, 2, 3, 4, 8, 9, 0x80 | rng.randrange(32), rng.randrange(256)))
    p2 = rng.choice((0, 2, 3, 4, 5, 6, 0x0C, 0x80, 0x81, 0x84, 8 * rng.randrange(31) + 4, rng.randrange(256)))
    fid = rng.choice(FIDS).to_bytes(2)
    challenge = b"\x10" + rng.randbytes(16) + b"\x10" + rng.randbytes(16)
    data = rng.choice(
        (
            b"",
            fid,
            fid + rng.choice(FIDS).to_bytes(2),
            rng.choice(AIDS),
            challenge,
            rng.randbytes(rng.randrange(40)),
        )
    )
    if rng.random() < 0.2:
        data = data[: rng.randrange(len(data) + 1)]
    lc = bytes([len(data) if rng.random() < 0.9 else rng.randrange(256)]) if data else b""
    le = rng.choice((b"", b"\x00", bytes([rng.randrange(256)])))
    return bytes((cla, ins, p1, p2)) + lc + data + le


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_nothing_but_status_words(protocol: str) -> None:
    rng = random.Random(20141029)
    profile = Profile(imsi="001010000000001", k=bytes(16), opc=bytes(16), pin1_enabled=True)
    card = Card(profile, protocol=protocol)  # type: ignore[arg-type]
    before = contents(card)
    seen: set[int] = set()
    for number in range(COMMANDS):
        command = likely(rng) if number % 4 else rng.randbytes(rng.randrange(20))
        answer = card.transmit(command)
        assert len(answer) >= 2, command.hex()
        assert answer[-2] in (0x61, 0x62, 0x63, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x90, 0x98), (
            command.hex()
        )
        assert len(answer) <= 258
        seen.add(answer[-2])
        if number % 500 == 0:
            card.reset()
    assert len(seen) >= 9  # the run got far
    card.reset()
    assert contents(card) == before  # without a PIN nothing could be written
    read_all(card)


def update(rng: random.Random, card: Card) -> None:
    """Select some file, then update it at some place with some octets."""
    file = rng.choice(card._session.files.files)
    adf = file.parent.aid
    card.transmit(b"\x00\xa4\x04\x0c" + bytes([len(adf)]) + adf if adf else bytes.fromhex("00a4000c023f00"))
    card.transmit(b"\x00\xa4\x00\x0c\x02" + file.fid.to_bytes(2))
    size = file.record_length or len(file.records[0])
    data = rng.randbytes(rng.choice((size, size, rng.randrange(1, 130))))
    place = (
        bytes((rng.randrange(4), rng.choice((2, 3, 4, 5))))
        if file.record_length
        else bytes((0, rng.randrange(4)))
    )
    card.transmit(bytes((0, 0xDC if file.record_length else 0xD6)) + place + bytes([len(data)]) + data)


def test_with_every_pin_verified_the_sizes_stay() -> None:
    rng = random.Random(4169)  # a seed makes the run repeat itself
    card = Card(Profile(imsi="001010000000001", k=bytes(16), opc=bytes(16)))
    before = contents(card)
    for _ in range(60):
        card.reset()
        card.transmit(bytes.fromhex("0020000a083838383838383838"))
        for _ in range(20):
            update(rng, card)
            card.transmit(likely(rng))
    after = contents(card)
    assert sum(after[key] != before[key] for key in before) > 10
    assert {key: list(map(len, records)) for key, records in after.items()} == {
        key: list(map(len, records)) for key, records in before.items()
    }
    card.reset()
    read_all(card)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=262), max_size=8))
def test_any_octets_end_in_a_status_word(commands: list[bytes]) -> None:
    for protocol in ("T=0", "T=1"):
        card = CARDS[protocol]
        for command in commands:
            assert 2 <= len(card.transmit(command)) <= 258


CARDS = {
    protocol: Card(Profile(imsi="001010000000001", k=bytes(16), opc=bytes(16)), protocol=protocol)
    for protocol in ("T=0", "T=1")
}
