"""SIPp 3.6.1 (Debian sip-tester) registers at our core, with the scenarios that the kit writes for it."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.ims import cx
from imslab.ims.node import Event, RandomSource
from imslab.ims.scscf import Policy
from imslab.interop import Target, sipp
from imslab.lab import Seeded
from imslab.net.core import Core
from tests.interop.subscribers import DOMAIN, K, NoZeroInRes, crowd, prepare, run, subscriber, target_of

LOCAL = "127.0.8.71"


@asynccontextmanager
async def running(
    random: RandomSource, policy: Policy | None = None, on_event: Callable[[Event], None] | None = None
) -> AsyncIterator[Core]:
    core = Core(host="127.0.8.21", port=0, websocket_port=0, random=random, policy=policy, on_event=on_event)
    await core.start()
    try:
        yield core
    finally:
        core.close()


def blocked(profile, target=None):
    return [limit.why for limit in sipp.limits(profile, target or Target()) if limit.blocks]


@pytest.mark.component("sipp")
@pytest.mark.parametrize("qop", ["auth", "auth,auth-int"])
@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_registers(tmp_path: Path, transport: str, qop: str) -> None:
    events: list[Event] = []
    async with running(NoZeroInRes("sipp"), Policy(qop=qop), events.append) as core:
        core.add([subscriber()])
        target = target_of(core, LOCAL)
        prepare(tmp_path, [subscriber()], target)
        outcome = await run(
            tmp_path, "register.xml", target, "-t", transport, "-r", "200", "-l", "20", calls=50
        )
    assert outcome[:3] == (50, 0, 0), outcome.output
    assert sum(event.what == "registered" for event in events) == 50


@pytest.mark.component("sipp")
async def test_a_thousand_subscribers_and_no_unexplained_failure(tmp_path: Path) -> None:
    """Each has a key of its own. Who had a zero octet in RES fails, as SIPp 3.6.1 does then; nobody else."""
    everybody, registered = crowd(1000), set()
    expected: dict[str, list[bytes]] = defaultdict(list)

    def happened(event: Event) -> None:
        if event.what == "registered":
            registered.add(event.about)

    async with running(Seeded("a thousand"), on_event=happened) as core:
        core.add(everybody)
        ask = core.hss.ask

        def asked(request: cx.Request, now: float) -> cx.Answer:
            answer = ask(request, now)
            if isinstance(answer, cx.MultimediaAuthAnswer) and answer.vector is not None:
                assert isinstance(request, cx.MultimediaAuthRequest)
                expected[request.impi].append(answer.vector.xres)
            return answer

        core.hss.ask = asked  # type: ignore[method-assign]
        target = target_of(core, LOCAL)
        prepare(tmp_path, everybody, target)
        outcome = await run(tmp_path, "register.xml", target, "-r", "400", "-l", "200", calls=1000)
    zero = {impi for impi, answers in expected.items() if any(0 in res for res in answers)}
    assert len(expected) == 1000 and 10 < len(zero) < 60  # 3.1 %
    assert (outcome.good, outcome.bad) == (1000 - len(zero), len(zero)), outcome.output
    assert len(registered) == 1000 - len(zero)
    assert not any(impi in about for about in registered for impi in zero)


@pytest.mark.component("sipp")
async def test_a_peer_that_takes_amf_from_its_configuration_fails_at_another_amf(tmp_path: Path) -> None:
    """FACTS A.6: SIPp computes XMAC with a configured AMF; with the wrong one it refuses our AUTN."""
    async with running(NoZeroInRes("amf")) as core:
        core.add([subscriber()])
        target = replace(target_of(core, LOCAL), amf=b"\x80\0")
        prepare(tmp_path, [subscriber()], target)
        outcome = await run(tmp_path, "register.xml", target, calls=3)
    assert outcome.status != 0 and outcome.good == 0


@pytest.mark.component("sipp")
@pytest.mark.parametrize("octets", ["5b", "00", "0a", "5c78"])
@pytest.mark.parametrize("what", ["k", "op"])
async def test_what_the_kit_says_that_sipp_cannot_take_it_does_not_take(
    tmp_path: Path, what: str, octets: str
) -> None:
    """With the scenarios of another subscriber, and these keys put into the file of values."""
    bad = bytes.fromhex(octets)
    value = (K[:7] + bad + K[7:])[:16]
    profile = subscriber(k=value) if what == "k" else subscriber(op=value)
    (why,) = blocked(profile)
    assert why.startswith(f"{what.upper()} holds an octet") and octets in why
    assert K.hex() not in why
    async with running(Seeded("broken")) as core:
        core.add([profile])
        target = target_of(core, LOCAL)
        prepare(tmp_path, [profile], target)
        outcome = await run(tmp_path, "register.xml", target, "-recv_timeout", "2000")
    assert outcome.good == 0 and outcome.status != 0


def test_what_it_needs_besides() -> None:
    assert blocked(subscriber()) == []
    assert blocked(replace(subscriber(), op=None, opc=K)) == [
        "it takes OP, and the profile has OPc alone (OP cannot be computed from it)"
    ]
    assert blocked(replace(subscriber(), op=None, algorithm="xor")) == ["it computes Milenage, not xor"]
    assert blocked(replace(subscriber(), impu=("tel:+15550100077",))) == [
        "no public identity is a plain SIP URI"
    ]
    assert "the private identity holds" in blocked(replace(subscriber(), impi="a b]@x"))[0]
    for amf, works in ((b"\0\0", True), (b"\x80\0", True), (b"\0\x80", False), (b"[\0", False)):
        assert (not blocked(subscriber(), Target(amf=amf))) is works


def test_the_file_of_subscribers() -> None:
    one = replace(subscriber(), impu=("tel:+15550100077", f"sip:sipp@{DOMAIN}"))
    head, first, second = sipp.subscribers([one, subscriber("other")], Target(amf=b"\x80\0")).splitlines()
    assert (head, second.split(";")[0]) == ("SEQUENTIAL", f"sip:other@{DOMAIN}")
    impu, user, domain, impi, credentials = first.split(";")
    assert (impu, user, domain, impi) == (f"sip:sipp@{DOMAIN}", "sipp", DOMAIN, f"sipp@{DOMAIN}")
    assert credentials.startswith(f"[authentication username={impi} aka_OP=0x8e27b6af")
    assert credentials.endswith("aka_K=0x8baf473f2f8fd09487cccbd7097c686200 aka_AMF=0x800000]")


def test_the_command_line_names_the_files_that_are_written() -> None:
    target = Target(pcscf="192.0.2.1", port=5070, local="192.0.2.2", callee="tel:+15550100002")
    written = sipp.files(subscriber(), target)
    assert set(written) == {*sipp.SCENARIOS, sipp.SUBSCRIBERS}
    assert "INVITE tel:+15550100002 SIP/2.0" in written["call.xml"] and "@CALLEE@" not in "".join(
        written.values()
    )
    line = " ".join(sipp.command("call.xml", DOMAIN, target, calls=7))
    assert line.startswith("sipp 192.0.2.1:5070 -sf call.xml -inf subscribers.csv -m 7 -i 192.0.2.2")
    assert line.replace("-m 7", "-m 1") in sipp.usage(subscriber(), target)
