"""A file that is entered at many places gives the records that walking one by one gives."""

import struct
from array import array
from dataclasses import dataclass

import numpy as np
import pytest

from imslab.capture import pcap, walk
from imslab.capture.buffer import Octets
from imslab.capture.columns import Column
from imslab.capture.file import read_file
from imslab.capture.pcapng import SECTION
from tests.capture import frames
from tests.capture.test_file import enhanced, interface, section

LENGTHS = [60 + number * 7919 % 1400 for number in range(8000)]  # about 6 megabytes


def ng(order: str, lengths: list[int]) -> bytes:
    packets = b"".join(enhanced(order, number, bytes(length)) for number, length in enumerate(lengths))
    return section(order) + interface(order) + packets


def classic(lengths: list[int]) -> bytes:
    return frames.pcap(frames.RAW, *(bytes([number % 256]) * length for number, length in enumerate(lengths)))


FILES = {"pcap": classic(LENGTHS), "pcapng": ng("<", LENGTHS), "pcapng, big": ng(">", LENGTHS)}


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note from where a file is walked one by one."""
    noted: list[int] = []

    def note(form: type) -> None:
        original = form.one_by_one  # type: ignore[attr-defined]

        def walked(self: object, position: int) -> "tuple[array[int], int]":
            noted.append(position)
            found: tuple[array[int], int] = original(self, position)
            return found

        monkeypatch.setattr(form, "one_by_one", walked)

    from imslab.capture.blocks import Blocks

    note(Blocks)
    note(pcap._Pcap)
    return noted


@pytest.mark.parametrize("octets", FILES.values(), ids=FILES)
def test_every_record_is_found_without_walking(octets: bytes, one_by_one: list[int]) -> None:
    capture = read_file(octets)
    assert capture.records.length.tolist() == LENGTHS
    assert (capture.warnings, one_by_one) == ([], [])


@pytest.mark.parametrize("octets", FILES.values(), ids=FILES)
def test_a_file_that_is_cut_in_the_middle(octets: bytes, one_by_one: list[int]) -> None:
    capture = read_file(octets[:5_000_000])
    assert capture.records.length.tolist() == LENGTHS[: len(capture)]
    assert len(capture) > 6000
    assert one_by_one == []
    (warning,) = capture.warnings
    assert f"{len(capture)} packets before" in warning


@pytest.mark.parametrize("octets", FILES.values(), ids=FILES)
def test_a_file_that_is_corrupt_in_the_middle(octets: bytes, one_by_one: list[int]) -> None:
    records = read_file(octets).records
    at = int(records.offset[4000])
    back = 8 if octets[:4] != SECTION else 24
    broken = octets[: at - back] + struct.pack("<I", 0x7F7F7F7F) + octets[at - back + 4 :]
    capture = read_file(broken)
    assert len(capture) == 4000
    assert f"corrupt at octet {at - back - 8}" in capture.warnings[0] or "cut at octet" in capture.warnings[0]
    assert one_by_one == []


def test_records_within_a_packet_are_no_records(one_by_one: list[int]) -> None:
    # a capture that was sent as one large packet: its records look right, and are not those of the file
    inner = classic([200] * 700)[24:]
    packets = [bytes(900)] * 800 + [inner] * 20 + [bytes(900)] * 800
    octets = frames.pcap(frames.RAW, *packets)
    capture = read_file(octets)
    assert [capture.packet(number) for number in range(len(capture))] == packets
    assert one_by_one  # a guess was wrong, and was found out


def test_a_file_that_cannot_be_entered_any_more(one_by_one: list[int]) -> None:
    # a year later the seconds begin with another octet, and no record is recognised
    year = b"".join(
        struct.pack("<IIII", frames.SECONDS + 2**25, 0, length, length) + bytes(length) for length in LENGTHS
    )
    capture = read_file(FILES["pcap"] + year)
    assert capture.records.length.tolist() == LENGTHS * 2
    assert (capture.warnings, len(one_by_one)) == ([], 1)
    assert one_by_one[0] > len(FILES["pcap"])


@dataclass
class _Steps:
    """Records of one length; ``wrong`` are positions where a record is guessed to be."""

    length: int
    end: int
    wrong: tuple[int, ...] = ()
    calls: int = 0

    def following(self, at: Column) -> Column:
        self.calls += 1
        return np.where(at + self.length <= self.end, at + self.length, -1)

    def looks_right(self, at: Column) -> "np.typing.NDArray[np.bool_]":
        return (at % self.length == 0) | np.isin(at, self.wrong)

    def candidates(self, window: "np.typing.NDArray[np.uint8]") -> "np.typing.NDArray[np.bool_]":
        return np.ones(window.shape, np.bool_)

    def one_by_one(self, position: int) -> "tuple[array[int], int]":
        found = array("q", range(position, self.end - self.length + 1, self.length))
        return found, position + len(found) * self.length


def steps(form: _Steps) -> walk.Walk:
    return walk.walk(form, Octets(b"").windows, 0, form.end)


@pytest.mark.parametrize("length", [16, 100, 1000, 2048, 100_000])
def test_many_chains_are_followed_at_once(length: int) -> None:
    form = _Steps(length, 40_000_000 // length * length)
    positions, stop = steps(form)
    assert positions.tolist() == list(range(0, form.end, length))
    assert stop == form.end
    assert form.calls < 2 + 2 * max(65_536, 100 * length) // length + walk._CERTAIN


def test_a_rest_that_is_no_record_is_left() -> None:
    positions, stop = steps(_Steps(100, 4_000_050))
    assert (len(positions), stop) == (40_000, 4_000_000)


def test_a_wrong_guess_ends_the_chains() -> None:
    wrong = tuple(range(65_536 * 30 + 1, 65_536 * 30 + 1000, 2))
    form = _Steps(100, 4_000_000, wrong)
    form.looks_right = lambda at: np.isin(at % 100, (0, 1)) if (at > 65_536 * 30).all() else at % 100 == 0  # type: ignore[method-assign]
    positions, stop = steps(form)
    assert positions.tolist() == list(range(0, 4_000_000, 100))
    assert stop == 4_000_000


def test_a_small_file_is_not_worth_it(one_by_one: list[int]) -> None:
    assert len(read_file(classic([100] * 10))) == 10
    assert one_by_one == [24]
