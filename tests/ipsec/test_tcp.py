"""TCP in user space: RFC 9293. Two ends, a way that loses, doubles and delays, and no clock."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.errors import EspError
from imslab.ipsec import tcp
from imslab.ipsec.tcp import ACK, FIN, MOST_WAITING, MSS, RST, RTO, SYN, TRIES, Connection
from imslab.net.packet import Flags, tcp_packet

HERE, THERE = ("127.0.0.11", 50_000), ("127.0.0.21", 5063)
Fate = Callable[[bytes], list[bytes]]


class Pair:
    """A client and a server, and the way between them."""

    def __init__(self, first: int = 1000, fate: Fate = lambda segment: [segment]) -> None:
        self.client, self.server = Connection(HERE, THERE, first), Connection(THERE, HERE, 2**32 - 2)
        self.fate, self.now, self.passed = fate, 0.0, 0
        self.heard = {self.client: b"", self.server: b""}

    def run(self) -> "Pair":
        """Carry until nobody has anything to say."""
        while True:
            moving = [(one, other, s) for one, other in self._ways() for s in one.outgoing()]
            if not moving:
                return self
            for _, other, segment in moving:
                for copy in self.fate(segment):
                    self.passed += 1
                    self.heard[other] += other.receive(copy, self.now)

    def wait(self, seconds: float) -> "Pair":
        """Let time pass, and timers fire."""
        end = self.now + seconds
        while (at := min((c.due for c in self.heard if c.due is not None), default=end + 1)) <= end:
            self.now = max(self.now, at)
            for one in self.heard:
                one.handle_timer(self.now)
            self.run()
        self.now = end
        return self

    def _ways(self) -> list[tuple[Connection, Connection]]:
        return [(self.client, self.server), (self.server, self.client)]


def opened(**how: object) -> Pair:
    pair = Pair(**how)  # type: ignore[arg-type]
    pair.client.connect(pair.now)
    return pair.run()


def test_three_segments_open_a_connection() -> None:
    pair = opened()
    assert pair.client.is_open and pair.server.is_open and pair.passed == 3
    assert pair.client.due is None and pair.server.due is None


@pytest.mark.parametrize("size", [0, 1, MSS - 1, MSS, MSS + 1, 10 * MSS, 200_000])
def test_octets_arrive_as_they_were(size: int) -> None:
    pair, text = opened(), random.Random(size).randbytes(size)
    pair.client.send(text, pair.now)
    pair.server.send(text[::-1], pair.now)
    pair.run()
    assert pair.heard == {pair.server: text, pair.client: text[::-1]}
    assert pair.client.due is None, "all of it is acknowledged"


def test_what_is_sent_early_waits() -> None:
    pair = Pair()
    pair.client.send(b"REGISTER", pair.now)
    assert pair.client.outgoing() == []
    pair.client.connect(pair.now)
    assert pair.run().heard[pair.server] == b"REGISTER"
    assert pair.passed == 4, "SYN, SYN and ACK, the octets, their ACK"


def test_as_the_tap_writes_it() -> None:
    """The same octets as those of the trace writer, and so the same checksums as tshark's."""
    end = Connection(HERE, THERE, 7)
    end.connect(0.0)
    (syn,) = end.outgoing()
    expected = tcp_packet(HERE, THERE, b"", seq=7, ack=0, flags=Flags.SYN)[20:]
    assert len(syn) == len(expected) and syn[:13] == expected[:13]
    assert syn[20:] == bytes.fromhex("0204") + MSS.to_bytes(2)
    pair = opened(first=7)
    pair.client.send(b"odd", 0.0)
    (data,) = pair.client.outgoing()
    flags = Flags.PSH | Flags.ACK
    assert data == tcp_packet(HERE, THERE, b"odd", seq=8, ack=2**32 - 1, flags=flags)[20:]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1), st.integers(0, 30_000))
def test_a_way_that_loses_doubles_and_delays(chance: random.Random, first: int, size: int) -> None:
    held: list[bytes] = []

    def fate(segment: bytes) -> list[bytes]:
        dice = chance.random()
        if dice < 0.15:
            return []
        if dice < 0.25:
            return [segment, segment]
        if dice < 0.35:
            held.append(segment)
            return []
        late, held[:] = list(held), []
        return [segment, *late]

    pair = Pair(first, fate)
    text = chance.randbytes(size)
    pair.client.connect(pair.now)
    pair.client.send(text, pair.now)
    pair.run()
    for _ in range(40):
        pair.wait(10)
        if pair.client.is_lost or pair.server.is_lost:
            return  # seven times in a row: it happens, and both ends know
    assert pair.heard[pair.server] == text and pair.heard[pair.client] == b""


@pytest.mark.parametrize("n", range(1, 8))
def test_the_nth_segment_is_lost(n: int) -> None:
    count = iter(range(1, 1000))
    pair = Pair(fate=lambda segment: [] if next(count) == n else [segment])
    pair.client.connect(pair.now)
    pair.client.send(b"a" * (2 * MSS), pair.now)
    pair.run().wait(5)
    assert pair.heard[pair.server] == b"a" * (2 * MSS)
    assert pair.client.due is None and not pair.client.is_lost


def test_nobody_answers() -> None:
    pair = Pair(fate=lambda segment: [])
    times = []
    pair.client.connect(pair.now)
    while pair.client.due is not None:
        times.append(pair.client.due)
        pair.wait(pair.client.due - pair.now)
    assert times == [RTO * (2 ** (n + 1) - 1) for n in range(TRIES)]
    assert pair.client.is_lost and not pair.client.is_open


def test_a_timer_that_is_not_due() -> None:
    pair = Pair(fate=lambda segment: [])
    pair.client.connect(0.0)
    pair.run()
    pair.client.handle_timer(0.5)
    assert pair.client.outgoing() == []


@pytest.mark.parametrize("flag", [RST, FIN | ACK])
def test_an_end_that_gives_up(flag: int) -> None:
    pair = opened()
    pair.server._emit(flag)
    pair.run()
    assert pair.client.is_lost and pair.client.due is None


def test_a_segment_before_the_connection() -> None:
    pair = opened()
    pair.client.send(b"x", 0.0)
    (data,) = pair.client.outgoing()
    stranger = Connection(THERE, HERE, 1)
    assert stranger.receive(data, 0.0) == b"" and stranger.outgoing() == []


def test_what_waits_is_bounded() -> None:
    pair = Pair()
    pair.client.send(bytes(MOST_WAITING), 0.0)
    with pytest.raises(EspError, match="wait for 127"):
        pair.client.send(b"x", 0.0)


@given(st.binary(max_size=60))
def test_what_is_no_segment(octets: bytes) -> None:
    end = Connection(HERE, THERE, 1)
    try:
        end.receive(octets, 0.0)
    except EspError:
        assert len(octets) < 20 or not 20 <= (octets[12] >> 4) * 4 <= len(octets)
    if len(octets) < 20:
        with pytest.raises(EspError, match="no TCP segment"):
            tcp.ports(octets)
    else:
        assert tcp.ports(octets) == (int.from_bytes(octets[:2]), int.from_bytes(octets[2:4]))


def test_an_acknowledgement_of_what_was_never_sent() -> None:
    pair = opened()
    pair.client.send(b"hello", 0.0)
    pair.client.outgoing()
    before = bytes(pair.client._waiting)
    pair.server._expected = 5  # far away
    pair.server._emit(ACK)
    pair.run()
    assert bytes(pair.client._waiting) == before and pair.client.due is not None


def test_a_late_copy_of_syn() -> None:
    pair = Pair()
    pair.client.connect(0.0)
    (syn,) = pair.client.outgoing()
    assert pair.server.receive(syn, 0.0) == b""
    pair.run()
    pair.server.receive(syn, 0.0)
    (answer,) = pair.server.outgoing()
    assert answer[13] == ACK and answer[13] & SYN == 0
