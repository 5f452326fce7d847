"""SRTP of a capture on several processors: the packets are cut into pieces, one for each process.

Spec: RFC 3711, section 3.3. What a receiver answers depends on the packets before. So each process first runs
over those as if every one were authentic, which takes a tenth of the time that opening them does; the streams
of which that was not true are opened again. The answers are always those of ``bulk.unprotect``.

    with Workers(2) as workers:
        opened = workers.unprotect("AES_CM_128_HMAC_SHA1_80", key, salt, octets, start, length)

Processes share memory (as Linux has it): nothing is sent to and fro but where it lies. It is kept for the
next call, for new memory takes longer to get than a packet to open. Octets that are in a file already are
best given as its path.

This module stands two floors above the rest of its room: it starts processes.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, Self, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imslab.errors import Malformed, SrtpError
from imslab.srtp.bulk import Opened, Receiver
from imslab.srtp.bulk.packets import as_octets, check_places
from imslab.srtp.bulk.rows import Integers, Octets
from imslab.srtp.context import Parameters
from imslab.srtp.index import ReplayWindow
from imslab.srtp.profiles import Profile

_MEMORY = "/dev/shm"  # noqa: S108  files there never reach a disk; elsewhere the usual place must do
_FEWEST = 2_000  # packets for a process: less is not worth the way there
_MOST_PROCESSES = 64
_ASKED, _ANSWERED = 2, 5  # columns: start, length; reason, index, ssrc, and start, length of what was opened

_States = dict[int, ReplayWindow]


class _Shared:
    """Memory that several processes see: a file that has no name any more, and grows."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(dir=_MEMORY if os.path.isdir(_MEMORY) else None)  # noqa: SIM115
        self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        self.octets = np.zeros(0, np.uint8)

    def take(self, size: int) -> Octets:
        """Return the memory, of so many octets at least; what was in it stays."""
        if len(self.octets) < size:
            os.truncate(self._file.fileno(), size + size // 4)
            self.octets = _map(self.path, "r+")
        return self.octets

    def close(self) -> None:
        """Give the memory back."""
        self.octets = np.zeros(0, np.uint8)
        self._file.close()


class _Table:
    """Columns with a value for each packet, and room for the packets in clear."""

    def __init__(self, octets: Octets, packets: int) -> None:
        size = 8 * (_ASKED + _ANSWERED) * packets
        columns: NDArray[np.int64] = octets[:size].view(np.int64).reshape(_ASKED + _ANSWERED, packets)
        self.asked, self.answered, self.room = columns[:_ASKED], columns[_ASKED:], octets[size:]


@dataclass(frozen=True, slots=True)
class _Piece:
    """The packets from ``first`` to ``last``, and those before them.

    ``source``  the path of the file that they lie in; ``kept``: the same one each time
    ``table``   the path of the table;  ``room``: from where to where in its room the packets go
    """

    receiver: Receiver
    source: str
    kept: bool
    table: str
    packets: int
    first: int
    last: int
    room: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Answer:
    """From which states (assumed) a piece was opened, to which; its octets, where they did not fit."""

    before: _States
    after: _States
    octets: Octets | None


class Workers:
    """Processes that open packets, until the ``with`` block ends, or ``close``. Raises Malformed for none."""

    def __init__(self, processes: int = 2) -> None:
        if not 1 <= processes <= _MOST_PROCESSES:
            raise Malformed(f"{processes} processes", expected=f"1 to {_MOST_PROCESSES}")
        self.processes = processes
        self._pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
        self._source, self._table = _Shared(), _Shared()

    def unprotect(
        self,
        profile: str | Profile,
        master_key: bytes,
        master_salt: bytes,
        octets: object,
        start: ArrayLike,
        length: ArrayLike,
        *,
        roc: int | Mapping[int, int] = 0,
        rtcp: bool = False,
        decrypt: bool = True,
        **parameters: Unpack[Parameters],
    ) -> Opened:
        """Open packets as ``bulk.unprotect`` does, with its arguments, answers and errors.

        ``octets`` may be the path of a file as well.
        """
        receiver = Receiver(
            profile, master_key, master_salt, roc=roc, rtcp=rtcp, decrypt=decrypt, **parameters
        )
        data = _map(octets) if isinstance(octets, Path) else as_octets(octets)
        places = check_places(data, start, length)
        if len(places[0]) < _FEWEST * self.processes:
            return receiver.unprotect(data, *places)
        if isinstance(octets, Path):
            return self._unprotect(receiver, octets, data, *places)
        low, high = int(places[0].min()), int(np.add(*places).max())
        source = self._source.take(high - low)
        source[: high - low] = data[low:high]
        return self._unprotect(receiver, None, source, places[0] - low, places[1])

    def close(self) -> None:
        """End the processes, and give their memory back."""
        self._pool.shutdown(cancel_futures=True)
        self._source.close()
        self._table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unprotect(
        self, receiver: Receiver, file: Path | None, source: Octets, start: Integers, length: Integers
    ) -> Opened:
        count = len(start)
        table = _Table(self._table.take(8 * (_ASKED + _ANSWERED) * count + int(length.sum())), count)
        table.asked[:] = start, length
        pieces = list(self._pieces(receiver, file, length))
        try:
            answers = list(self._pool.map(_open, pieces))
        except BrokenProcessPool:
            raise SrtpError("a process that opened packets was ended from outside: begin again") from None
        return _joined(pieces, answers, table, source, receiver)

    def _pieces(self, receiver: Receiver, file: Path | None, length: Integers) -> Iterator[_Piece]:
        ends = np.concatenate(([0], np.cumsum(length)))
        source, kept = (self._source.path, True) if file is None else (str(file.absolute()), False)
        for first, last in pairwise(np.linspace(0, len(length), self.processes + 1).astype(int).tolist()):
            room = int(ends[first]), int(ends[last])
            yield _Piece(receiver, source, kept, self._table.path, len(length), first, last, room)


def _open(piece: _Piece) -> _Answer:
    """Open a piece, in a process of its own."""
    table, receiver = _Table(_kept(piece.table), piece.packets), piece.receiver
    source = _kept(piece.source) if piece.kept else _map(Path(piece.source))
    receiver.assume(source, *table.asked[:, : piece.first])
    before = {ssrc: copy(state) for ssrc, state in receiver.states.items()}
    room = table.room[slice(*piece.room)]
    opened = receiver.unprotect(source, *table.asked[:, piece.first : piece.last], room=room)
    fits = not opened.octets.size or np.shares_memory(opened.octets, room)
    _note(table.answered, slice(piece.first, piece.last), opened, piece.room[0] if fits else 0)
    return _Answer(before, receiver.states, None if fits else opened.octets)


def _note(answered: Integers, which: slice | Integers, opened: Opened, place: int) -> None:
    """Write an answer into the columns of a table; its octets begin at ``place``."""
    columns = opened.reason, opened.index, opened.ssrc, opened.start + place, opened.length
    for column, values in zip(answered, columns, strict=True):
        column[which] = values


def _joined(
    pieces: list[_Piece], answers: list[_Answer], table: _Table, source: Octets, receiver: Receiver
) -> Opened:
    """Let each piece begin in the state in which the one before it ended, and return a copy of the whole."""
    octets = [table.room[: pieces[-1].room[1]]]
    reason, index, ssrc, start, length = answered = table.answered.copy()
    for piece, answer in zip(pieces, answers, strict=True):
        mine = slice(piece.first, piece.last)
        if answer.octets is not None:
            start[mine] += sum(map(len, octets))
            octets.append(answer.octets)
        wrong = [one for one, state in answer.before.items() if state != receiver.states.get(one)]
        again = piece.first + np.flatnonzero(np.isin(ssrc[mine], wrong) & (index[mine] >= 0))
        after = {one: state for one, state in answer.after.items() if one not in wrong}
        if len(again):
            opened = receiver.unprotect(source, *table.asked[:, again])
            _note(answered, again, opened, sum(map(len, octets)))
            octets.append(opened.octets)
        receiver.states.update(after)
    return Opened(reason, index, ssrc, np.concatenate(octets), start, length)


def _map(path: str | Path, mode: Literal["r", "r+"] = "r") -> Octets:
    """Return the octets of a file as an array, without reading them; with "r+" all see what is written."""
    if not os.path.getsize(path):
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, mode).view(np.ndarray)


# What one of the processes has mapped of the memory that it shares.
_maps: dict[str, Octets] = {}


def _kept(path: str) -> Octets:
    """Return shared memory, mapped once for as long as it does not grow: the first touch takes long."""
    if len(_maps.get(path, b"")) != os.path.getsize(path):
        _maps[path] = _map(path, "r+")
    return _maps[path]
