"""Fields of text: what a pattern matches, and nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from imslab.capture.layers.sip import SIPHeader
from imslab.capture.layers.text import LINE_END, PatternField


def test_a_field_takes_what_its_pattern_matches() -> None:
    field = PatternField("word", b"", rb"[a-z]*")
    assert field.getfield(None, b"abc def") == (b" def", b"abc")
    assert field.getfield(None, b" def") == (b" def", b"")
    assert PatternField("end", b"", LINE_END).getfield(None, b"\rx") == (b"x", b"\r")


def test_a_pattern_that_matches_nothing_takes_nothing() -> None:
    assert PatternField("x", b"", rb"y+").getfield(None, b"abc") == (b"abc", b"")


@given(st.binary(min_size=1, max_size=60))
def test_a_line_gives_back_every_octet(octets: bytes) -> None:
    line = SIPHeader(octets)
    line.clear_cache()
    assert bytes(line) == octets
