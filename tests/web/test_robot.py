"""The robot: it answers each call with an echo and a picture, and sends text messages back."""

import asyncio

import numpy as np
import pytest

from imslab.data import profile_path
from imslab.lab import Seeded
from imslab.media import WebRtcEndpoint
from imslab.net.core import Core
from imslab.net.tap import Clock
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile
from imslab.web.robot import DELAY, LONGEST, Echo, Robot

CORE, ROBOT, ALICE = "127.0.8.21", "127.0.8.13", "127.0.8.11"


def test_an_echo_comes_back_half_a_second_later() -> None:
    echo = Echo()
    echo.hear(np.arange(1, 961, dtype=np.int16), 48_000)
    late = int(DELAY * 48_000)
    assert not echo.take(late).any()
    assert echo.take(960).tolist() == list(range(1, 961))
    assert not echo.take(100).any()  # nothing more: silence, and not an error


def test_an_echo_of_another_rate_lasts_as_long_as_it_was() -> None:
    echo = Echo()
    echo.hear(np.ones(80, np.int16), 8_000)
    echo.take(int(DELAY * 48_000))
    assert echo.take(1000).sum() == 480


def test_an_echo_that_nobody_fetches_is_bounded() -> None:
    echo = Echo()
    for _ in range(500):
        echo.hear(np.ones(960, np.int16), 48_000)
    assert len(echo._waiting) == int(LONGEST * 48_000)


@pytest.fixture
async def network():
    clock = Clock()
    core = Core(host=CORE, port=0, websocket_port=0, clock=clock)
    await core.start()
    alice = Profile.load(profile_path("alice"))
    robot = Robot(
        "carol",
        core.addresses["UDP"],
        host=ROBOT,
        card_host="127.0.8.113",
        random=Seeded("robot"),
        clock=clock,
    )
    core.add([alice, robot.profile])
    await robot.start()
    client, told = IsimClient(Card(alice)), asyncio.Queue()
    terminal = Terminal(
        client.read_profile(),
        client,
        core.addresses["UDP"],
        host=ALICE,
        clock=clock,
        on_message=told.put_nowait,
    )
    await terminal.register()
    try:
        yield robot, terminal, told
    finally:
        await terminal.aclose()
        await robot.close()
        core.close()
        await asyncio.sleep(0)


async def test_it_answers_with_what_it_hears_and_with_a_picture(network):
    robot, terminal, _ = network
    media = WebRtcEndpoint("alice", ALICE)
    call = await terminal.call(robot.profile.impu[0], media)
    await media.recorded(seconds=1.5, pictures=5)
    samples = media.sound.samples.astype(float)
    spectrum = np.abs(np.fft.rfft(samples[-24_000:]))
    heard = np.fft.rfftfreq(24_000, 1 / media.sound.rate)[spectrum.argmax()]
    from imslab.media import pitch

    assert heard == pytest.approx(pitch("alice"), abs=5)  # her own tone, not the robot's
    assert pitch("alice") != pytest.approx(pitch("carol"), abs=10)
    await call.hang_up()
    await robot.endpoints[-1].close()


async def test_a_voice_call_is_answered_with_voice(network):
    robot, terminal, _ = network
    media = WebRtcEndpoint("alice", ALICE, kinds=["audio"])
    call = await terminal.call(robot.profile.impu[0], media)
    assert b"m=video" not in call.remote
    await media.recorded(seconds=0.2)
    await call.hang_up()


async def test_a_text_message_comes_back(network):
    robot, terminal, told = network
    await terminal.message(robot.profile.impu[0], "hello")
    reply = await asyncio.wait_for(told.get(), 10)
    assert (reply.text, reply.sender) == ("You said: hello", robot.profile.impu[0])


async def test_it_is_closed_twice_and_leaves_nothing_running(network):
    robot, terminal, _ = network
    call = await terminal.call(robot.profile.impu[0], WebRtcEndpoint("alice", ALICE))
    await robot.close()
    await robot.close()
    await call.ended()
