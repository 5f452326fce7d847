"""The way from packets to datagrams, with its side ways: what waits until all packets were seen."""

import numpy as np

from imslab.capture.buffer import Octets
from imslab.capture.decapsulation import Decapsulation, in_order
from imslab.capture.flows import Flows
from imslab.capture.ip import Packets, Payloads
from tests.capture.frames import ETHER, V4, V6

FILE = bytes(ETHER / V4) + bytes(ETHER / V6)
BORDER = len(bytes(ETHER / V4))


def inside(data: bytes = FILE) -> Decapsulation:
    return Decapsulation(Octets(data), Flows(), np.zeros(0, np.int64))


def column(*values: int) -> "np.typing.NDArray[np.int64]":
    return np.array(values, np.int64)


def test_frames_of_a_link_type() -> None:
    way = inside()
    frame, no = np.array([1, 2], np.int32), np.zeros(2, np.bool_)
    assert way.frames(1, frame, column(0, BORDER), column(BORDER, len(FILE)), no)
    assert not way.frames(147, frame, column(0, BORDER), column(BORDER, len(FILE)), no)
    rows, esp, warnings = way.finish()
    assert (rows.frame.tolist(), rows.length.tolist(), len(esp), warnings) == ([1, 2], [7, 7], 0, [])


def test_packets_begin_with_ip() -> None:
    way = inside(bytes(V4))
    no, via = np.zeros(1, np.bool_), np.zeros(1, np.uint16)
    way.packets(Packets(np.array([5], np.int32), column(0), column(len(bytes(V4))), no, via))
    assert way.finish()[0].frame.tolist() == [5]


def test_payloads_begin_behind_ip() -> None:
    way = inside(bytes(V4))
    end, whole = column(len(bytes(V4))), column(0)
    pair = column(0)
    way._flows.pairs4(np.arange(8, dtype=np.uint8).reshape(1, 8))
    way.payloads(
        Payloads(
            np.array([5], np.int32), column(20), end, end, whole > 0, whole, pair, column(17), whole, whole
        )
    )
    rows, _, _ = way.finish()
    assert (rows.frame.tolist(), way._flows.endpoints(0)[0]) == ([5], ("0.1.2.3", 5060))


def test_nothing_gives_tables_without_rows() -> None:
    rows, esp, warnings = inside(b"").finish()
    assert (len(rows), len(esp), warnings) == (0, 0, [])
    assert [str(one.dtype) for one in (rows.start, rows.frame, rows.cut)] == ["int64", "int32", "bool"]


def test_rows_come_into_the_order_of_their_frames_and_keep_it_within_one() -> None:
    rows, _, _ = inside().finish()
    frame = np.array([2, 1, 2, 1], np.int32)
    head = np.zeros((4, 12), np.uint8)
    table = type(rows)(frame, frame, column(0, 1, 2, 3), frame, frame > 0, frame, frame, frame, head)
    assert in_order(table).start.tolist() == [1, 3, 0, 2]
    in_place = in_order(table)
    assert in_order(in_place) is in_place
