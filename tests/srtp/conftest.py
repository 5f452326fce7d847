"""Packets and keys for the tests of SRTP; the keys are bytes in a row, nobody's."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from imslab.srtp import Profile, Session, bulk

KEY, SALT = bytes(range(32)), bytes(range(0xA0, 0xAE))

# As for tests/capture: the field captures lie beside the checkout, or where IMSLAB_FIELD says.
FIELD = Path(os.environ.get("IMSLAB_FIELD") or Path(__file__).resolve().parents[3] / "shared" / "field")
collect_ignore = [] if (FIELD / "expect").is_dir() else ["test_field.py"]


def pytest_report_collectionfinish() -> list[str]:
    """Say when the field captures were not there."""
    missing = f"field captures: not in {FIELD}, so tests/srtp/test_field.py was not collected (IMSLAB_FIELD)"
    return [missing] if collect_ignore else []


@pytest.fixture(scope="session")
def field_captures() -> Path:
    return FIELD


def make_rtp(seq: int, *, ssrc: int = 0x11223344, payload: bytes = b"twenty ms of silence") -> bytes:
    return bytes([0x80, 0]) + (seq & 0xFFFF).to_bytes(2) + bytes(4) + ssrc.to_bytes(4) + payload


def make_rtcp(ssrc: int = 0x11223344, *, size: int = 20) -> bytes:
    return bytes([0x80, 200]) + (1 + size // 4).to_bytes(2) + ssrc.to_bytes(4) + bytes(range(size))


@pytest.fixture
def rtp() -> Callable[..., bytes]:
    """Give what makes an RTP packet by its sequence number."""
    return make_rtp


@pytest.fixture
def rtcp() -> Callable[..., bytes]:
    """Give what makes an RTCP packet."""
    return make_rtcp


@pytest.fixture
def master() -> Callable[[str], tuple[Profile, bytes, bytes]]:
    """Give a profile, a master key and a salt by the profile's name."""

    def give(name: str) -> tuple[Profile, bytes, bytes]:
        profile = Profile.named(name)
        return profile, KEY[: profile.key_length], SALT[: profile.salt_length]

    return give


@pytest.fixture
def session(master: Callable[[str], tuple[Profile, bytes, bytes]]) -> Callable[..., Session]:
    """Give what makes a session with the tests' keys."""
    return lambda name="AES_CM_128_HMAC_SHA1_80", **options: Session(*master(name), **options)


@pytest.fixture
def unprotect() -> Callable[..., bulk.Opened]:
    """Give ``bulk.unprotect`` for packets in a list, with other octets between them."""

    def call(
        profile: str | Profile, key: bytes, salt: bytes, packets: Sequence[bytes], **options
    ) -> bulk.Opened:
        octets = b"".join(b"gap" + packet for packet in packets)
        length = np.array([len(packet) for packet in packets], np.int64)
        start = np.cumsum(length + 3) - length
        return bulk.unprotect(profile, key, salt, octets, start, length, **options)

    return call
