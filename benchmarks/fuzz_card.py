"""Malformed APDUs at the card: each gets a status word, none an exception, and the files stay whole.

Run: ``python -m benchmarks.fuzz_card [COUNT] [SEED]`` (100,000 and 1 by default). T=0 and T=1 take turns;
seven commands of eight are nearly right, so that they get far. PINs are asked for and never known, so
that nothing may change; every hundredth life of the card knows them, and then sizes alone may not change.
"""

import random
import sys
import time
from collections import Counter
from dataclasses import replace

from imslab.data import profile_path
from imslab.uicc import Card, Profile, apdu
from imslab.uicc.apdu import NAMES

COUNT, SEED, LIFE = 100_000, 1, 250
_FIDS = (
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
    0x6FD5,
    0x7FF0,
    0x0000,
)
_AIDS = tuple(map(bytes.fromhex, ("a0000000871002", "a0000000871004", "a00000015141434c00", "a0", "")))
_OFTEN = (
    *(apdu.SELECT, apdu.SELECT, apdu.SELECT, apdu.READ_BINARY, apdu.READ_RECORD, apdu.UPDATE_BINARY),
    *(apdu.UPDATE_RECORD, apdu.SEARCH_RECORD, apdu.AUTHENTICATE, apdu.STATUS, apdu.MANAGE_CHANNEL),
    *(apdu.VERIFY, apdu.CHANGE_PIN, apdu.GET_DATA, apdu.GET_RESPONSE, apdu.ENVELOPE),
)
_GP_OR_UICC = (apdu.STATUS, apdu.GET_DATA, apdu.ENVELOPE, apdu.TERMINAL_PROFILE, apdu.TERMINAL_CAPABILITY)
_PINS = (bytes.fromhex("002000010831323334ffffffff"), bytes.fromhex("0020000a083838383838383838"))


def malformed(rng: random.Random) -> bytes:
    """Return a command that is nearly right, or octets that are none."""
    if rng.random() < 0.125:
        return rng.randbytes(rng.randrange(270))
    ins = rng.choice(_OFTEN) if rng.random() < 0.8 else rng.choice((*NAMES, rng.randrange(256)))
    cla = 0x80 if ins in _GP_OR_UICC else 0x00
    cla = cla | rng.choice((0x01, 0x41)) if rng.random() < 0.1 else cla
    cla = rng.randrange(256) if rng.random() < 0.05 else cla
    p1 = rng.choice((0, 0, 1, 2, 3, 4, 8, 9, 0x80 | rng.randrange(32), 0xFF, rng.randrange(256)))
    p2 = rng.choice((0, 4, 0x0C, 0x40, 0x50, 0x60, 0x81, 0x84, 8 * rng.randrange(31) + 4, rng.randrange(256)))
    challenge = b"\x10" + rng.randbytes(16) + b"\x10" + rng.randbytes(16)
    fid = rng.choice(_FIDS).to_bytes(2)
    nested = b"\xd1" + bytes((rng.randrange(60),)) + rng.randbytes(rng.randrange(60))
    data = rng.choice(
        (b"", fid, fid * 2, rng.choice(_AIDS), challenge, nested, rng.randbytes(rng.randrange(256)))
    )
    if ins == apdu.SELECT and rng.random() < 0.7:
        data = rng.choice((fid, rng.choice(_AIDS)))
        p1, p2 = (0x00 if len(data) == 2 else 0x04), rng.choice((0x04, 0x0C))
    elif not apdu.takes_data(bytes((cla, ins, p1, p2))) and rng.random() < 0.9:
        data = b""
    data = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data
    lc = bytes((len(data) if rng.random() < 0.9 else rng.randrange(256),)) if data else b""
    return bytes((cla, ins, p1, p2)) + lc + data + rng.choice((b"", b"\0", rng.randbytes(1)))


def run(count: int, seed: int) -> Counter[int]:
    """Send ``count`` commands; return how often each first octet of a status word came.

    Raises AssertionError, with the command, for an answer without a status word or a file that is not whole.
    """
    rng, seen = random.Random(seed), Counter[int]()
    profile = replace(Profile.load(profile_path("alice")), pin1_enabled=True)
    for life in range(-(-count // LIFE)):
        card, trusted = Card(profile, protocol="T=1" if life % 2 else "T=0"), life % 100 == 99
        files = card._session.files.files
        before = [list(file.records) for file in files]
        for command in _PINS if trusted else ():
            card.transmit(command)
        for _ in range(min(LIFE, count - life * LIFE)):
            command = malformed(rng)
            answer = card.transmit(command)
            assert 2 <= len(answer) <= 258 and 0x60 <= answer[-2] <= 0x9F, command.hex()
            seen[answer[-2]] += 1
        after = [list(file.records) for file in files]
        sizes = (
            [list(map(len, records)) for records in before],
            [list(map(len, records)) for records in after],
        )
        assert sizes[0] == sizes[1] if trusted else before == after, f"life {life}: a file is not whole"
    return seen


def main(count: int = COUNT, seed: int = SEED) -> None:
    start = time.perf_counter()
    seen = run(count, seed)
    seconds = time.perf_counter() - start
    print(f"{count:,} commands with seed {seed} in {seconds:.1f} s: no exception, the files are whole")
    print("  ".join(f"{sw1:02X}xx {times:,}" for sw1, times in sorted(seen.items())))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
