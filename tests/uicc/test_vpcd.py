"""The card's end of vpcd, against a reader that is a socket here; and a served card that is killed."""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imslab.aka import generate_vector
from imslab.errors import CardGone, Malformed
from imslab.uicc import Card, Profile
from imslab.uicc.apdu import authenticate
from imslab.uicc.vpcd import ATR, POWER_OFF, POWER_ON, RESET, Reader, Slot

ISIM = bytes.fromhex("00a4040c07a0000000871004")


class Vpcd:
    """The driver's end: it listens, and speaks to the card that comes."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._listener.settimeout(20)
        self.card: socket.socket | None = None

    def accept(self) -> None:
        self.card, _ = self._listener.accept()
        self.card.settimeout(20)

    def send(self, body: bytes) -> None:
        assert self.card is not None
        self.card.sendall(len(body).to_bytes(2))  # length and body apart, as vpcd does
        self.card.sendall(body)

    def receive(self) -> bytes:
        head = self._exactly(2)
        return self._exactly(int.from_bytes(head))

    def ask(self, body: bytes) -> bytes:
        self.send(body)
        return self.receive()

    def hang_up(self) -> None:
        if self.card is not None:
            self.card.close()
        self.card = None

    def close(self) -> None:
        self.hang_up()
        self._listener.close()

    def _exactly(self, count: int) -> bytes:
        assert self.card is not None
        octets = b""
        while len(octets) < count:
            more = self.card.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets


@pytest.fixture
def vpcd() -> Iterator[Vpcd]:
    made = Vpcd()
    yield made
    made.close()


@pytest.fixture
def served(alice: Profile, vpcd: Vpcd) -> Iterator[list[str]]:
    """A card in the slot, served by a thread; what it says is the value."""
    said: list[str] = []
    slot = Slot(Card(alice), port=vpcd.port, on_event=said.append)
    thread = threading.Thread(target=slot.serve)
    thread.start()
    vpcd.accept()
    yield said
    slot.leave()
    thread.join(20)
    assert not thread.is_alive()


def test_controls_and_commands(vpcd: Vpcd, served: list[str], alice: Profile) -> None:
    vpcd.send(bytes((POWER_ON,)))
    atr = vpcd.ask(bytes((ATR,)))
    assert atr == Card(alice).reset()
    assert vpcd.ask(ISIM) == b"\x90\x00"
    assert vpcd.ask(bytes.fromhex("00b0850000")) != b""
    vpcd.send(bytes((RESET,)))
    assert vpcd.ask(bytes((ATR,))) == atr
    vector = generate_vector(alice.functions, bytes(16), (32).to_bytes(6))
    assert vpcd.ask(authenticate(vector.rand, vector.autn)) == bytes.fromhex(
        "6985"
    )  # nothing is selected now
    vpcd.send(bytes((POWER_OFF,)))
    vpcd.send(b"")
    vpcd.send(b"\x03")  # no control that is known
    assert vpcd.ask(bytes((ATR,))) == atr


def test_an_exchange_does_not_wait_for_a_delayed_acknowledgement(vpcd: Vpcd, served: list[str]) -> None:
    vpcd.ask(ISIM)
    start = time.perf_counter()
    for _ in range(50):
        vpcd.ask(bytes.fromhex("00a4000c026f02"))
    assert time.perf_counter() - start < 50 * 0.020  # each would take 0.040 s and more


def test_the_reader_comes_back(vpcd: Vpcd, served: list[str]) -> None:
    for _ in range(3):
        assert vpcd.ask(bytes((ATR,)))[:1] == b"\x3b"
        vpcd.hang_up()
        vpcd.accept()
    assert vpcd.ask(ISIM) == b"\x90\x00"
    assert served.count("the reader went away") == 3


def test_it_waits_for_a_reader(alice: Profile) -> None:
    first = Vpcd()
    port = first.port
    first.close()
    said: list[str] = []
    slot = Slot(Card(alice), port=port, on_event=said.append)
    thread = threading.Thread(target=slot.serve)
    thread.start()
    try:
        while not said:
            time.sleep(0.01)
        assert said == [f"waiting for a virtual reader on 127.0.0.1:{port}"]
        late = Vpcd(port)
        late.accept()
        assert late.ask(bytes((ATR,)))[:1] == b"\x3b"
    finally:
        slot.leave()
        thread.join(20)
    late.close()
    assert len(said) == 2


def test_a_card_that_goes_away_leaves_the_slot(vpcd: Vpcd) -> None:
    class Gone:
        def transmit(self, apdu: bytes, /) -> bytes:
            raise CardGone("pulled out")

        def reset(self) -> bytes:
            return b"\x3b\x00"

    def reader() -> None:
        vpcd.accept()
        vpcd.send(ISIM)

    thread = threading.Thread(target=reader)
    thread.start()
    with pytest.raises(CardGone):
        Slot(Gone(), port=vpcd.port).serve()
    thread.join(20)
    with pytest.raises(EOFError):
        vpcd.receive()


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_frames_cut_anywhere(step: int) -> None:
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours.close()
        ours = socket.create_connection(server.getsockname())
        theirs.close()
        theirs, _ = server.accept()
    reader = Reader(ours)
    octets = b"\0\1\4" + b"\0\0" + b"\0\5hello"

    def trickle() -> None:
        for at in range(0, len(octets), step):
            theirs.sendall(octets[at : at + step])
            time.sleep(0.001)
        theirs.sendall(b"\0\5hel")
        theirs.close()

    thread = threading.Thread(target=trickle)
    thread.start()
    assert [reader.receive() for _ in range(4)] == [b"\4", b"", b"hello", None]
    thread.join(20)
    with pytest.raises(Malformed):
        reader.send(bytes(65536))
    ours.close()


class Lives:
    """One card with one state, in one process after the other."""

    def __init__(self, state: Path, vpcd: Vpcd) -> None:
        self._state, self._vpcd = state, vpcd
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        place = ["--t1", "--port", str(self._vpcd.port), "--state", str(self._state)]
        command = [sys.executable, "-m", "imslab", "card", "serve", *place]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._started.append(process)
        self._vpcd.accept()
        assert self._vpcd.ask(ISIM) == b"\x90\x00"
        return process

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        process.wait()
        self._vpcd.hang_up()

    def end_all(self) -> None:
        for process in self._started:
            self.end(process)


@pytest.fixture
def lives(vpcd: Vpcd, tmp_path: Path) -> Iterator[Lives]:
    made = Lives(tmp_path / "alice.card", vpcd)
    yield made
    made.end_all()


def test_a_served_card_killed_at_any_moment_accepts_no_sqn_twice(
    alice: Profile, vpcd: Vpcd, lives: Lives
) -> None:
    moments = random.Random(3)
    vectors = [generate_vector(alice.functions, bytes(16), (n << 5).to_bytes(6)) for n in range(1, 201)]
    commands = [authenticate(vector.rand, vector.autn) for vector in vectors]
    accepted: list[int] = []
    killed = 0

    def ask(number: int) -> bytes:
        tag = vpcd.ask(commands[number])[:1]
        accepted.extend([number] if tag == b"\xdb" else [])
        return tag

    while killed < 8:
        process = lives.start()
        # Everything that it was ever asked, the last one too, whose answer may have been lost.
        seen = accepted[-1] + 1 if accepted else 0
        assert all(ask(number) == b"\xdc" for number in range(seen))
        timer = threading.Timer(moments.uniform(0.002, 0.025), process.send_signal, [signal.SIGKILL])
        timer.start()
        try:
            for number in range(seen, 200):
                assert {ask(number), ask(number)} <= {b"\xdb", b"\xdc"}  # the second time is a replay
        except (EOFError, OSError):
            killed += 1
        else:
            break
        finally:
            timer.join(20)
            lives.end(process)
    process = lives.start()
    for number in range(200):
        ask(number)
    replayed = {ask(number) for number in range(200)}
    lives.end(process)
    assert killed >= 2
    assert replayed == {b"\xdc"}
    assert accepted == sorted(set(accepted))  # each once, always upwards
    assert len(accepted) >= 200 - killed  # one in each life may be stored, and its answer never sent
