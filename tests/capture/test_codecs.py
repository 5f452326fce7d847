"""Payload types of RFC 3551, checked against its tables."""

import pytest

from imslab.capture.codecs import Codec, static_codec


@pytest.mark.parametrize(
    ("payload_type", "name", "clock"),
    [
        (0, "PCMU", 8000), (3, "GSM", 8000), (8, "PCMA", 8000), (9, "G722", 8000), (13, "CN", 8000),
        (18, "G729", 8000), (6, "DVI4", 16000), (10, "L16", 44100), (26, "JPEG", 90000), (34, "H263", 90000),
    ],
)  # fmt: skip
def test_static_types(payload_type: int, name: str, clock: int) -> None:
    codec = static_codec(payload_type)
    assert codec is not None
    assert (str(codec), codec.clock_rate) == (name, clock)


@pytest.mark.parametrize("payload_type", [1, 2, 19, 35, 72, 96, 127])
def test_reserved_and_dynamic_types_have_none(payload_type: int) -> None:
    assert static_codec(payload_type) is None


def test_what_is_no_sound() -> None:
    assert Codec("Telephone-Event", 8000).is_event
    assert Codec("cn", 8000).is_noise
    assert not Codec("PCMU", 8000).is_event
    assert not Codec("PCMU", 8000).is_noise
