"""Logical channels of the software card: opened, told apart, closed."""

import pytest

from imslab.errors import CardError, Malformed
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc.apdu import select_file
from imslab.uicc.channels import LogicalChannel, open_channel


class Watched:
    """A link that keeps the class octet of each command, or answers all with one response."""

    protocol = "T=1"

    def __init__(self, card: Card | None = None, answer: bytes = b"\x90\x00") -> None:
        self.classes: list[int] = []
        self._card, self._answer = card, answer

    def transmit(self, apdu: bytes, /) -> bytes:
        self.classes.append(apdu[0])
        return self._answer if self._card is None else self._card.transmit(apdu)

    def reset(self) -> bytes:
        return b"\x3b\x00"


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_each_channel_has_its_own_file(alice: Profile, protocol: str) -> None:
    card = Card(alice, protocol=protocol)  # type: ignore[arg-type]
    with open_channel(card) as one, open_channel(card) as two:
        assert (one.number, two.number) == (1, 2)
        one.transmit(select_file(0x2FE2, fcp=False))
        two.transmit(select_file(0x2F00, fcp=False))
        assert one.transmit(bytes.fromhex("00b000000a")).hex() == "980011100000000010f69000"
        assert two.transmit(bytes.fromhex("00b000000a"))[-2:] == bytes.fromhex("6981")
        assert card.transmit(bytes.fromhex("00b000000a"))[-2:] == bytes.fromhex("6986")


def test_a_client_works_on_a_channel_and_leaves_channel_0_alone(alice: Profile) -> None:
    watched = Watched(Card(alice, protocol="T=0"))
    watched.protocol = "T=0"
    with open_channel(watched) as channel:
        watched.classes.clear()
        assert IsimClient(channel).read_profile().source == "ISIM"
        assert set(watched.classes) == {0x01}  # GET RESPONSE too


@pytest.mark.parametrize(
    ("number", "cla", "sent"), [(1, 0, 0x01), (3, 0x80, 0x83), (4, 0, 0x40), (19, 0x80, 0xCF)]
)
def test_class_octets(number: int, cla: int, sent: int) -> None:
    link = Watched()
    LogicalChannel(link, number).transmit(bytes((cla, 0xA4, 0, 0)))
    assert link.classes == [sent]


def test_a_closed_channel_takes_nothing(alice: Profile) -> None:
    card = Card(alice)
    channel = open_channel(card)
    channel.close()
    channel.close()
    with pytest.raises(CardError, match="channel 1 is closed"):
        channel.transmit(bytes.fromhex("00a40000023f00"))
    assert card.transmit(bytes.fromhex("01a4000c023f00")) == bytes.fromhex("6881")


def test_a_reset_closes_it(alice: Profile) -> None:
    channel = open_channel(Card(alice))
    assert channel.reset()[:1] == b"\x3b"
    with pytest.raises(CardError, match="closed"):
        channel.transmit(bytes.fromhex("00a40000023f00"))


def test_no_channel_left(alice: Profile) -> None:
    card = Card(alice)
    assert [open_channel(card).number for _ in range(19)] == list(range(1, 20))
    with pytest.raises(CardError, match="6A81"):
        open_channel(card)


@pytest.mark.parametrize("answer", ["9000", "149000", "009000", "01029000"])
def test_a_number_that_is_none(answer: str) -> None:
    with pytest.raises(Malformed):
        open_channel(Watched(answer=bytes.fromhex(answer)))


def test_an_empty_command() -> None:
    with pytest.raises(Malformed):
        LogicalChannel(Watched(), 1).transmit(b"")


def test_the_first_error_is_the_one_that_is_told(alice: Profile) -> None:
    link = Watched(answer=bytes.fromhex("6f00"))
    with pytest.raises(ZeroDivisionError), LogicalChannel(link, 1):
        raise ZeroDivisionError
    with pytest.raises(CardError, match="6F00"), LogicalChannel(link, 1):
        pass
