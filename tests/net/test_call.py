"""Calls on real sockets of 127.0.0.x, with media that are nothing but descriptions."""

import asyncio
import io
import os
import threading
from contextlib import asynccontextmanager

import pytest

from imslab.capture import open_capture
from imslab.data import profile_path
from imslab.errors import CallFailed, Malformed, NetworkError
from imslab.ims.call import CallState, Times
from imslab.ims.scscf import Policy
from imslab.net import call as call_module
from imslab.net import media as media_module
from imslab.net.core import Core
from imslab.net.tap import Clock, Tap
from imslab.net.terminal import Terminal
from imslab.net.trace import TraceWriter
from imslab.sip.sdp import SessionDescription
from imslab.uicc import Card, IsimClient, Profile

HOST = "127.0.9.21"
HOSTS = {"alice": "127.0.9.11", "bob": "127.0.9.12"}
BOB = "sip:bob@ims.mnc001.mcc001.3gppnetwork.org"
ALICE = "sip:alice@ims.mnc001.mcc001.3gppnetwork.org"
MIXES = [("UDP", "UDP"), ("TCP", "TCP"), ("WS", "WS"), ("UDP", "WS"), ("WS", "TCP"), ("TCP", "UDP")]
SHORT = Times(session=1, least=1)  # seconds: a peer that is gone is noticed within one


class Described:
    """Media that only write descriptions, and remember what was asked of them.

    ``fault``  step -> what happens instead: an error to raise, or None to wait for ever
    """

    def __init__(self, name, **fault):
        self.name, self.version, self.log, self._fault = name, 0, [], fault

    async def _step(self, step, about):
        self.log.append(f"{step} {about}".strip())
        if step in self._fault:
            if self._fault[step] is None:
                await asyncio.Event().wait()
            raise self._fault[step]

    def _write(self, direction):
        self.version += 1
        return (
            f"v=0\r\no={self.name} 1 {self.version} IN IP4 {HOSTS[self.name]}\r\ns=-\r\n"
            f"c=IN IP4 {HOSTS[self.name]}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n"
        ).encode()

    async def offer(self, direction="sendrecv"):
        await self._step("offer", direction)
        return self._write(direction)

    async def answer(self, offer):
        asked = SessionDescription.parse(offer).media[0].direction or "sendrecv"
        await self._step("answer", asked)
        return self._write({"sendonly": "recvonly", "recvonly": "sendonly"}.get(asked, asked))

    async def accept(self, answer):
        await self._step("accept", SessionDescription.parse(answer).media[0].direction)

    async def close(self):
        await self._step("close", "")


def sockets():
    """How many sockets this process has open."""
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum(os.path.exists(link) and os.readlink(link).startswith("socket:") for link in links)


@asynccontextmanager
async def nothing_left():
    """Fail when a task, a socket or a thread is left that was not there before."""
    before = len(asyncio.all_tasks()), sockets(), threading.active_count()
    yield
    for _ in range(5):
        await asyncio.sleep(0)  # closed transports are told so by the next rounds of the loop
    assert (len(asyncio.all_tasks()), sockets(), threading.active_count()) == before


@asynccontextmanager
async def two(transports=("UDP", "UDP"), *, core_settings=(), leave=True, **settings):
    """A core, and alice and bob registered with it; nothing is left when they have gone."""
    profiles = [Profile.load(profile_path(name)) for name in HOSTS]
    core = Core(**{"host": HOST, "port": 0, "websocket_port": 0, **dict(core_settings)})
    async with nothing_left():
        await core.start()
        core.add(profiles)
        terminals = []
        try:
            for profile, host, transport in zip(profiles, HOSTS.values(), transports, strict=True):
                client = IsimClient(Card(profile))
                address = core.addresses[transport]
                terminals.append(
                    Terminal(client.read_profile(), client, address, host=host, clock=core.clock, **settings)
                )
                await terminals[-1].register()
            yield core, *terminals
        finally:
            for terminal in terminals:
                await terminal.aclose()
            core.close()


def answering(media, *, ring=True):
    async def handler(call):
        if ring:
            await call.ring()
        await call.answer(media)

    return handler


async def never(call):
    await call.ring()
    await asyncio.Event().wait()


async def until(condition):
    """Let the loop run until ``condition()`` is true."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("transports", MIXES, ids="-".join)
async def test_a_call(transports):
    mine, theirs = Described("alice"), Described("bob")
    async with two(transports) as (_, alice, bob):
        bob.on_call = answering(theirs)
        call = await alice.call(BOB, mine)
        assert call.state is CallState.CONFIRMED and call.is_outgoing
        assert (call.peer, call.is_asserted) == (BOB, True)
        (other,) = bob.calls
        assert (other.peer, other.is_asserted, other.call_id) == (ALICE, True, call.call_id)
        assert "TerminalCall to sip:bob@" in repr(call)
        await call.hold()
        await call.resume()
        await other.hold()
        await call.hold()  # both hold
        await other.resume()
        ending = await call.hang_up()
        assert (ending.by, (await other.ended()).by) == ("us", "peer")
        assert call.ending == ending and alice.calls == bob.calls == []
    offers = [line for line in mine.log if line.startswith("offer")]
    assert offers == ["offer sendrecv", "offer sendonly", "offer sendrecv", "offer inactive"]
    assert [line for line in theirs.log if line.startswith("offer")] == ["offer sendonly", "offer recvonly"]
    assert mine.log[1] == "accept sendrecv" and mine.log[-1] == theirs.log[-1] == "close"
    assert mine.log.count("close") == theirs.log.count("close") == 1
    assert list(call.moments) == ["invited", "ringing", "answered", "acknowledged", "ended"]
    assert sorted(call.moments.values()) == list(call.moments.values())


async def test_the_trace_holds_each_message_of_a_call_once():
    clock, file = Clock(), io.BytesIO()
    tap = Tap(TraceWriter(file), clock)
    async with two(core_settings={"clock": clock, "tap": tap}) as (_, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        await call.hang_up()
        tap.flush()
    capture = open_capture(file.getvalue())
    messages = [event.message for event in capture.sip if event.message.call_id == call.call_id]
    kinds = [(m.method if m.is_request else str(m.status), m.cseq.method) for m in messages]
    assert kinds.count(("INVITE", "INVITE")) == 4 and kinds.count(("200", "INVITE")) == 4
    assert kinds.count(("100", "INVITE")) == 3 and kinds.count(("BYE", "BYE")) == 4
    assert len(kinds) == 35
    assert [event.message.name for event in capture.cx_events][-2:] == ["LIR", "LIA"]


# -- calls that are not answered ------------------------------------------------------------------


@pytest.mark.parametrize("transports", MIXES[:3], ids="-".join)
async def test_nobody_is_there_to_answer(transports):
    media = Described("alice")
    async with two(transports) as (_, alice, _bob):
        with pytest.raises(CallFailed, match="480 Temporarily Unavailable") as caught:
            await alice.call(BOB, media)
        assert caught.value.status == 480
    assert media.log == ["offer sendrecv", "close"]


@pytest.mark.parametrize(("status", "why"), [(486, "486 Busy Here. call again later"), (603, "603 Decline")])
async def test_a_refusal(status, why):
    async def handler(call):
        await call.ring()
        await call.refuse(status)

    async with two() as (_, alice, bob):
        bob.on_call = handler
        with pytest.raises(CallFailed, match=why) as caught:
            await alice.call(BOB, Described("alice"))
        assert caught.value.status == status


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("a fault of the owner"), 500), (Malformed("x"), 488)]
)
async def test_an_owner_who_fails(error, status):
    events = []

    async def handler(call):
        raise error

    async with two(on_event=events.append) as (_, alice, bob):
        bob.on_call = handler
        with pytest.raises(CallFailed) as caught:
            await alice.call(BOB, Described("alice"))
        assert caught.value.status == status
    assert [event.why for event in events if "has failed" in event.what] == [repr(error)]


async def test_an_owner_who_fails_in_mid_call():
    theirs = Described("bob")

    async def handler(call):
        await call.answer(theirs)
        raise ValueError("a fault of the owner")

    async with two() as (_, alice, bob):
        bob.on_call = handler
        call = await alice.call(BOB, Described("alice"))
        ending = await asyncio.wait_for(call.ended(), 5)
        assert ending.reason == "who takes calls has failed"
    assert theirs.log[-1] == "close"


async def test_an_owner_goes_on_after_a_refusal():
    done = asyncio.Event()

    async def handler(call):
        await call.refuse(486)
        await asyncio.sleep(0)
        done.set()

    async with two() as (_, alice, bob):
        bob.on_call = handler
        with pytest.raises(CallFailed, match="486"):
            await alice.call(BOB, Described("alice"))
        await asyncio.wait_for(done.wait(), 5)


async def test_an_owner_who_decides_nothing():
    async def handler(call):
        await call.ring()

    async with two() as (_, alice, bob):
        bob.on_call = handler
        with pytest.raises(CallFailed) as caught:
            await alice.call(BOB, Described("alice"))
        assert caught.value.status == 480


async def test_a_callee_who_never_answers():
    media = Described("alice")
    async with two(times=Times(no_answer=0.2)) as (_, alice, bob):
        bob.on_call = never
        with pytest.raises(CallFailed, match="no answer in 0 s") as caught:
            await alice.call(BOB, media)
        assert caught.value.status in (408, 480)
        await until(lambda: not bob.calls)
    assert media.log == ["offer sendrecv", "close"]


async def test_no_such_user_and_no_registration():
    media = Described("alice")
    async with two() as (_, alice, bob):
        with pytest.raises(CallFailed, match=r"the HSS knows no such user\. is the address right") as caught:
            await alice.call("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", media)
        assert caught.value.status == 404
        with pytest.raises(Malformed):
            await alice.call("nobody at all", Described("alice"))
        await bob.deregister()
        with pytest.raises(CallFailed, match="not registered"):
            await bob.call(ALICE, Described("bob"))
        with pytest.raises(CallFailed, match="480"):
            await alice.call(BOB, Described("alice"))
    assert media.log == ["offer sendrecv", "close"]


@pytest.mark.parametrize("transports", MIXES[:3], ids="-".join)
async def test_a_caller_who_gives_up(transports):
    """The task that waits is cancelled: CANCEL goes out, and the callee's handler ends too."""
    media, states = Described("alice"), []

    async def handler(call):
        await call.ring()
        try:
            await asyncio.Event().wait()
        finally:
            states.append(call.state)

    async with two(transports) as (_, alice, bob):
        bob.on_call = handler
        task = asyncio.create_task(alice.call(BOB, media))
        await until(lambda: alice.calls and alice.calls[0].progress)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not bob.calls and not alice.calls)
    assert states == [CallState.ENDED] and media.log[-1] == "close"


async def test_step_by_step():
    async with two() as (_, alice, bob):
        bob.on_call = never
        call = await alice.invite(BOB, Described("alice"))
        assert call.state is CallState.CALLING
        assert (await call.ringing()).status == 180
        assert call.state is CallState.RINGING
        ending = await call.hang_up()
        assert (ending.status, ending.reason, ending.by) == (487, "cancelled", "us")
        with pytest.raises(CallFailed, match="cancelled"):
            await call.set_up()
        other = await alice.invite("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", Described("alice"))
        with pytest.raises(CallFailed, match="404"):
            await other.ringing()


async def test_a_challenged_call():
    async with two(core_settings={"policy": Policy(challenge_calls=True)}) as (_, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        assert call.state is CallState.CONFIRMED


# -- media that fail ------------------------------------------------------------------------------

NO_WAY = NetworkError("no way to there")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(media_module, "MEDIA_PATIENCE", 0.1)


@pytest.mark.parametrize("step", ["offer", "accept"])
@pytest.mark.parametrize(
    ("fault", "error", "why"),
    [
        (None, CallFailed, "the media did not come"),
        (NO_WAY, NetworkError, "no way"),
        (Malformed("x"), Malformed, "x"),
    ],
    ids=["never", "fails", "malformed"],
)
async def test_the_callers_media(impatient, step, fault, error, why):
    mine, theirs = Described("alice", **{step: fault}), Described("bob")
    async with two() as (_, alice, bob):
        bob.on_call = answering(theirs)
        with pytest.raises(error, match=why):
            await alice.call(BOB, mine)
        await until(lambda: not alice.calls and not bob.calls)
    assert mine.log[-1] == "close" and (not theirs.log or theirs.log[-1] == "close")


@pytest.mark.parametrize(
    ("fault", "status"),
    [(None, 603), (NO_WAY, 603), (Malformed("x"), 488)],
    ids=["never", "fails", "malformed"],
)
async def test_the_callees_media(impatient, fault, status):
    theirs = Described("bob", answer=fault)
    async with two() as (_, alice, bob):
        bob.on_call = answering(theirs)
        with pytest.raises(CallFailed) as caught:
            await alice.call(BOB, Described("alice"))
        assert caught.value.status == status
        await until(lambda: not bob.calls)
    assert theirs.log == ["answer sendrecv", "close"]


@pytest.mark.parametrize("fault", [None, NO_WAY], ids=["never", "fails"])
async def test_media_that_cannot_hold(impatient, fault):
    mine, theirs = Described("alice"), Described("bob")
    async with two() as (_, alice, bob):
        bob.on_call = answering(theirs)
        call = await alice.call(BOB, mine)
        theirs._fault["answer"] = fault
        with pytest.raises(CallFailed, match=r"refused \(488\)") as caught:
            await call.hold()
        assert caught.value.status == 488 and call.state is CallState.CONFIRMED
        theirs._fault.clear()
        await call.hold()


async def test_one_change_at_a_time_and_only_in_a_call():
    async with two() as (_, alice, bob):
        bob.on_call = never
        ringing = await alice.invite(BOB, Described("alice"))
        with pytest.raises(CallFailed, match="only an answered call"):
            await ringing.hold()
        await ringing.hang_up()
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        outcomes = await asyncio.gather(call.hold(), call.hold(), return_exceptions=True)
        assert [type(one) for one in outcomes] == [type(None), CallFailed]


# -- before the answer ----------------------------------------------------------------------------


async def test_early_media():
    mine, theirs = Described("alice"), Described("bob")
    answered = asyncio.Event()

    async def handler(call):
        await call.ring(183, media=theirs)
        await answered.wait()
        await call.answer(theirs)

    async with two() as (_, alice, bob):
        bob.on_call = handler
        task = asyncio.create_task(alice.call(BOB, mine, early_media=True))
        await until(lambda: "accept sendrecv" in mine.log)
        assert alice.calls[0].progress[0].early_media == "sendrecv"
        assert alice.calls[0].state is CallState.RINGING
        answered.set()
        call = await task
        assert call.state is CallState.CONFIRMED
    assert mine.log.count("accept sendrecv") == 1 and theirs.log.count("answer sendrecv") == 1


class Reserving(Described):
    """A caller whose access is not ready at first (RFC 3312)."""

    def _write(self, direction):
        status = "none" if self.version == 0 else "sendrecv"
        rows = [
            f"curr:qos local {status}",
            "curr:qos remote none",
            "des:qos mandatory local sendrecv",
            "des:qos mandatory remote sendrecv",
        ]
        return super()._write(direction) + "".join(f"a={row}\r\n" for row in rows).encode()


@pytest.mark.parametrize("ring", [True, False], ids=["rings", "answers at once"])
async def test_nobody_is_alerted_before_the_resources_are_there(ring):
    mine, theirs = Reserving("alice"), Described("bob")
    async with two() as (_, alice, bob):
        bob.on_call = answering(theirs, ring=ring)
        call = await alice.invite(BOB, mine)
        await until(lambda: any(progress.sdp for progress in call.progress))
        assert {progress.status for progress in call.progress} == {183} and "ringing" not in call.moments
        early = call.progress[-1].sdp
        assert b"a=conf:qos remote sendrecv\r\n" in early and b"a=curr:qos local sendrecv\r\n" in early
        alice.ue.update(call._machine, await mine.offer(), alice.clock())
        alice.step()
        await call.set_up()
        assert call.progress[-1].status == 180 and call.state is CallState.CONFIRMED
    assert theirs.log == ["answer sendrecv", "answer sendrecv", "close"]


# -- who goes away --------------------------------------------------------------------------------


@pytest.mark.parametrize("transports", MIXES[:4], ids="-".join)
async def test_a_core_that_is_killed_in_mid_call(transports):
    """Within the session interval over UDP, at once where there is a connection."""
    mine, theirs = Described("alice"), Described("bob")
    async with two(transports, times=SHORT) as (core, alice, bob):
        bob.on_call = answering(theirs)
        call = await alice.call(BOB, mine)
        (other,) = bob.calls
        core.close()
        async with asyncio.timeout(SHORT.session + 2):
            endings = await asyncio.gather(call.ended(), other.ended())
        assert all("gone" in ending.reason for ending in endings)
        assert alice.calls == bob.calls == []
    assert mine.log[-1] == theirs.log[-1] == "close"


async def test_a_peer_that_is_killed_in_mid_call():
    async with two(times=SHORT) as (_, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        bob._driver.close()  # no BYE: the power is gone
        async with asyncio.timeout(SHORT.session + 2):
            ending = await call.ended()
        assert "gone" in ending.reason


@pytest.mark.parametrize("transport", ["TCP", "WS"])
async def test_a_core_that_is_killed_while_it_rings(transport):
    media = Described("alice")
    async with two((transport, transport)) as (core, alice, bob):
        bob.on_call = never
        task = asyncio.create_task(alice.call(BOB, media))
        await until(lambda: alice.calls and alice.calls[0].progress)
        core.close()
        with pytest.raises(CallFailed, match=r"is not reachable|is gone"):
            await asyncio.wait_for(task, 5)
    assert media.log[-1] == "close"


async def test_a_hang_up_that_nobody_hears(monkeypatch):
    monkeypatch.setattr(call_module, "BYE_PATIENCE", 0.1)
    async with two() as (core, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        core.close()
        async with asyncio.timeout(2):
            ending = await call.hang_up()
        assert ending.by == "us" and await call.hang_up() == ending


async def test_a_terminal_that_closes_hangs_up_first():
    mine = Described("alice")
    async with two() as (_, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, mine)
        (other,) = bob.calls
        alice.close()
        assert call.ending.reason == "the terminal was closed"
        assert (await asyncio.wait_for(other.ended(), 5)).by == "peer"
        await call.ended()
        with pytest.raises(CallFailed, match="is ended"):
            await call.hold()
    assert mine.log[-1] == "close"


async def test_the_callee_hangs_up():
    async with two() as (_, alice, bob):
        bob.on_call = answering(Described("bob"))
        call = await alice.call(BOB, Described("alice"))
        await bob.calls[0].hang_up("the cake burns")
        ending = await asyncio.wait_for(call.ended(), 5)
        assert (ending.by, ending.reason) == ("peer", "the cake burns")


# -- messages, and many ---------------------------------------------------------------------------


async def test_messages():
    got = []
    async with two(on_message=got.append) as (_, alice, bob):
        await alice.message(BOB, "hello")
        await bob.message("tel:+15550100001", "and hello")
        with pytest.raises(CallFailed, match="no such user") as caught:
            await alice.message("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", "is there anybody")
        bob.on_message = None
        await alice.message(BOB, "nobody reads this")
        await until(lambda: len(got) == 2)
    assert [text.text for text in got] == ["hello", "and hello"]
    assert [text.sender for text in got] == [ALICE, BOB]
    assert caught.value.status == 404


async def test_a_message_under_way_when_the_terminal_closes():
    async with two() as (core, alice, bob):
        core.close()
        task = asyncio.create_task(alice.message(BOB, "hello"))
        await asyncio.sleep(0)
        alice.close()
        with pytest.raises(CallFailed, match="the terminal was closed"):
            await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("transports", MIXES[:3], ids="-".join)
async def test_twenty_calls_at_once(transports):
    async with two(transports) as (_, alice, bob):

        async def handler(call):
            await call.ring()
            await call.answer(Described("bob"))

        bob.on_call = handler
        calls = await asyncio.gather(*(alice.call(BOB, Described("alice")) for _ in range(20)))
        assert len(bob.calls) == 20
        endings = await asyncio.gather(*(call.hang_up() for call in calls))
        assert {ending.by for ending in endings} == {"us"}
        await until(lambda: not bob.calls)
