"""The card's end: judge a command packet, count it, run it, and prove that it came.

Spec: ETSI TS 102 225, sections 5.1 (command), 5.1.4 (counter) and 5.2 (response). The order: is the key set
there, is the protection enough, does it hold, is the counter right, is the application there. The counter
is stored before anything is done.

A packet whose sender is not proved gets an answer without protection. The specification allows to protect
it, and cards that did so gave everybody a MAC, made with their key, over octets that he had chosen; with
single DES that was enough to find the key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from imslab.errors import Malformed, OtaError
from imslab.octets import exactly
from imslab.uicc.ota import packet as command_packet
from imslab.uicc.ota.coding import Check, Counting, Proof, Spi, Status, version
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import LARGEST_COUNTER, CommandPacket, Header
from imslab.uicc.ota.response import ResponsePacket, seal_response

Run = Callable[[KeySet, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a command packet: its status, and the response packet, b"" when none was asked for.

    ``by_submit``  the sender wants the response as an SMS-SUBMIT
    """

    status: Status
    response: bytes = b""
    by_submit: bool = False


class Receiver:
    """Receives command packets.

    ``key_sets``      what the card shares with its servers
    ``applications``  what runs the data of a packet, by TAR (3 octets): called with the key set that was used
    ``save``          makes a counter durable; called before the packet is executed
    ``counters``      the highest counter accepted so far, by version of the key set
    """

    def __init__(
        self,
        key_sets: Iterable[KeySet],
        applications: Mapping[bytes, Run],
        *,
        counters: Mapping[int, int] | None = None,
        save: Callable[[int, int], None] = lambda version, counter: None,
    ) -> None:
        self._key_sets = {keys.version: keys for keys in key_sets}
        self._applications, self._save = dict(applications), save
        self.counters: dict[int, int] = dict(counters or {})

    def receive(self, packet: bytes) -> Received:
        """Judge and run one command packet; raise Malformed when it is so broken that nobody can be
        answered.
        """
        header = command_packet.read_header(packet)
        try:
            keys = self._keys(header)
            command = command_packet.unseal(packet, keys)
        except OtaError as error:
            return _unproved(header, Status(error.status or Status.SECURITY_ERROR))
        status = self._count(command, keys)
        data = b""
        if status is Status.OK:
            run = self._applications.get(command.tar)
            status, data = (Status.TAR_UNKNOWN, b"") if run is None else (Status.OK, run(keys, command.data))
        return _proved(command, keys, status, data)

    def _keys(self, header: Header) -> KeySet:
        """Return the key set that the header names; raise OtaError when there is none, or it wants more
        protection.
        """
        spi = header.spi
        named = {version(header.kid)} if spi.check is not Check.NONE else set()
        named |= {version(header.kic)} if spi.ciphered else set()
        named = named or {version(header.kid)}
        keys = self._key_sets.get(min(named))
        if keys is None or len(named) > 1:
            raise OtaError("no such key set", status=Status.SECURITY_ERROR)
        if not spi.reaches(keys.minimum):
            raise OtaError("the key set wants more protection", status=Status.INSUFFICIENT_SECURITY)
        return keys

    def _count(self, command: CommandPacket, keys: KeySet) -> Status:
        if command.spi.counting in (Counting.NONE, Counting.UNCHECKED):
            return Status.OK
        highest = self.counters.get(keys.version, 0)
        if highest == LARGEST_COUNTER:
            return Status.COUNTER_BLOCKED
        if command.counter <= highest:
            return Status.COUNTER_LOW
        if command.spi.counting is Counting.NEXT and command.counter != highest + 1:
            return Status.COUNTER_HIGH
        self._save(keys.version, command.counter)
        self.counters[keys.version] = command.counter
        return Status.OK


def _proved(command: CommandPacket, keys: KeySet, status: Status, data: bytes) -> Received:
    spi = command.spi
    if not _is_wanted(spi, status):
        return Received(status)
    try:
        sealed = seal_response(ResponsePacket(command.tar, command.counter, status, data), command, keys)
    except Malformed:  # it asks for a proof that this key set cannot make
        sealed = _bare(command, status, data)
    return Received(status, sealed, spi.by_submit)


def _unproved(header: Header, status: Status) -> Received:
    if not _is_wanted(header.spi, status):
        return Received(status)
    # CNTR goes back where it can be read.
    counter = 0 if header.spi.ciphered else int.from_bytes(header.rest[:5])
    command = CommandPacket(header.spi, header.kic, header.kid, header.tar, counter, b"")
    return Received(status, _bare(command, status, b""), header.spi.by_submit)


def _bare(command: CommandPacket, status: Status, data: bytes) -> bytes:
    return seal_response(ResponsePacket(command.tar, command.counter, status, data, verified=False), command)


def _is_wanted(spi: Spi, status: Status) -> bool:
    return spi.proof is Proof.ALWAYS or (spi.proof is Proof.ON_ERROR and status is not Status.OK)


def counter_octets(counter: int) -> bytes:
    """Return a counter as a store keeps it, 5 octets."""
    return counter.to_bytes(5)


def counter_from(octets: bytes) -> int:
    """Return the counter that a store kept; raise Malformed unless it has 5 octets."""
    return int.from_bytes(exactly("the stored OTA counter", octets, 5))
