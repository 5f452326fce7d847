"""Diameter Cx in a capture: what an S-CSCF asked the HSS, over TCP, on any port.

Spec: RFC 6733, section 3; 3GPP TS 29.229. A conversation is taken for Cx when a segment in it
begins with a Diameter header of the application 16777216.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from imslab.capture.file import CaptureFile
from imslab.capture.index import Index
from imslab.capture.reassemble import Endpoint, Stream, first_words, streams
from imslab.errors import Malformed
from imslab.net.cx import APPLICATION, CxMessage, Framer, decode

_HEADER = 20  # octets


@dataclass(frozen=True, slots=True)
class CxEvent:
    """One Cx message on the wire; ``frame`` (from 1) completes it, ``at`` is its time in epoch seconds."""

    frame: int
    at: float
    source: Endpoint
    destination: Endpoint
    message: CxMessage = field(repr=False)


def read(capture: CaptureFile, index: Index, warnings: list[str]) -> list[CxEvent]:
    """Return the Cx messages of a capture in the order of their frames."""
    words = first_words(capture, index)
    rows = np.flatnonzero((words >> 24 == 1) & (words & 0xFFFFFF >= _HEADER) & (words & 3 == 0)).tolist()
    cx = [row for row in rows if _is_cx(index.octets(row))]
    found = [
        event for stream in streams(capture, index, cx) for event in _messages(capture, stream, warnings)
    ]
    return sorted(found, key=lambda event: event.frame)


def _is_cx(octets: bytes) -> bool:
    return len(octets) >= _HEADER and int.from_bytes(octets[8:12]) == APPLICATION


def _messages(capture: CaptureFile, stream: Stream, warnings: list[str]) -> Iterator[CxEvent]:
    framer = Framer()
    for chunk in stream.chunks:
        if chunk.fresh:
            framer = Framer()
        try:
            messages = [decode(octets) for octets in framer.receive(chunk.octets)]
        except Malformed as error:
            warnings.append(f"frame {chunk.frame}: Diameter, but {error}")
            framer = Framer()  # the next message may begin with a segment
            continue
        at = int(capture.records.time[chunk.frame - 1]) / 1e9
        for message in messages:
            yield CxEvent(chunk.frame, at, stream.source, stream.destination, message)
