"""A WebRTC call between two of our endpoints beside one between two bare aiortc connections, in turns.

    python -m benchmarks.media [ROUNDS]

Both have the same tracks (tone and test picture), one ICE candidate on 127.0.x.y, no server, and the offer
and the answer handed over in memory. The bare call is told only when its first packet came. ``bare_call`` is
also the yardstick of benchmarks/call.py. Printed: medians, counted from where the caller begins to make its
offer, and the ratio; then what the tap costs for each datagram.
"""

import asyncio
import io
import statistics
import sys
import time
from dataclasses import astuple, dataclass, fields
from typing import Any

from imslab.media import WebRtcEndpoint
from imslab.net.tap import Clock, Tap
from imslab.net.trace import TraceWriter

HOSTS = ("127.0.10.11", "127.0.10.12")
LIMIT = 1.3
DATAGRAMS, OCTETS = 20_000, 1_200


@dataclass(frozen=True)
class Timing:
    """Seconds since the caller began to make its offer; of the two ends, that of the later one."""

    offer: float
    answer: float
    ice: float
    dtls: float
    first_packet: float


class _Bare:
    """An aiortc connection with the tracks of an endpoint, on one address; it knows when a packet came."""

    def __init__(self, name: str, host: str) -> None:
        from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

        from imslab.media.sound import Tone, pitch
        from imslab.media.tracks import RATE, PictureTrack, VoiceTrack

        self.peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        for track in (VoiceTrack(Tone(pitch(name), RATE)), PictureTrack(name, Clock())):
            self.peer.addTrack(track)
        self.dtls = self.peer.getTransceivers()[0].receiver.transport
        self.came = asyncio.Event()
        self.ice = self.keys = 0.0
        self.first_packet = 0.0
        self._keep_to(host)
        self.dtls.transport.on("statechange", self._state)
        self.dtls.on("statechange", self._state)
        self._receive, self.dtls._handle_rtp_data = self.dtls._handle_rtp_data, self._packet

    def _keep_to(self, host: str) -> None:
        # Without this a call has no candidate where loopback is all there is, and several elsewhere.
        connection = self.dtls.transport._connection
        gather = connection.get_component_candidates
        connection.get_component_candidates = lambda component, addresses: gather(component, [host])

    def _state(self) -> None:
        if self.dtls.transport.state == "completed" and not self.ice:
            self.ice = time.perf_counter()
        if self.dtls.state == "connected" and not self.keys:
            self.keys = time.perf_counter()

    async def _packet(self, data: bytes, arrival_time_ms: int) -> None:
        if not self.came.is_set():
            self.first_packet = time.perf_counter()
            self.came.set()
        await self._receive(data, arrival_time_ms)


async def bare_call(hosts: tuple[str, str] = HOSTS) -> Timing:
    """Call between two aiortc connections until a packet came at each end, hang up; return the times."""
    alice = _Bare("alice", hosts[0])
    start = time.perf_counter()
    await alice.peer.setLocalDescription()
    offered = time.perf_counter()
    bob = _Bare("bob", hosts[1])
    await bob.peer.setRemoteDescription(alice.peer.localDescription)
    await bob.peer.setLocalDescription()
    answered = time.perf_counter()
    await alice.peer.setRemoteDescription(bob.peer.localDescription)
    await asyncio.wait_for(asyncio.gather(alice.came.wait(), bob.came.wait()), 10)
    later = (max(getattr(alice, what), getattr(bob, what)) for what in ("ice", "keys", "first_packet"))
    timing = Timing(*(at - start for at in (offered, answered, *later)))
    await asyncio.gather(alice.peer.close(), bob.peer.close())
    return timing


async def our_call(tap: Tap | None, hosts: tuple[str, str] = HOSTS) -> Timing:
    """Do the same with two of our endpoints."""
    clock = tap.clock if tap else Clock()
    alice = WebRtcEndpoint("alice", hosts[0], tap=tap, clock=clock)
    start = clock()
    offer = await alice.offer()
    offered = clock()
    bob = WebRtcEndpoint("bob", hosts[1], tap=tap, clock=clock)
    answer = await bob.answer(offer)
    answered = clock()
    await alice.accept(answer)
    moments: list[Any] = await asyncio.gather(alice.connected(), bob.connected())
    later = (
        max(getattr(one, what) for one in moments) for what in ("ice_connected", "dtls_done", "first_packet")
    )
    timing = Timing(*(at - start for at in (offered, answered, *later)))
    await asyncio.gather(alice.close(), bob.close())
    return timing


async def measure(rounds: int) -> dict[str, Timing]:
    """Return the medians of each kind of call; they take turns."""
    kept: dict[str, list[Timing]] = {"bare aiortc": [], "endpoints": [], "endpoints, tapped": []}
    for turn in range(rounds + 2):  # two to warm up
        calls = (bare_call(), our_call(None), our_call(new_tap()))
        for timings, call in zip(kept.values(), calls, strict=True):
            timing = await call
            if turn >= 2:
                timings.append(timing)
    return {
        kind: Timing(*map(statistics.median, zip(*map(astuple, timings), strict=True)))
        for kind, timings in kept.items()
    }


def new_tap() -> Tap:
    return Tap(TraceWriter(io.BytesIO()), Clock())


def tap_cost() -> tuple[float, float]:
    """Return the seconds that noting a datagram takes, and writing it later."""
    tap, octets = new_tap(), bytes(OCTETS)
    start = time.perf_counter()
    for _ in range(DATAGRAMS):
        tap.media((HOSTS[0], 40_000), (HOSTS[1], 40_002), octets)
    noted = time.perf_counter()
    tap.flush()
    return (noted - start) / DATAGRAMS, (time.perf_counter() - noted) / DATAGRAMS


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    medians = asyncio.run(measure(rounds))
    names = [field.name for field in fields(Timing)]
    print(f"median of {rounds}, ms    " + "".join(f"{name:>14}" for name in names))
    for kind, timing in medians.items():
        print(f"{kind:22}" + "".join(f"{1e3 * value:14.1f}" for value in astuple(timing)))
    bare = medians["bare aiortc"].first_packet
    ratio = medians["endpoints, tapped"].first_packet / bare
    print(f"ratio of first packets, tapped to bare: {ratio:.2f}  (limit {LIMIT})")
    noted, written = tap_cost()
    print(f"tap, {OCTETS} octets: {noted * 1e6:.1f} us while they pass, {written * 1e6:.1f} us later")
    return 0 if ratio < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
