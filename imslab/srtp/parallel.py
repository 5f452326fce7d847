"""SRTP of a capture on several processors: the packets are cut into pieces, one for each process.

Spec: RFC 3711, section 3.3. What a receiver answers depends on the packets before. So each process first runs
over those as if every one were authentic, which takes a tenth of the time that opening them does; the streams
of which that was not true are opened again. The answers are always those of ``bulk.unprotect``.

    with Workers(2) as workers:
        opened = workers.unprotect("AES_CM_128_HMAC_SHA1_80", key, salt, octets, start, length)

This module stands two floors above the rest of its room: it starts processes.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from typing import Self, Unpack

import numpy as np
from numpy.typing import ArrayLike

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

_States = dict[int, ReplayWindow]


@dataclass(frozen=True, slots=True)
class _Piece:
    """The packets from ``first`` on, and those before them; all lie in the file ``source``.

    ``target``, ``room``  the file for their octets, and from where to where in it
    """

    receiver: Receiver
    source: str
    target: str
    room: tuple[int, int]
    start: Integers
    length: Integers
    first: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of a piece, from which states (assumed), to which."""

    opened: Opened
    before: _States
    after: _States


class Workers:
    """Processes that open packets, until the ``with`` block ends, or ``close``. Raises Malformed for none."""

    def __init__(self, processes: int = 2) -> None:
        if not 1 <= processes <= _MOST_PROCESSES:
            raise Malformed(f"{processes} processes", expected=f"1 to {_MOST_PROCESSES}")
        self.processes = processes
        self._pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))

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
        """Open packets as ``bulk.unprotect`` does, with its arguments, answers and errors."""
        receiver = Receiver(
            profile, master_key, master_salt, roc=roc, rtcp=rtcp, decrypt=decrypt, **parameters
        )
        data = as_octets(octets)
        starts, lengths = check_places(data, start, length)
        if len(starts) < _FEWEST * self.processes:
            return receiver.unprotect(data, starts, lengths)
        low, high = int(starts.min()), int((starts + lengths).max())
        with _file(data[low:high]) as source, _file(int(lengths.sum())) as target:
            pieces = list(self._pieces(receiver, source, target, starts - low, lengths))
            try:
                answers = list(self._pool.map(_open, pieces))
            except BrokenProcessPool:
                raise SrtpError("a process that opened packets was ended from outside: begin again") from None
            return _joined(pieces, answers, receiver)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pieces(
        self, receiver: Receiver, source: str, target: str, start: Integers, length: Integers
    ) -> Iterator[_Piece]:
        ends = np.concatenate(([0], np.cumsum(length)))
        for first, last in pairwise(np.linspace(0, len(start), self.processes + 1).astype(int).tolist()):
            room = int(ends[first]), int(ends[last])
            yield _Piece(receiver, source, target, room, start[:last], length[:last], first)


def _open(piece: _Piece) -> _Answer:
    """Open a piece, in a process of its own."""
    source, receiver, first = _map(piece.source), piece.receiver, piece.first
    receiver.assume(source, piece.start[:first], piece.length[:first])
    before = {ssrc: copy(state) for ssrc, state in receiver.states.items()}
    opened = receiver.unprotect(source, piece.start[first:], piece.length[first:])
    low, high = piece.room
    size = opened.octets.size
    if size <= high - low:  # always, unless packets were tried under several indices
        _map(piece.target)[low : low + size] = opened.octets
        opened = replace(opened, octets=opened.octets[:0], start=opened.start + low)
    return _Answer(opened, before, receiver.states)


def _joined(pieces: list[_Piece], answers: list[_Answer], receiver: Receiver) -> Opened:
    """Put the answers together, each from the state in which the one before it ended."""
    source, octets = _map(pieces[0].source), [_map(pieces[0].target)]
    columns: list[tuple[Integers, ...]] = []
    for piece, answer in zip(pieces, answers, strict=True):
        opened = _moved(answer.opened, octets)
        wrong = [ssrc for ssrc in answer.before if answer.before[ssrc] != receiver.states.get(ssrc)]
        again = np.flatnonzero(np.isin(opened.ssrc, wrong) & (opened.index >= 0))
        states = {ssrc: state for ssrc, state in answer.after.items() if ssrc not in wrong}
        if len(again):
            rest = piece.start[piece.first :][again], piece.length[piece.first :][again]
            found = _moved(receiver.unprotect(source, *rest), octets)
            for name in ("reason", "index", "start", "length"):
                getattr(opened, name)[again] = getattr(found, name)
        receiver.states.update(states)
        columns.append((opened.reason, opened.index, opened.ssrc, opened.start, opened.length))
    reason, index, ssrc, start, length = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Opened(reason, index, ssrc, np.concatenate(octets) if octets[1:] else octets[0], start, length)


def _moved(opened: Opened, octets: list[Octets]) -> Opened:
    """Add the octets of an answer to those that are there, and let it point to them."""
    if not opened.octets.size:
        return opened
    place = sum(len(one) for one in octets)
    octets.append(opened.octets)
    return replace(opened, start=opened.start + place)


@contextmanager
def _file(content: Octets | int) -> Iterator[str]:
    """Give the path of a file in memory with some octets, or with room for so many; it is gone afterwards."""
    size = content if isinstance(content, int) else content.size
    number, path = tempfile.mkstemp(dir=_MEMORY if os.path.isdir(_MEMORY) else None)
    try:
        os.truncate(number, max(size, 1))
        if not isinstance(content, int):
            _map(path)[:size] = content
        yield path
    finally:
        os.close(number)
        os.unlink(path)


def _map(path: str) -> Octets:
    return np.memmap(path, np.uint8, "r+").view(np.ndarray)
