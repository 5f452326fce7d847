"""The S-CSCF's end of Cx without a socket: what it sends, what it makes of each answer, how long it waits."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from imslab.aka import AuthenticationVector
from imslab.ims import cx as values
from imslab.ims.cx import Result
from imslab.ims.procedure import Later
from imslab.lab import Seeded
from imslab.net import cx, diameter
from imslab.net.cx_peer import MOST, PATIENCE, WATCHDOG, CxPeer, State

IMPI, IMPU, SERVER = "1@ims.example", "sip:alice@ims.example", "sip:scscf.ims.example:5060"
VECTOR = AuthenticationVector(bytes(range(16)), bytes(range(16, 32)), b"\0resres\xff", b"C" * 16, b"I" * 16)
UAR = values.UserAuthorizationRequest(IMPU, IMPI, "visited")
MAR = values.MultimediaAuthRequest(IMPU, IMPI, SERVER)
SAR = values.ServerAssignmentRequest(IMPU, IMPI, SERVER, values.Assignment.REGISTRATION)
LIR = values.LocationInfoRequest(IMPU)
US = diameter.Node("scscf.ims.example", "ims.example", "127.0.0.31", cx.APPLICATION)
HSS = diameter.Node("hss.other.example", "other.example", "127.0.0.41", cx.APPLICATION)
UNDELIVERED = values.MultimediaAuthAnswer(Result.UNABLE_TO_DELIVER)


@dataclass
class Wire:
    """The machine, a clock, and everything that came of it."""

    peer: CxPeer = field(init=False)
    now: float = 1000.0
    noted: list[str] = field(default_factory=list)
    pushes: list[values.Push] = field(default_factory=list)
    result: Result = Result.SUCCESS
    answers: list[values.Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peer = CxPeer(US, random=Seeded("cx peer"), pushed=self._pushed, note=self._note)

    def _pushed(self, push: values.Push, now: float) -> Result:
        self.pushes.append(push)
        return self.result

    def _note(self, now: float, what: str, about: str, why: str) -> None:
        self.noted.append(what)

    def open(self) -> "Wire":
        self.peer.connected(self.now)
        (cer,) = self.peer.outgoing()
        self.give(HSS.answer(diameter.parse(cer)[0]))
        return self

    def ask(self, request: values.Request = MAR) -> bytes:
        later = self.peer.ask(request, self.now)
        assert isinstance(later, Later)
        later.then(lambda answer, now: self.answers.append(answer))
        return self.sent()

    def sent(self) -> bytes:
        (octets,) = self.peer.outgoing()
        return octets

    def give(self, octets: bytes) -> None:
        self.peer.receive(octets, self.now)

    def answer(self, question: bytes, answer: values.Answer, request: values.Request) -> None:
        said = cx.decode(question)
        peers = cx.Peers(US.host, HSS.host, HSS.realm)
        self.give(cx.encode_answer(answer, request, peers, session=said.session, identifier=said.identifier))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        while (at := self.peer.timer()) is not None and at <= self.now:
            self.peer.handle_timer(self.now)


@pytest.fixture
def wire() -> Wire:
    return Wire().open()


# -- the connection --------------------------------------------------------------------------------


def test_it_says_who_it_is_and_learns_who_answers() -> None:
    one = Wire()
    one.peer.connected(one.now)
    said = cx.decode(octets := one.sent())
    assert (said.name, said.origin) == ("CER", US.host)
    assert one.peer.state is State.WAIT_CEA
    one.give(HSS.answer(diameter.parse(octets)[0]))
    assert (one.peer.state, one.peer.identity, one.peer.realm) == (State.OPEN, HSS.host, HSS.realm)
    assert one.noted == ["HSS found"]


@pytest.mark.parametrize(
    "reply",
    [
        lambda header: HSS.answer(header, 5010),  # NO_COMMON_APPLICATION
        lambda header: HSS.request(diameter.DEVICE_WATCHDOG, 1),
        lambda header: b"SIP/2.0 200 OK\r\n\r\n",
    ],
    ids=["refused", "a request first", "no Diameter"],
)
def test_who_is_not_taken_is_closed(reply: Callable[[diameter.Header], bytes]) -> None:
    one = Wire()
    one.peer.connected(one.now)
    one.give(reply(diameter.parse(one.sent())[0]))
    assert one.peer.state is State.CLOSED and one.peer.timer() is None
    assert one.peer.ask(MAR, one.now) == UNDELIVERED
    assert one.noted in (["HSS refused us"], ["no Diameter"])


def test_an_hss_that_does_not_say_who_it_is_is_given_up() -> None:
    one = Wire()
    one.peer.connected(one.now)
    states = []
    for seconds in (PATIENCE - 0.01, 0.01):
        one.wait(seconds)
        states.append(one.peer.state)
    assert states == [State.WAIT_CEA, State.CLOSED]


def test_a_goodbye_of_ours(wire: Wire) -> None:
    wire.ask()
    wire.peer.leave(wire.now)
    assert cx.decode(wire.sent()).name == "DPR"
    assert wire.peer.state is State.CLOSED and wire.answers == [UNDELIVERED]
    wire.peer.leave(wire.now)
    assert wire.peer.outgoing() == []


def test_a_goodbye_of_the_hss_is_answered(wire: Wire) -> None:
    wire.ask()
    wire.give(HSS.request(diameter.DISCONNECT_PEER, 77))
    said = cx.decode(wire.sent())
    assert (said.name, said.identifier, said.result) == ("DPA", 77, 2001)
    assert wire.peer.state is State.CLOSED and wire.answers == [UNDELIVERED]


def test_a_watchdog_is_answered_and_an_unknown_command_refused(wire: Wire) -> None:
    wire.give(HSS.request(diameter.DEVICE_WATCHDOG, 5))
    said = cx.decode(wire.sent())
    assert (said.name, said.result) == ("DWA", 2001)
    header = diameter.Header(999, diameter.REQUEST, cx.APPLICATION, 6, 6)
    wire.give(diameter.message(header, []))
    assert cx.decode(wire.sent()).result == diameter.UNSUPPORTED_COMMAND


def test_silence_is_probed_once_and_then_taken_for_the_end(wire: Wire) -> None:
    wire.wait(WATCHDOG - 0.01)
    assert wire.peer.outgoing() == []
    wire.wait(0.01)
    probe = wire.sent()
    assert cx.decode(probe).name == "DWR"
    wire.give(HSS.answer(diameter.parse(probe)[0]))
    wire.wait(WATCHDOG)
    assert cx.decode(wire.sent()).name == "DWR"
    wire.wait(WATCHDOG)
    assert wire.peer.state is State.CLOSED and wire.noted[-1] == "HSS lost"


def test_found_again_it_is_asked_again(wire: Wire) -> None:
    first = wire.ask()
    wire.peer.lost(wire.now)
    wire.peer.lost(wire.now)  # said twice, done once
    assert wire.answers == [UNDELIVERED] and wire.noted.count("HSS lost") == 1
    assert wire.peer.ask(MAR, wire.now) == UNDELIVERED
    wire.open()
    second = wire.ask()
    assert cx.decode(first).identifier != cx.decode(second).identifier
    wire.answer(first, values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR), MAR)  # nobody waits for it
    assert len(wire.answers) == 1
    wire.answer(second, values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR), MAR)
    assert wire.answers[1] == values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR)


# -- questions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (UAR, values.UserAuthorizationAnswer(Result.SUCCESS, IMPI, SERVER)),
        (UAR, values.UserAuthorizationAnswer(Result.IDENTITIES_DONT_MATCH, IMPI)),
        (UAR, values.UserAuthorizationAnswer(Result.ROAMING_NOT_ALLOWED, IMPI)),
        (MAR, values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR)),
        (MAR, values.MultimediaAuthAnswer(Result.UNABLE_TO_COMPLY)),
        (SAR, values.ServerAssignmentAnswer(Result.SUCCESS, (IMPU, "tel:+15550100001"))),
        (SAR, values.ServerAssignmentAnswer(Result.USER_UNKNOWN)),
        (LIR, values.LocationInfoAnswer(Result.SUCCESS, SERVER)),
        (LIR, values.LocationInfoAnswer(Result.SUCCESS)),
        (LIR, values.LocationInfoAnswer(Result.USER_UNKNOWN)),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(getattr(value, 'result', None), 'name', '')}",
)
def test_questions_and_answers(wire: Wire, request_: values.Request, answer: values.Answer) -> None:
    question = wire.ask(request_)
    said = cx.decode(question)
    assert said.value == request_ and said.origin == US.host
    assert said.session.startswith("scscf.ims.example;")
    assert diameter.parse(question)[1].text(diameter.DESTINATION_REALM) == HSS.realm
    wire.answer(question, answer, request_)
    assert wire.answers == [answer]


def test_answers_may_come_in_another_order(wire: Wire) -> None:
    questions = [wire.ask(request) for request in (UAR, LIR)]
    wire.answer(questions[1], values.LocationInfoAnswer(Result.SUCCESS, SERVER), LIR)
    wire.answer(questions[0], values.UserAuthorizationAnswer(Result.SUCCESS, IMPI), UAR)
    assert [type(answer) for answer in wire.answers] == [
        values.LocationInfoAnswer,
        values.UserAuthorizationAnswer,
    ]


@pytest.mark.parametrize("named", [IMPI, None])
def test_a_uaa_without_a_private_identity_is_about_the_one_asked_for(wire: Wire, named: str | None) -> None:
    """TS 29.229, table 6.1.2: there is no User-Name in a UAA."""
    request = values.UserAuthorizationRequest(IMPU, named, "visited")
    wire.answer(wire.ask(request), values.UserAuthorizationAnswer(Result.SUCCESS, ""), request)
    assert wire.answers == [values.UserAuthorizationAnswer(Result.SUCCESS, named or "alice@ims.example")]


def test_identities_are_compared_as_a_registrar_does(wire: Wire) -> None:
    written = ("sip:Alice@IMS.example;x=y", "sip:%61lice@ims.example", "no uri")
    wire.answer(wire.ask(SAR), values.ServerAssignmentAnswer(Result.SUCCESS, written), SAR)
    (answer,) = wire.answers
    assert isinstance(answer, values.ServerAssignmentAnswer)
    assert answer.impus == ("sip:Alice@ims.example", "sip:alice@ims.example", "no uri")


def reply(question: bytes, *pairs: diameter.Pair, flags: int = 0) -> bytes:
    header, _ = diameter.parse(question)
    identifiers = header.hop_by_hop, header.end_to_end
    return diameter.message(diameter.Header(header.command, flags, cx.APPLICATION, *identifiers), pairs)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (3002, Result.UNABLE_TO_DELIVER),
        (3004, Result.UNABLE_TO_DELIVER),
        (3999, Result.UNABLE_TO_DELIVER),
        (4000, Result.UNABLE_TO_COMPLY),
        (5005, Result.UNABLE_TO_COMPLY),
        (5012, Result.UNABLE_TO_COMPLY),
    ],
)
def test_results_that_cx_does_not_name(wire: Wire, code: int, result: Result) -> None:
    wire.give(reply(wire.ask(), (diameter.RESULT, code), flags=diameter.ERROR))
    assert wire.answers == [values.MultimediaAuthAnswer(result)]


@pytest.mark.parametrize("code", [2003, 5003])
def test_a_callee_who_is_known_but_not_registered(wire: Wire, code: int) -> None:
    """TS 29.229, 6.2.1.3 (UNREGISTERED_SERVICE) and 6.2.2.3 (IDENTITY_NOT_REGISTERED)."""
    vendor = (diameter.VENDOR, diameter.VENDOR_3GPP)
    experimental = (diameter.EXPERIMENTAL, [vendor, (diameter.EXPERIMENTAL_CODE, code)])
    wire.give(reply(wire.ask(LIR), experimental))
    assert wire.answers == [values.LocationInfoAnswer(Result.SUCCESS)]


def test_an_answer_without_result_or_with_a_broken_vector_is_none(wire: Wire) -> None:
    wire.give(reply(wire.ask()))
    item = [(608, "Digest-AKAv1-MD5"), (609, b"short"), (610, b"x" * 8)]
    wire.give(reply(wire.ask(), (diameter.RESULT, 2001), (612, item)))
    assert wire.answers == [values.MultimediaAuthAnswer(Result.UNABLE_TO_COMPLY)] * 2
    assert wire.noted.count("the HSS refused") == 2


def test_an_avp_that_nobody_knows_is_passed_over(wire: Wire) -> None:
    """Kamailio's own SAR holds one (494 of vendor 4491); an HSS may add what it likes."""
    question = wire.ask(SAR)
    answer = values.ServerAssignmentAnswer(Result.SUCCESS, (IMPU,))
    said = cx.decode(question)
    peers = cx.Peers(US.host, HSS.host, HSS.realm)
    octets = cx.encode_answer(answer, SAR, peers, session=said.session, identifier=said.identifier)
    unknown = (494).to_bytes(4) + b"\xc0" + (16).to_bytes(3) + (4491).to_bytes(4) + b"what"
    wire.give(b"\x01" + (len(octets) + 16).to_bytes(3) + octets[4:] + unknown)
    assert wire.answers == [answer]


def test_an_answer_that_does_not_come(wire: Wire) -> None:
    question = wire.ask()
    wire.wait(2.0)
    second = wire.ask(LIR)
    wire.wait(PATIENCE - 2.01)
    assert wire.answers == []
    wire.wait(0.02)
    assert wire.answers == [UNDELIVERED] and wire.peer.state is State.OPEN
    wire.answer(question, values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR), MAR)  # too late: nobody's
    assert wire.answers == [UNDELIVERED]
    wire.answer(second, values.LocationInfoAnswer(Result.SUCCESS), LIR)
    assert wire.answers[1] == values.LocationInfoAnswer(Result.SUCCESS)


def test_questions_that_wait_are_bounded(wire: Wire) -> None:
    for _ in range(MOST):
        assert isinstance(wire.peer.ask(LIR, wire.now), Later)
        wire.peer.outgoing()
    assert wire.peer.ask(MAR, wire.now) == UNDELIVERED


def test_garbage_ends_the_connection_and_those_who_wait_are_told(wire: Wire) -> None:
    wire.ask()
    wire.give(b"\x01\x00\x00\x18" + bytes(16) + b"\xff" * 4)
    assert wire.peer.state is State.CLOSED and wire.answers == [UNDELIVERED]
    assert wire.noted[-2:] == ["no Diameter", "HSS lost"]


@pytest.mark.parametrize("step", [1, 3, 19, 1000])
def test_the_stream_may_be_cut_anywhere(wire: Wire, step: int) -> None:
    question = cx.decode(wire.ask())
    peers = cx.Peers(US.host, HSS.host, HSS.realm)
    answer = values.MultimediaAuthAnswer(Result.SUCCESS, VECTOR)
    octets = cx.encode_answer(answer, MAR, peers, session="s", identifier=question.identifier)
    for at in range(0, len(octets), step):
        wire.give(octets[at : at + step])
    assert wire.answers == [answer]


# -- what the HSS says by itself ----------------------------------------------------------------------


@pytest.mark.parametrize("result", [Result.SUCCESS, Result.USER_UNKNOWN], ids=lambda result: result.name)
def test_pushes_are_carried_out_and_answered(wire: Wire, result: Result) -> None:
    wire.result = result
    peers = cx.Peers(US.host, HSS.host, HSS.realm)
    wire.give(cx.encode_termination(IMPI, (IMPU,), peers, identifier=9))
    rta = cx.decode(wire.sent())
    wire.give(cx.encode_profile(IMPI, (IMPU, "tel:+1"), peers, identifier=10))
    ppa = cx.decode(wire.sent())
    assert wire.pushes == [
        values.RegistrationTerminationRequest(IMPI, (IMPU,)),
        values.PushProfileRequest(IMPI, (IMPU, "tel:+1")),
    ]
    assert [(one.name, one.identifier, one.result) for one in (rta, ppa)] == [
        ("RTA", 9, int(result)),
        ("PPA", 10, int(result)),
    ]
    assert rta.origin == US.host and rta.session == f"{HSS.host};0;9"


def test_a_profile_that_names_nobody_changes_nothing(wire: Wire) -> None:
    wire.give(cx.encode_profile(IMPI, (), cx.Peers(US.host, HSS.host, HSS.realm), identifier=1))
    assert cx.decode(wire.sent()).result == 2001 and wire.pushes == []
