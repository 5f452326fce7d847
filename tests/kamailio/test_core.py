"""A real Kamailio: our UE registers and calls through P-, I- and S-CSCF, our HSS answers them over Cx."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

import imslab
from imslab.capture import open_capture
from imslab.errors import ImslabError, MacFailure, Malformed, NetworkError, RegistrationFailed
from imslab.ims.scscf import Policy
from imslab.ims.ue import State
from imslab.kamailio import Configuration, Kamailio, core
from imslab.media import pitch

pytestmark = pytest.mark.component("kamailio")


_COMPLAINTS = "_ws.malformed || diameter.avp.unknown || _ws.expert.severity >= 6291456"


async def lab_on_kamailio(*algorithms: str) -> imslab.Lab:
    policy = Policy(algorithms=algorithms) if algorithms else None
    lab = imslab.Lab(core="kamailio", seed="kamailio", policy=policy)
    await lab.start()
    return lab


@pytest.fixture
async def lab() -> AsyncIterator[imslab.Lab]:
    lab = await lab_on_kamailio()
    yield lab
    await lab.aclose()


async def test_logins_over_every_transport_and_everything_around_them(lab: imslab.Lab) -> None:
    for transport in ("UDP", "TCP", "WS"):
        login = await lab.alice.register("AKAv2-MD5", transport=transport)
        assert (login.result, login.algorithm) == ("registered", "AKAv2-MD5")
        assert login.challenge is not None and login.challenge.verified is True
        hops = {(event.source[0], event.destination[0]) for event in login.messages}
        names = {tuple(lab.capture.names[host] for host in hop) for hop in hops}
        assert names >= {
            ("alice", "p-cscf"),
            ("p-cscf", "i-cscf"),
            ("i-cscf", "s-cscf"),
            ("s-cscf", "i-cscf"),
        }
        assert [event.message.name for event in login.cx].count("MAR") == 1
        asks = {(lab.capture.names[e.source[0]], e.message.name) for e in login.cx if e.message.is_request}
        assert asks == {("i-cscf", "UAR"), ("s-cscf", "MAR"), ("s-cscf", "SAR")}
    # ck and ik stop at the P-CSCF
    alice = next(host for host, name in lab.capture.names.items() if name == "alice")
    challenges = [
        event for event in lab.capture.sip if not event.message.is_request and event.message.status == 401
    ]
    assert any(b"ck=" in bytes(event.message) for event in challenges)
    assert not any(b"ck=" in bytes(e.message) for e in challenges if e.destination[0] == alice)

    lab.core.hss.forget_sqn(lab.alice.card.profile.impi)
    late = await lab.alice.register("AKAv2-MD5", transport="UDP")
    assert late.resync and late.result == "registered"

    await lab.alice.deregister()
    assert lab.capture.logins[-1].result == "deregistered"


async def test_a_call_with_media_both_ways_and_a_message(lab: imslab.Lab) -> None:
    call = await lab.alice.call(lab.bob, media="rtp")
    await call.talk(0.3)  # type: ignore[attr-defined]
    heard = {name: end.sound.pitch for name, end in call.ends.items()}  # type: ignore[attr-defined]
    assert heard == {
        "alice": pytest.approx(pitch("bob"), abs=10),
        "bob": pytest.approx(pitch("alice"), abs=10),
    }
    await call.hang_up()
    assert call.record.state == "ended"
    assert {lab.capture.names[e.source[0]] for e in call.record.messages} >= {"p-cscf", "i-cscf", "s-cscf"}
    await lab.bob.message(lab.alice, "through Kamailio")
    assert [text.text for text in lab.alice.messages] == ["through Kamailio"]


async def test_who_is_not_let_in(lab: imslab.Lab) -> None:
    impi = lab.alice.card.profile.impi
    assert lab.alice.profile is not None
    lab.core.hss.add(replace(lab.alice.profile, k=bytes(16)))
    with pytest.raises(MacFailure):
        await lab.alice.register()
    lab.core.hss.add(lab.alice.profile)
    with pytest.raises(RegistrationFailed, match="not AKAv2-SHA-256"):
        await lab.alice.register("AKAv2-SHA-256")
    await lab.alice.register()
    terminal = lab.alice._terminal
    assert terminal is not None and terminal.ue is not None
    assert isinstance(lab.core, Kamailio)
    await lab.core.cx.terminate(impi)  # RTR: Kamailio answers it
    subscriber = lab.core.hss.subscriber(impi)
    assert subscriber is not None and subscriber.server == ""
    assert terminal.ue.state is State.REGISTERED  # nobody has told the UE: it did not subscribe


async def test_a_wrong_res_gets_403(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong RES gives a wrong password of RFC 4169, and Kamailio compares it with what our HSS gave."""
    lab = await lab_on_kamailio("AKAv2-MD5")
    try:
        assert lab.alice.profile is not None
        monkeypatch.setattr(lab.alice.card.client, "authenticate", _Card(lab))
        with pytest.raises(RegistrationFailed) as caught:
            await lab.alice.register()
        assert caught.value.status == 403
    finally:
        await lab.aclose()


class _Card:
    """A card whose RES is wrong."""

    def __init__(self, lab: imslab.Lab) -> None:
        self._right = lab.alice.card.client.authenticate

    def __call__(self, rand: bytes, autn: bytes) -> object:
        answer = self._right(rand, autn)
        return replace(answer, res=bytes(len(answer.res)))


async def test_an_s_cscf_that_was_restarted_takes_the_next_login(lab: imslab.Lab) -> None:
    await lab.alice.register()
    assert isinstance(lab.core, Kamailio)
    await lab.core.restart("scscf")
    again = await lab.alice.register()
    assert again.result == "registered"


@pytest.mark.component("tshark")
async def test_tshark_decodes_every_cx_message_of_ours(lab: imslab.Lab, tmp_path) -> None:
    """Kamailio's own SAR holds an AVP that tshark does not know (494 of vendor 4491): that is Kamailio's."""
    await lab.alice.register()
    path = lab.save(tmp_path / "cx.pcapng")
    hss = next(host for host, name in lab.capture.names.items() if name == "hss")
    names = [event.message.name for event in open_capture(path).cx_events]
    assert {"UAR", "UAA", "MAR", "MAA", "SAR", "SAA"} <= set(names)
    shown = subprocess.run(
        ["tshark", "-r", str(path), "-Y", f"diameter && ip.src == {hss} && ({_COMPLAINTS})",
         "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.strip() == ""


@pytest.mark.parametrize(
    ("kind", "port", "block"),
    [
        (socket.SOCK_DGRAM, "port", "127.0.71"),
        (socket.SOCK_STREAM, "port", "127.0.72"),
        (socket.SOCK_STREAM, "websocket_port", "127.0.73"),
    ],
    ids=["UDP", "TCP", "WS"],
)
async def test_an_address_at_which_somebody_else_answers_is_not_taken(
    kind: int, port: str, block: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((f"{block}.21", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        where = Configuration(f"{block}.21", f"{block}.25", f"{block}.31", f"{block}.41")
        taken = Kamailio(replace(where, trace=(f"{block}.1", 0), **{port: other.getsockname()[1]}))
        with pytest.raises(NetworkError, match=rf"{block}\.21.* is in use"):
            await taken.start()
        assert not taken._processes and not taken.cx.peers


async def test_nothing_is_left_of_a_core_that_was_stopped(lab: imslab.Lab) -> None:
    assert isinstance(lab.core, Kamailio)
    directory, processes = lab.core.directory, list(lab.core._processes.values())
    await lab.aclose()
    assert not directory.exists()
    assert all(process.returncode is not None for process in processes)
    with pytest.raises(ImslabError, match="the core is not running"):
        _ = lab.core


async def test_what_is_wrong_with_kamailio_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = await lab_on_kamailio()
    try:
        assert isinstance(one.core, Kamailio)
        second = Kamailio(one.core.configuration)
        with pytest.raises(NetworkError, match="in use"):
            await second.start()
    finally:
        await one.aclose()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "sudo apt install kamailio" in core.missing()
    with pytest.raises(NetworkError, match="kamailio is not installed"):
        await Kamailio().start()
    with pytest.raises(Malformed, match="unknown core 'asterisk'"):
        imslab.Lab(core="asterisk")
    await asyncio.sleep(0)
