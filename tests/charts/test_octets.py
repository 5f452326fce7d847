"""The strip of octets: one colour for one meaning."""

import pytest

from imslab.charts import octets
from imslab.charts.octets import MEANING, colours
from imslab.errors import Malformed

NONCE = [
    ("RAND", bytes(range(16))),
    ("SQN xor AK", b"\xaa" * 6),
    ("AMF", b"\x80\x00"),
    ("MAC-A", b"\xfe" * 8),
]


def shown(parts: object, **options: object) -> list[str]:
    picture = octets(parts, **options)  # type: ignore[arg-type]
    return [text.get_text() for text in picture.figure.axes[0].texts]


def test_every_octet_has_its_cell_and_every_meaning_its_entry() -> None:
    texts = shown(NONCE, title="The nonce")
    assert [text for text in texts if len(text) == 2 and text not in ("16",)][:16] == [
        f"{i:02x}" for i in range(16)
    ]
    assert texts.count("aa") == 6
    assert texts[-4:] == ["RAND (16)", "SQN xor AK (6)", "AMF (2)", "MAC-A (8)"]
    assert {"The nonce", "0", "16"} <= set(texts)


def test_rows_begin_with_their_offset() -> None:
    assert {"0", "8", "24"} <= set(shown(NONCE, per_row=8))


def test_a_mapping_will_do() -> None:
    assert shown(dict(NONCE)) == shown(NONCE)


def test_the_same_meaning_has_the_same_colour_everywhere() -> None:
    for name, colour in MEANING.items():
        assert colours(["x", name, "y"])[name] == colour


def test_parts_beside_each_other_differ() -> None:
    names = [name for name, _ in NONCE]
    assert len({colours(names)[name] for name in names}) == 4
    unknown = colours([f"part {i}" for i in range(8)])
    assert len(set(unknown.values())) == 8
    assert "RAND" not in colours(["x"])


def test_more_meanings_than_colours_are_drawn() -> None:
    assert "part 29 (1)" in shown([(f"part {i}", bytes([i])) for i in range(30)])


@pytest.mark.parametrize(
    ("parts", "options", "says"),
    [
        ([], {}, "1 to 1024"),
        ([("a", b"")], {}, "1 to 1024"),
        ([("a", bytes(1025))], {}, "1 to 1024"),
        ([("a", b"x")], {"per_row": 3}, "4 to 32"),
        ([("a", b"x")], {"per_row": 33}, "4 to 32"),
    ],
)
def test_what_cannot_be_drawn(parts: object, options: dict[str, int], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        octets(parts, **options)  # type: ignore[arg-type]


def test_rows_may_have_names_instead_of_offsets() -> None:
    texts = shown([("OUT", bytes(16))], per_row=8, labels=("OUT1",))
    assert texts.count("OUT1") == 1
    assert "8" in texts


def test_letters_in_the_place_of_hex() -> None:
    svg = octets([("start line", b"SIP x\r\n"), ("body", b"\x00\x80")], text=True).svg()
    for shown in (">S<", ">P<", ">·<", r">\r<", r">\n<", ">00<", ">80<"):
        assert shown in svg
    assert ">53<" in octets({"a": b"S"}).svg()


def test_letters_in_the_parts_of_one_meaning_only() -> None:
    texts = shown([("length", b"A"), ("value", b"B")], text="value")
    assert "41" in texts
    assert "B" in texts
    assert "A" not in texts
