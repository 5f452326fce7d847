"""SIP over TCP under a set of associations: TS 33.203, 7.1; RFC 3261, 18.3."""

from collections.abc import Callable

import pytest

from imslab.errors import EspError
from imslab.ipsec.associations import Association, Associations
from imslab.ipsec.offer import TRANSFORMS, Receiving, offer
from imslab.ipsec.streams import Streams

ALICE, PCSCF = "127.0.0.11", "127.0.0.21"
CLIENT = offer(TRANSFORMS[:1], Receiving(1001, 1002, 5062, 5064))[0]
SERVER = offer(TRANSFORMS[:1], Receiving(2001, 2002, 5104, 6104))[0]
FOUR = Associations.agree(CLIENT, SERVER, bytes(16), bytes(16))

REGISTER = b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKa\r\nContent-Length: 0\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKa\r\nContent-Length: 3\r\n\r\nsdp"
NOTIFY = REGISTER.replace(b"REGISTER", b"NOTIFY")


def counter(start: int) -> Callable[[int], bytes]:
    state = iter(range(start, start + 1000))
    return lambda octets: next(state).to_bytes(octets)


class Ends:
    """Both ends, and what passed between them: under which association, how many octets."""

    def __init__(self) -> None:
        self.ue = Streams(ALICE, PCSCF, FOUR, is_ue=True, random=counter(1000))
        self.pcscf = Streams(PCSCF, ALICE, FOUR, is_ue=False, random=counter(5000))
        self.used: list[Association] = []
        self.heard: dict[Streams, list[bytes]] = {self.ue: [], self.pcscf: []}

    def run(self, now: float = 0.0) -> "Ends":
        while True:
            moving = [(other, *sent) for one, other in self._ways() for sent in one.outgoing()]
            if not moving:
                return self
            for other, association, segment in moving:
                self.used.append(association)
                self.heard[other] += other.receive(association, segment, now)

    def _ways(self) -> list[tuple[Streams, Streams]]:
        return [(self.ue, self.pcscf), (self.pcscf, self.ue)]


def test_a_request_and_its_answer_on_one_connection() -> None:
    ends = Ends()
    ends.ue.post(REGISTER, 0.0)
    ends.run()
    ends.pcscf.post(OK, 0.0)
    ends.run()
    assert ends.heard == {ends.pcscf: [REGISTER], ends.ue: [OK]}
    assert {one.use for one in ends.used} == {FOUR.request.use, FOUR.answer.use}
    assert ends.ue.due is None and ends.pcscf.due is None


def test_what_the_network_asks_has_a_connection_of_its_own() -> None:
    ends = Ends()
    ends.pcscf.post(NOTIFY, 0.0)
    ends.run()
    ends.ue.post(OK, 0.0)
    ends.run()
    assert ends.heard == {ends.ue: [NOTIFY], ends.pcscf: [OK]}
    assert {one.use for one in ends.used} == {FOUR.network_request.use, FOUR.network_answer.use}


def test_several_messages_and_one_connection() -> None:
    ends = Ends()
    for _ in range(3):
        ends.ue.post(REGISTER, 0.0)
    ends.run()
    ends.ue.post(REGISTER, 0.0)
    ends.run()
    assert ends.heard[ends.pcscf] == 4 * [REGISTER]
    calls = [one for one in ends.used if one is FOUR.request]
    assert len(calls) <= 7, "SYN, its ACK, and what there was to say"


def test_an_end_that_has_lost_the_connection_opens_another() -> None:
    ends = Ends()
    ends.ue.post(REGISTER, 0.0)
    ends.run()
    ends.ue._mine.connection.is_lost = True
    ends.ue.post(NOTIFY, 0.0)
    ends.run()
    assert ends.heard[ends.pcscf] == [REGISTER, NOTIFY]


def test_what_is_lost_comes_again() -> None:
    ends = Ends()
    ends.ue.post(REGISTER, 0.0)
    assert len(ends.ue.outgoing()) == 1 and ends.ue.due == 1.0
    ends.ue.handle_timer(1.0)
    ends.run(1.0)
    assert ends.heard[ends.pcscf] == [REGISTER]


def test_a_stream_that_cannot_be_followed_is_begun_anew() -> None:
    ends = Ends()
    ends.ue.post(b"garbage without end\r\n\r\n", 0.0)
    with pytest.raises(EspError, match="cannot be followed"):
        ends.run()
    assert not ends.pcscf._theirs.connection.is_open
