"""Calls between two endpoints of one test, on addresses away from the lab's own."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from imslab.capture.file import CaptureFile, read_file
from imslab.media import Endpoint, WebRtcEndpoint
from imslab.net.tap import Clock, Tap
from imslab.net.trace import TraceWriter

ALICE, BOB = "127.0.9.11", "127.0.9.12"


class Recording:
    """A tap, and the trace that it makes."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self.tap = Tap(TraceWriter(self._file, comment="a call between two tests"), Clock())

    @property
    def without_secrets(self) -> bytes:
        """The trace as it was written."""
        self.tap.flush()
        return self._file.getvalue()

    @property
    def octets(self) -> bytes:
        """The trace, its secrets at its head."""
        return self.tap.writer.with_secrets(self.without_secrets)

    @property
    def capture(self) -> CaptureFile:
        """The trace, read back."""
        return read_file(self.octets)


@pytest.fixture
def recording() -> Recording:
    return Recording()


async def describe(alice: Endpoint, bob: Endpoint, direction: str = "sendrecv") -> None:
    """Let alice offer and bob answer."""
    await alice.accept(await bob.answer(await alice.offer(direction)))


@asynccontextmanager
async def two_ends(
    *, profiles: Sequence[str] = (), bobs: Sequence[str] = (), **settings: Any
) -> AsyncIterator[tuple[WebRtcEndpoint, WebRtcEndpoint]]:
    """Give two endpoints that are closed in the end; ``profiles`` are alice's, ``bobs`` are bob's."""
    alice = WebRtcEndpoint("alice", ALICE, profiles=profiles, **settings)
    bob = WebRtcEndpoint("bob", BOB, profiles=bobs, **settings)
    try:
        yield alice, bob
    finally:
        await asyncio.gather(alice.close(), bob.close())


@asynccontextmanager
async def connected(**settings: Any) -> AsyncIterator[tuple[WebRtcEndpoint, WebRtcEndpoint]]:
    """Give two endpoints between which media flow."""
    async with two_ends(**settings) as (alice, bob):
        await describe(alice, bob)
        await asyncio.gather(alice.connected(), bob.connected())
        yield alice, bob


@pytest.fixture(name="describe")
def describe_fixture() -> Any:
    return describe


@pytest.fixture
def webrtc() -> Any:
    return two_ends


@pytest.fixture
def call() -> Any:
    return connected
