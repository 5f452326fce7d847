"""The reader side on a stand-in for pyscard: every answer of PC/SC, and what it becomes."""

import ctypes
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from imslab.errors import CardError, CardGone, Malformed
from imslab.uicc import Card, IsimClient, Profile, pcsc
from imslab.uicc.readiness import ReaderError, State


class SmartcardException(Exception):
    def __init__(self, text: str, hresult: int = -1) -> None:
        super().__init__(text)
        self.hresult = hresult


class NoCardException(SmartcardException):
    pass


class BaseSCardException(Exception):
    def __init__(self, hresult: int) -> None:
        super().__init__("scard")
        self.hresult = hresult


class Connection:
    """pyscard's connection, with a software card behind it; ``broken`` is what PC/SC says instead."""

    def __init__(self, slot: "Slot") -> None:
        self.slot, self.component, self.disposition = slot, self, None

    def connect(self, protocol: int | None, mode: int, disposition: int) -> None:
        self.slot.asked = (protocol, mode)
        if self.slot.card is None:
            raise NoCardException("no card", 0x8010000C)
        self._works()

    def getProtocol(self) -> int:
        assert self.slot.card is not None
        return 1 if self.slot.card.protocol == "T=0" else 2

    def getATR(self) -> list[int]:
        self._works()
        assert self.slot.card is not None
        return list(self.slot.card.reset())

    def transmit(self, command: list[int]) -> tuple[list[int], int, int]:
        self._works()
        assert self.slot.card is not None
        *data, sw1, sw2 = self.slot.card.transmit(bytes(command))
        return data, sw1, sw2

    def reconnect(self, mode: int, disposition: int) -> None:
        self.slot.asked = (None, mode)
        self._works()

    def disconnect(self) -> None:
        self.slot.left = self.disposition
        self._works()

    def _works(self) -> None:
        if self.slot.broken is not None:
            raise SmartcardException("no", self.slot.broken)


class Slot:
    """One reader."""

    def __init__(self, name: str, card: Card | None, broken: int | None = None) -> None:
        self.name, self.card, self.broken = name, card, broken
        self.asked: tuple[int | None, int] = (None, 0)
        self.left: int | None = None

    def __str__(self) -> str:
        return self.name

    def createConnection(self) -> Connection:
        return Connection(self)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put readers, or what PC/SC says instead, behind a stand-in for pyscard."""

    def plug(*slots: Slot, fault: Exception | None = None) -> None:
        def readers() -> list[Slot]:
            if fault is not None:
                raise fault
            return list(slots)

        parts: dict[str, dict[str, Any]] = {
            "smartcard": {},
            "smartcard.Exceptions": {
                "SmartcardException": SmartcardException,
                "NoCardException": NoCardException,
            },
            "smartcard.scard": {
                "SCARD_SHARE_EXCLUSIVE": 1,
                "SCARD_SHARE_SHARED": 2,
                "SCARD_LEAVE_CARD": 0,
                "SCARD_RESET_CARD": 1,
            },
            "smartcard.System": {"readers": readers},
            "smartcard.pcsc": {},
            "smartcard.pcsc.PCSCExceptions": {"BaseSCardException": BaseSCardException},
        }
        for name, names in parts.items():
            module = ModuleType(name)
            module.__dict__.update(names)
            monkeypatch.setitem(sys.modules, name, module)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)

    return plug


def state_of(action: Callable[[], object]) -> State:
    with pytest.raises(ReaderError) as caught:
        action()
    assert caught.value.state.value  # in words
    return caught.value.state


def test_no_pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.Exceptions", None)
    assert state_of(pcsc.readers) is State.NO_PYSCARD


@pytest.mark.parametrize(
    ("code", "library", "state"),
    [
        (0x8010001D, True, State.NO_DAEMON),
        (0x8010001D, False, State.NO_LIBRARY),
        (0x8010006A, True, State.ACCESS_DENIED),
        (0x80100001, True, State.NO_DAEMON),
    ],
)
@pytest.mark.parametrize("root", [lambda code: SmartcardException("no", code), BaseSCardException])
def test_no_service(
    plug: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    root: Callable[[int], Exception],
    code: int,
    library: bool,
    state: State,
) -> None:
    monkeypatch.setattr(pcsc, "library_is_there", lambda: library)
    plug(fault=root(code))
    assert state_of(pcsc.readers) is state
    assert state_of(pcsc.connect) is state


def test_library_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        assert name == "libpcsclite.so.1"
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not pcsc.library_is_there()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert pcsc.library_is_there()


def test_no_reader_and_no_card(plug: Callable[..., None]) -> None:
    plug()
    assert pcsc.readers() == []
    assert state_of(pcsc.connect) is State.NO_READER
    plug(Slot("Omnikey", None), Slot("Gemalto", None))
    assert pcsc.readers() == ["Omnikey", "Gemalto"]
    assert state_of(pcsc.connect) is State.NO_CARD
    with pytest.raises(ReaderError, match="Omnikey, Gemalto"):
        pcsc.connect()
    assert state_of(lambda: pcsc.connect("cherry")) is State.NO_READER


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0x80100066, State.MUTE_CARD),
        (0x8010000B, State.CARD_HELD),
        (0x8010006A, State.ACCESS_DENIED),
        (0x80100069, State.CARD_GONE),
        (-1, State.MUTE_CARD),
    ],
)
def test_a_card_that_cannot_be_used(
    plug: Callable[..., None], alice: Profile, code: int, state: State
) -> None:
    plug(Slot("empty", None), Slot("full", Card(alice), code), Slot("empty too", None))
    assert state_of(pcsc.connect) is state


def test_the_first_card_that_fits(plug: Callable[..., None], alice: Profile) -> None:
    t0, t1 = Card(alice, protocol="T=0"), Card(alice, protocol="T=1")
    plug(Slot("mute", t0, 0x80100066), Slot("Omnikey 1", None), Slot("Omnikey 2", t0), Slot("Gemalto", t1))
    assert pcsc.connect().name == "Omnikey 2"
    assert pcsc.connect("gemALTO").name == "Gemalto"
    assert pcsc.connect(atr="3B9E9681").name == "Gemalto"
    assert pcsc.connect(atr=bytes.fromhex("3b9e9680")).protocol == "T=0"
    assert state_of(lambda: pcsc.connect("omnikey", atr="3b9e9681")) is State.NO_CARD
    for wrong in ({"atr": "3"}, {"protocol": "T=2"}):
        with pytest.raises(Malformed):
            pcsc.connect(**wrong)  # type: ignore[arg-type]


def test_protocol_and_sharing(plug: Callable[..., None], alice: Profile) -> None:
    slot = Slot("one", Card(alice))
    plug(slot)
    asked = []
    pcsc.connect()
    asked.append(slot.asked)
    link = pcsc.connect(protocol="T=1", exclusive=True)
    asked.append(slot.asked)
    link.reset()
    asked.append(slot.asked)
    pcsc.connect(protocol="T=0")
    asked.append(slot.asked)
    assert asked == [(None, 2), (2, 1), (None, 1), (1, 2)]


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_reads_a_profile(plug: Callable[..., None], alice: Profile, protocol: str) -> None:
    plug(Slot("one", Card(alice, protocol=protocol)))  # type: ignore[arg-type]
    link = pcsc.connect()
    assert link.protocol == protocol
    assert IsimClient(link).read_profile().impi == alice.impi
    assert link.reset() == link.atr


@pytest.mark.parametrize(
    "code", [0x80100069, 0x80100017, 0x80100016, 0x80100003, 0x8010001D, 0x8010000C, 0x80100066, -1]
)
def test_gone_in_mid_use(plug: Callable[..., None], alice: Profile, code: int) -> None:
    slot = Slot("one", Card(alice))
    plug(slot)
    link = pcsc.connect()
    slot.broken = code
    for action in (lambda: link.transmit(bytes(5)), link.reset, lambda: link.atr):
        with pytest.raises(CardGone, match="the card in one went away"):
            action()
    link.close()  # nothing to let go of, and nothing to complain about


def test_reset_by_another_program(plug: Callable[..., None], alice: Profile) -> None:
    slot = Slot("one", Card(alice))
    plug(slot)
    link = pcsc.connect()
    slot.broken = 0x80100068
    assert state_of(lambda: link.transmit(bytes(5))) is State.CARD_RESET
    slot.broken = None
    link.reset()
    assert IsimClient(link).read_profile().impi == alice.impi


def test_a_pin_that_was_presented_is_not_left_behind(plug: Callable[..., None], alice: Profile) -> None:
    slot = Slot("one", Card(alice))
    plug(slot)
    link = pcsc.connect()
    link.transmit(bytes.fromhex("00a4000c023f00"))
    link.close()
    assert slot.left == 0
    link = pcsc.connect()
    link.transmit(bytes.fromhex("002000010831323334ffffffff"))
    link.close()
    assert slot.left == 1
    pcsc.connect(exclusive=True).close()
    assert slot.left == 1


def test_every_state_is_a_card_error() -> None:
    assert issubclass(ReaderError, CardError)
