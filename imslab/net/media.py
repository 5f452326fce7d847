"""What a call needs of its media, and how long it waits for them.

The media themselves are in ``imslab.media``, or are the owner's own: anything with these four methods.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from imslab.errors import CallFailed

MEDIA_PATIENCE = 15.0  # seconds for one step of the media: an offer, an answer, taking an answer

T = TypeVar("T")


class Media(Protocol):
    """One end of the media of a call, as ``imslab.media`` has them. Descriptions are octets of SDP."""

    async def offer(self, direction: str = "sendrecv") -> bytes:
        """Return an offer; a later one changes the direction: "sendonly" or "inactive" is hold."""
        ...

    async def answer(self, offer: bytes) -> bytes:
        """Take the peer's offer, the first or a later one, and return the answer."""
        ...

    async def accept(self, answer: bytes) -> None:
        """Take the peer's answer to the last offer."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


async def bounded(step: Awaitable[T], what: str) -> T:
    """Give a step of the media ``MEDIA_PATIENCE`` seconds; CallFailed when it needs more."""
    try:
        async with asyncio.timeout(MEDIA_PATIENCE):
            return await step
    except TimeoutError:
        text = f"the media did not come: {what} in {MEDIA_PATIENCE:.0f} s"
        raise CallFailed(text, status=None, advice="is the other end's address reachable?") from None
