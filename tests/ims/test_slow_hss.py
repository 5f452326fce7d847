"""The S-CSCF with an HSS that answers later, or not at all; and one that speaks up by itself."""

from dataclasses import dataclass, field

import pytest

from imslab.errors import RegistrationFailed
from imslab.ims import cx
from imslab.ims.call import CallState
from imslab.ims.indications import Incoming
from imslab.ims.procedure import Later
from imslab.ims.ue import State
from imslab.sip import Message


@dataclass
class SlowHss:
    """Keeps what it is asked until a test lets it answer."""

    ask: object
    waiting: list = field(default_factory=list)

    def __call__(self, request, now):
        later = Later()
        self.waiting.append((request, later))
        return later

    def answer(self, network, result=None, last=False):
        """Answer the oldest question (or the last one), with ``result`` in place of what is true."""
        request, later = self.waiting.pop(-1 if last else 0)
        answer = self.ask(request, network.now) if result is None else cx.failure(request, result)
        later.answer(answer, network.now)
        network.run()
        return type(request).__name__.removesuffix("Request")


@pytest.fixture
def slow(make):
    """A network with one UE that has sent its first REGISTER."""
    lab = make()
    lab.slow = lab.scscf._ask = SlowHss(lab.hss.ask)
    lab.ue.register(lab.network.now)
    lab.network.run()
    return lab


@pytest.fixture
def slow_home(home):
    lab = home()
    lab.slow = lab.scscf._ask = SlowHss(lab.hss.ask)
    return lab


def steps(lab, count, **more):
    return [lab.slow.answer(lab.network, **more) for _ in range(count)]


def test_a_registration_takes_as_many_steps_as_questions(slow):
    assert steps(slow, 4) == ["UserAuthorization", "MultimediaAuth", "UserAuthorization", "ServerAssignment"]
    assert slow.ue.state is State.REGISTERED and slow.slow.waiting == []


def test_a_binding_counts_from_the_answer(slow):
    steps(slow, 3)
    slow.network.advance(4)
    steps(slow, 1)
    (binding,) = slow.scscf.registrar.by_impi(slow.profile.impi).bindings.values()
    assert binding.expires_at == slow.network.now + 600_000


@pytest.mark.parametrize("inside", [False, True], ids=["over a wire", "handed over"])
def test_a_register_that_comes_again_meanwhile_asks_nothing_more(slow, inside):
    """The P-CSCF sends it on each time, for the first may have been lost; the S-CSCF knows it again."""
    first = slow.network.passed[-1]
    assert first.destination == slow.scscf.address
    if inside:  # as a driver does with nodes of one process
        slow.slow.waiting.clear()
        slow.scscf._answered = type(slow.scscf._answered)()
        slow.scscf.receive(first.message, first.source, slow.network.now)
    slow.network.advance(4)  # timer E: the UE repeats it three times
    again = [send for send in slow.network.passed if send.destination == slow.scscf.address]
    assert [send.octets for send in again] == [first.octets] * 4
    assert len(slow.slow.waiting) == 1
    steps(slow, 4)
    assert slow.ue.state is State.REGISTERED


@pytest.mark.parametrize("after", range(4), ids=["UAR", "MAR", "second UAR", "SAR"])
@pytest.mark.parametrize(
    ("result", "statuses"),
    [
        (cx.Result.UNABLE_TO_DELIVER, (504, 504, 504, 504)),
        (cx.Result.UNABLE_TO_COMPLY, (480, 480, 480, 480)),
        (cx.Result.USER_UNKNOWN, (403, 480, 403, 480)),
        (cx.Result.IDENTITIES_DONT_MATCH, (403, 480, 403, 480)),
        (cx.Result.AUTHORIZATION_REJECTED, (403, 480, 403, 480)),
        (cx.Result.ROAMING_NOT_ALLOWED, (403, 480, 403, 480)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_question_may_be_refused(slow, after, result, statuses):
    steps(slow, after)
    steps(slow, 1, result=result)
    assert isinstance(slow.ue.failure, RegistrationFailed) and slow.ue.failure.status == statuses[after]
    assert slow.scscf.registrar.by_impi(slow.profile.impi) is None


def test_who_is_told_that_the_hss_is_silent_is_told_to_try_again(slow):
    steps(slow, 1, result=cx.Result.UNABLE_TO_DELIVER)
    assert "try again later" in str(slow.ue.failure)
    slow.ue.register(slow.network.now)
    slow.network.run()
    steps(slow, 4)
    assert slow.ue.state is State.REGISTERED


def test_a_profile_may_be_missing_where_nothing_changes(slow):
    """A foreign HSS sends no profile when a user leaves, and then the known identities stand."""
    steps(slow, 3)
    request, later = slow.slow.waiting.pop()
    slow.hss.ask(request, slow.network.now)
    later.answer(cx.ServerAssignmentAnswer(cx.Result.SUCCESS), slow.network.now)
    slow.network.run()
    assert slow.ue.registered.impus == (slow.profile.impu[0],)
    slow.ue.deregister(slow.network.now)
    slow.network.run()
    steps(slow, 3)
    request, later = slow.slow.waiting.pop()
    later.answer(cx.ServerAssignmentAnswer(cx.Result.SUCCESS), slow.network.now)
    passed = slow.network.run()
    assert slow.ue.state is State.IDLE
    assert any(f"P-Associated-URI: <{slow.profile.impu[0]}>".encode() in send.octets for send in passed)


# -- calls ----------------------------------------------------------------------------------------


def test_a_call_waits_for_the_hss(slow_home):
    call = slow_home.alice.calls(slow_home.bob)
    slow_home.network.advance(3)
    assert call.state is not CallState.CONFIRMED and slow_home.bob.told == []
    assert steps(slow_home, 1) == ["LocationInfo"]
    assert call.state is CallState.CONFIRMED


def test_who_hangs_up_meanwhile_lets_nobody_ring(slow_home):
    call = slow_home.alice.calls(slow_home.bob)
    slow_home.alice.do("cancel", call)
    assert call.ending.status == 487
    steps(slow_home, 1)
    slow_home.network.advance(40)
    assert slow_home.bob.heard(Incoming) == []


@pytest.mark.parametrize(
    ("result", "status"),
    [(cx.Result.UNABLE_TO_DELIVER, 504), (cx.Result.USER_UNKNOWN, 404)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_call_to_nobody_known_here(slow_home, result, status):
    call = slow_home.alice.calls("sip:carol@elsewhere.example")
    steps(slow_home, 1, result=result)
    assert call.ending.status == status


def test_who_is_registered_here_rings_though_the_hss_is_silent(slow_home):
    call = slow_home.alice.calls(slow_home.bob)
    steps(slow_home, 1, result=cx.Result.UNABLE_TO_DELIVER)
    assert call.state is CallState.CONFIRMED


# -- what the HSS says by itself -------------------------------------------------------------------


@pytest.fixture
def registered(make):
    lab = make()
    lab.ue.register(lab.network.now)
    lab.network.run()
    lab.ue.subscribe(lab.network.now)
    lab.network.run()
    return lab


def push(lab, value):
    result = lab.scscf.pushed(value, lab.network.now)
    lab.network.run()
    return result


@pytest.mark.parametrize("named", [0, 1, 3], ids=["all", "one of three", "three"])
def test_a_user_that_the_hss_takes_out_is_gone_and_told(registered, named):
    lab = registered
    request = cx.RegistrationTerminationRequest(lab.profile.impi, lab.profile.impu[:named])
    assert push(lab, request) is cx.Result.SUCCESS
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is None
    assert all(lab.scscf.registrar.find(impu) is None for impu in lab.profile.impu)
    assert set(lab.ue.reginfo.values()) == {"terminated"}
    assert lab.ue.state is State.IDLE and lab.ue.registered is None
    lab.network.advance(40)
    assert len(lab.ue.timers) == 0  # nothing renews what is over
    lab.ue.register(lab.network.now)
    lab.network.run()
    assert lab.ue.state is State.REGISTERED  # it may come back, as somebody new
    assert [m.cseq.number for m in registers(lab)[-2:]] == [1, 2]


def registers(lab):
    passed = (Message.parse(send.octets) for send in lab.network.passed if send.source == lab.ue.address)
    return [message for message in passed if message.method == "REGISTER"]


def test_a_new_profile_reaches_the_watchers(registered):
    lab = registered
    impus = (*lab.profile.impu[:1], "sip:alice.two@ims.example")
    assert push(lab, cx.PushProfileRequest(lab.profile.impi, impus)) is cx.Result.SUCCESS
    found = lab.scscf.registrar.find
    assert found(impus[1]) is found(impus[0]) is not None and found(lab.profile.impu[1]) is None
    assert lab.ue.state is State.REGISTERED


@pytest.mark.parametrize(
    "value",
    [
        cx.RegistrationTerminationRequest("nobody@ims.example"),
        cx.PushProfileRequest("nobody@ims.example", ("sip:a@b",)),
    ],
    ids=["RTR", "PPR"],
)
def test_a_user_that_is_not_registered_here_is_unknown(registered, value):
    assert push(registered, value) is cx.Result.USER_UNKNOWN


def test_identities_of_somebody_else_take_nobody_out(registered):
    lab = registered
    request = cx.RegistrationTerminationRequest(lab.profile.impi, ("sip:bob@ims.example",))
    assert push(lab, request) is cx.Result.USER_UNKNOWN
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is not None
    assert lab.ue.state is State.REGISTERED
