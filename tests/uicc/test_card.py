"""The card as a whole: ATR, classes and instructions, strict T=0 and T=1, power-off."""

from functools import reduce
from operator import xor

import pytest

from imslab.errors import Malformed
from imslab.uicc import Card, Profile
from imslab.uicc.card import atr

ISIM, USIM = "a0000000871004", "a0000000871002"


def send(card: Card, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex()


def interface_octets(octets: bytes) -> tuple[dict[str, int], bytes]:
    """Read an ATR as ISO/IEC 7816-3, 8.2 says: TA1, TD1 ..., and the historical octets."""
    follows, count, at, level, found = octets[1] >> 4, octets[1] & 0x0F, 2, 1, {}
    while follows:
        for bit, name in enumerate("ABCD"):
            if follows >> bit & 1:
                found[f"T{name}{level}"] = octets[at]
                at += 1
        follows = found.get(f"TD{level}", 0) >> 4
        level += 1
    return found, octets[at : at + count]


@pytest.mark.parametrize(("protocol", "number"), [("T=0", 0), ("T=1", 1)])
def test_the_atr_is_valid(protocol: str, number: int) -> None:
    octets = atr(protocol)  # type: ignore[arg-type]
    found, historical = interface_octets(octets)
    assert octets[0] == 0x3B
    assert len(octets) <= 33
    assert reduce(xor, octets[1:]) == 0  # TCK
    assert found["TD1"] & 0x0F == number
    assert found[f"TD{max(int(name[2]) for name in found if name[1] == 'D')}"] & 0x0F == 15
    assert historical[0] == 0x80
    assert historical.endswith(b"imslab")
    used = 2 + len(found) + len(historical)
    assert used + 1 == len(octets)


def test_a_profile_may_bring_its_atr(alice: Profile) -> None:
    given = bytes.fromhex("3b9f96801fc78031a073be21136743200718000001a5")
    card = Card(Profile.from_dict({**alice.to_dict(), "atr": given.hex()}))
    assert card.reset() == given


def test_reset_forgets_the_selection(card: Card) -> None:
    send(card, f"00a4040c07{ISIM}")
    assert send(card, "00b0820001") == "809000"
    assert card.reset() == atr("T=1")
    assert send(card, "00b0820001") == "989000"  # SFI 02 is EF.ICCID again


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", "6700"),
        ("00", "6700"),
        ("00a400", "6700"),
        ("a0a40000023f00", "6e00"),
        ("10a40004023f00", "6e00"),
        ("20a40004023f00", "6e00"),
        ("60a40004023f00", "6e00"),
        ("ffffffff", "6e00"),
        ("ffa40004023f00", "6e00"),
        ("04a40004023f00", "6882"),
        ("0ca40004023f00", "6882"),
        ("80a40004023f0000", "6e00"),
        ("00f2000000", "6e00"),
        ("00840000 08", "6d00"),
        ("80c20000 02d600", "6a80"),
        ("8012000010", "6985"),
        ("00010000", "6d00"),
        ("8010000003ffffff", "9000"),
        ("8010000103ffffff", "6a86"),
        ("80aa000005a903830180", "9000"),
        ("00c0000010", "6985"),
        ("01a40004023f00", "6881"),
        ("00a40004000002 3f00", "6700"),
        ("00a40004033f00", "6700"),
        ("00a40004023f000000", "6700"),
    ],
)
def test_refused_commands_have_their_status_word(card: Card, t0: Card, command: str, answer: str) -> None:
    assert send(card, command.replace(" ", "")) == answer
    assert send(t0, command.replace(" ", "")) == answer


def test_t0_case_4_goes_through_get_response(t0: Card) -> None:
    assert send(t0, "00a40004022fe2") == "6119"
    template = send(t0, "00c0000019")
    assert template.startswith("6217")
    assert template.endswith("9000")
    assert send(t0, "00c0000019") == "6985"  # once
    assert send(t0, "00a40004022fe200") == "6700"  # a trailing Le
    assert send(t0, "00a4000c022fe2") == "9000"


def test_t0_get_response_in_parts_and_with_a_wrong_le(t0: Card) -> None:
    send(t0, "00a40004022fe2")
    assert send(t0, "00c0000000") == "6c19"
    assert send(t0, "00c000001a") == "6c19"
    first = send(t0, "00c0000010")
    assert first.endswith("6109")
    rest = send(t0, "00c0000009")
    assert rest.endswith("9000")
    assert len(first + rest) == 2 * (0x19 + 4)
    send(t0, "00a40004022fe2")
    assert send(t0, "00c0010019") == "6a86"


def test_t0_any_other_command_drops_the_answer(t0: Card) -> None:
    send(t0, "00a40004022fe2")
    send(t0, "80f2000c00")
    assert send(t0, "00c0000019") == "6985"


def test_t0_case_2_names_the_length(t0: Card) -> None:
    send(t0, "00a4000c022fe2")
    assert send(t0, "00b0000000") == "6c0a"
    assert send(t0, "00b00000ff") == "6c0a"
    assert send(t0, "00b0000004") == "980011109000"
    assert send(t0, "00b0000a01") == "6b00"
    assert send(t0, "80f2000000") == "6c28"
    assert len(send(t0, "80f2000028")) == 2 * (0x28 + 2)
    assert send(t0, "0070000000") == "6c01"
    assert send(t0, "0070000001") == "019000"
    assert send(t0, "00b000000a00") == "6700"


def test_t0_lc_decides_where_data_is_taken(t0: Card) -> None:
    assert send(t0, "0020000100") == "63c3"
    assert send(t0, "00200001") == "63c3"
    assert send(t0, "0020000108") == "6700"
    assert send(t0, "0020000107" + "31" * 8) == "6700"


def test_t1_gives_what_le_asks_for(card: Card) -> None:
    whole = send(card, "00a40004022fe200")
    assert whole.startswith("6217")
    assert send(card, "00a40004022fe2") == whole  # Le forgotten
    assert send(card, "00a40004022fe2ff") == whole
    part = send(card, "00a40004022fe210")
    assert part[:-4] == whole[:32]
    assert part[-4:] == "6109"
    assert send(card, "00c0000000") == whole[32:]
    assert send(card, "00a40004022fe210")[-4:] == "6109"
    assert send(card, "00c00000") == "6700"
    assert send(card, "80f2000010") == "6c28"
    assert send(card, "80f20000") == "6700"


def test_the_default_is_t1(alice: Profile) -> None:
    assert Card(alice).protocol == "T=1"
    with pytest.raises(Malformed, match="T=2"):
        Card(alice, protocol="T=2")  # type: ignore[arg-type]


def test_a_card_without_isim(carol: Profile) -> None:
    card = Card(carol)
    assert send(card, f"00a4040007{ISIM}00") == "6a82"
    assert send(card, f"00a4040407{USIM}00").endswith("9000")
    assert send(card, "00a4000c023f00") == "9000"
    assert send(card, "00a4000c022f00") == "9000"
    assert send(card, "00b2020400") == "ff" * 38 + "9000"


def test_bytes_like_commands(card: Card) -> None:
    assert card.transmit(bytearray.fromhex("80f2000c")) == b"\x90\x00"  # type: ignore[arg-type]
    assert card.transmit(memoryview(b"\x80\xf2\x00\x0c")) == b"\x90\x00"  # type: ignore[arg-type]
