"""What the commands share that run a core until Ctrl-C: the loop, the trace, what is printed meanwhile."""

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imslab.data import profile_path
from imslab.errors import ImslabError, Malformed

if TYPE_CHECKING:
    from imslab.ims.node import Address, Event
    from imslab.net.tap import Clock, Tap
    from imslab.uicc import Profile

_FLUSH = 1.0  # seconds between two writes of the trace


class Core(Protocol):
    """A core that listens."""

    @property
    def addresses(self) -> "dict[str, Address]":
        """Where the P-CSCF listens, by transport."""


def subscribers(profiles: "Iterable[Path] | None") -> "list[Profile]":
    """Return the profiles of the files, of alice and bob without any; Malformed when their domains differ."""
    from imslab.uicc import Profile

    found = [Profile.load(path) for path in profiles or map(profile_path, ("alice", "bob"))]
    domains = sorted({profile.domain for profile in found})
    if len(domains) > 1:
        raise Malformed(f"the profiles have several domains: {', '.join(domains)}", expected="one")
    return found


def open_trace(path: Path, clock: "Clock", comment: str) -> "Tap":
    """Return a tap that writes to ``path``; ImslabError when that cannot be written."""
    from imslab.net.tap import Tap
    from imslab.net.trace import TraceWriter

    try:
        file = path.open("wb")
    except OSError as error:
        raise ImslabError(f"{path} cannot be written: {error.strerror or error}") from None
    return Tap(TraceWriter(file, comment=comment), clock)


def stopped_by_signals() -> asyncio.Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def serve(core: Core, profiles: "list[Profile]", tap: "Tap | None", stop: asyncio.Event) -> None:
    """Say where the core listens, and write the trace now and then until ``stop``."""
    for transport, address in core.addresses.items():
        print(f"P-CSCF listens on {address.host}:{address.port} ({transport})")
    for profile in profiles:
        print(f"subscriber {profile.impi}: {profile.impu[0]}")
    print("Ctrl-C stops.", flush=True)
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _FLUSH if tap else None)
        if tap is not None:
            tap.flush()


def show(event: "Event") -> None:
    """Print one event."""
    about = f" {event.about}" if event.about else ""
    why = f" ({event.why})" if event.why else ""
    print(f"{event.node}: {event.what}{about}{why}", flush=True)
