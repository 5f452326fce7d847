"""The demo in Debian's Chromium: log in by one click, call, see and hear, hang up."""

import asyncio

import pytest

from tests.browser.chromium import call_state, dial, drawn, figures, state

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]


# The loudest sample of four seconds, from 0 to 1.
ENERGY = """async () => {
    const context = new AudioContext();
    await context.resume();
    const source = context.createMediaStreamSource(document.getElementById('remote').srcObject);
    const analyser = context.createAnalyser();
    source.connect(analyser);
    const data = new Float32Array(analyser.fftSize);
    let most = 0;
    for (const end = performance.now() + 4000; performance.now() < end && most < 0.01; ) {
        await new Promise((done) => setTimeout(done, 50));
        analyser.getFloatTimeDomainData(data);
        most = Math.max(most, ...data.map(Math.abs));
    }
    return most;
}"""


async def until(condition, seconds=20.0):
    """Wait until ``condition``, a coroutine function, is true."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.1)


async def test_one_click_logs_in_with_akav2_and_nothing_is_typed(stage):
    page = await stage.open("alice")
    assert await page.locator("input:visible").count() == 0  # no form
    assert await page.inner_text("#impi") == stage.demo.people["alice"].profile.impi
    await page.click("#login")
    await state(page, "registered")
    assert "AKAv2" in await page.inner_text("#status-text")
    assert stage.demo.health()["registered"] == ["alice"]
    registered = stage.demo.core.scscf.registrar.by_impi(stage.demo.people["alice"].profile.impi)
    assert registered is not None
    await page.click("#logout")
    await state(page, "ready")
    assert stage.demo.health()["registered"] == []
    assert stage.complaints == []


async def test_the_address_is_cleared_of_the_code_and_the_tab_stays_paired(stage):
    page = await stage.open("alice")
    assert "pair" not in page.url
    await page.reload()
    await state(page, "ready")


async def test_two_pages_call_each_other_with_sound_and_picture(stage):
    alice, bob = await stage.call()
    before = [await figures(page) for page in (alice, bob)]

    async def grown():
        after = [await figures(page) for page in (alice, bob)]
        return all(a > b + 20_000 and m > n + 15 for (a, m), (b, n) in zip(after, before, strict=True))

    await until(grown)
    for page in (alice, bob):
        # the browser sends 640 by 480, and less of both where the machine is too busy for that
        size = "(({videoWidth, videoHeight}) => [videoWidth, videoHeight])(document.getElementById('remote'))"
        width, height = await page.evaluate(size)
        assert width * 3 == height * 4 >= 480
        tracks = "document.getElementById('remote').srcObject.getTracks().map(t => t.kind + t.readyState)"
        assert sorted(await page.evaluate(tracks)) == ["audiolive", "videolive"]
        assert "SRTP" in await page.inner_text("#figures")
    await bob.click("#hangup")
    for page in (alice, bob):
        await call_state(page, "ended")
    assert "the other side hung up" in await alice.inner_text("#call-state")
    assert stage.complaints == []


async def test_nothing_is_asked_of_any_other_server(stage):
    await stage.call()
    origins = {url.split("/", 3)[2] for url in stage.requests}
    bridges = {person.bridge.url.split("/")[2] for person in stage.demo.people.values()}
    assert origins == {stage.demo.origin.split("/")[2], stage.demo.sip.split("/")[2], *bridges}
    cookies = [await context.cookies() for context in stage.contexts]
    assert cookies == [[], []]


async def test_sound_is_heard_and_not_silence(stage):
    """The fake device beeps: what comes out at the other end has energy."""
    alice, bob = await stage.call()
    for page in (alice, bob):
        assert await page.evaluate(ENERGY) > 0.01


async def test_the_robot_shows_a_clock_and_sends_back_what_it_hears(stage):
    alice = await stage.login("alice")
    await dial(alice, "carol")
    await call_state(alice, "talking")
    before = await figures(alice)

    async def grown():
        octets, frames = await figures(alice)
        return octets > before[0] + 20_000 and frames > before[1] + 15

    await until(grown)
    assert await alice.evaluate(ENERGY) > 0.01  # nothing but our own beep, on its way back
    await alice.click("#hangup")
    await call_state(alice, "ended")
    assert stage.complaints == []


async def test_mute_and_hold_and_both_sides_know(stage):
    alice, bob = await stage.call()
    await alice.click("#mute")
    assert await alice.get_attribute("#mute", "aria-pressed") == "true"
    await alice.click("#hold")
    await alice.wait_for_selector("#call-state:text('On hold')")
    await bob.wait_for_selector("#call-state:text('The other side put you on hold')")
    await bob.wait_for_timeout(1500)  # the figures are those of a second ago
    still = await figures(bob)
    await bob.wait_for_timeout(1500)
    assert (await figures(bob))[1] - still[1] < 10  # no pictures while on hold
    await alice.click("#hold")
    await bob.wait_for_selector("#call-state:text('In a call')")
    again = await figures(bob)

    async def moves():
        return (await figures(bob))[1] > again[1] + 10

    await until(moves)
    enabled = "client => document.getElementById('local').srcObject.getAudioTracks()[0].enabled"
    assert await alice.evaluate(enabled) is False  # still muted after the hold


async def test_voice_only(stage):
    alice, bob = await stage.login("alice"), await stage.login("bob")
    await dial(alice, "bob", "voice only")
    await bob.wait_for_selector("#ringing[open]")
    assert await bob.inner_text("#ringing-text") == "Voice only"
    await bob.click("#answer")
    for page in (alice, bob):
        await call_state(page, "talking")

    async def heard():
        return (await figures(alice))[0] > 5_000

    await until(heard)
    assert (await figures(alice))[1] == 0


async def test_a_video_call_can_be_answered_with_voice(stage):
    alice, bob = await stage.login("alice"), await stage.login("bob")
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")
    await bob.click("#answer-voice")
    for page in (alice, bob):
        await call_state(page, "talking")

    async def heard():
        return (await figures(alice))[0] > 5_000 and (await figures(bob))[0] > 5_000

    await until(heard)
    assert (await figures(alice))[1] == (await figures(bob))[1] == 0


async def test_declined_cancelled_and_busy(stage):
    alice, bob = await stage.login("alice"), await stage.login("bob")
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")
    await bob.click("#refuse")
    await call_state(alice, "ended")
    assert "declined" in await alice.inner_text("#call-state")
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")
    await alice.click("#hangup")
    await bob.wait_for_selector("#ringing:not([open])", state="attached")
    assert "missed" in await bob.inner_text("#call-state")
    # Somebody who is in a call is busy.
    second = await stage.open("alice", wait="notPaired", address=stage.demo.page("alice", paired=False))
    await second.fill("#code", stage.demo.people["alice"].bridge.pairing.code)
    await second.click("#pairing button")
    await state(second, "ready")
    await second.click("#login")
    await state(second, "registered")
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")
    await bob.click("#answer")
    await call_state(alice, "talking")
    await dial(second, "bob")
    await call_state(second, "ended")
    assert "busy" in await second.inner_text("#call-state")


async def test_an_unknown_number_and_a_person_who_is_away(stage):
    alice = await stage.login("alice")
    await alice.fill("#number", "nobody@ims.mnc001.mcc001.3gppnetwork.org")
    await alice.click("#dial button")
    await call_state(alice, "ended")
    assert "unknown number" in await alice.inner_text("#call-state")
    await dial(alice, "bob")
    await call_state(alice, "ended")
    assert "not reachable" in await alice.inner_text("#call-state")


async def test_text_messages_go_both_ways_and_are_shown_as_text(stage):
    alice, bob = await stage.login("alice"), await stage.login("bob")
    text = "<b>Grüße</b> & <img src=x onerror=alert(1)> 👋"
    await alice.fill("#text", text)
    await alice.click("#write button")
    await bob.wait_for_selector("#chat li")
    assert (await bob.inner_text("#chat li")).split("\n") == ["alice", text]
    assert await bob.locator("#chat img").count() == 0
    await bob.fill("#text", "hello")
    await bob.click("#write button")
    await alice.wait_for_selector("#chat li:not(.mine)")
    assert stage.complaints == []


async def test_a_message_that_cannot_be_delivered_is_kept_to_send_again(stage):
    alice = await stage.login("alice")
    await alice.fill("#text", "are you there?")
    await alice.click("#write button")
    await alice.wait_for_selector("#message-problem:not(:empty)")
    assert await alice.input_value("#text") == "are you there?"


async def test_the_ladder_shows_each_step_with_the_octets_in_their_colours(stage):
    page = await stage.login("alice")
    await drawn(page)
    labels = await page.locator("#rows .label").all_inner_texts()
    wanted = [
        "SELECT EF.IMPI",
        "READ BINARY",
        "REGISTER",
        "401 Unauthorized",
        "AUTHENTICATE",
        "RES, CK, IK",
        "200 OK",
    ]
    at = 0
    for label in wanted:
        at = labels.index(label, at)
    colour = "node => getComputedStyle(node).backgroundColor"
    cells = {
        meaning: (
            await page.locator(f"[data-meaning='{meaning}'] i").first.evaluate(colour),
            len(await page.locator(f"[data-meaning='{meaning}']").first.locator("i").all()),
        )
        for meaning in ("RAND", "SQN xor AK", "AMF", "MAC", "RES")
    }
    assert cells == {
        "RAND": ("rgb(86, 180, 233)", 16),
        "SQN xor AK": ("rgb(230, 159, 0)", 6),
        "AMF": ("rgb(240, 228, 66)", 2),
        "MAC": ("rgb(0, 158, 115)", 8),
        "RES": ("rgb(213, 94, 0)", 8),
    }
    await page.locator("summary.head", has_text="401").click()
    assert "WWW-Authenticate: Digest" in await page.inner_text("#rows details[open] pre")


async def test_the_profile_changes_over_the_air_while_the_page_is_open(stage):
    from imslab.uicc.ota import TAR_ISIM, command_packet, isim_update, seal

    page = await stage.open("alice")
    person = stage.demo.people["alice"]
    keys = person.profile.ota[0]
    impu = "sip:alice.new@ims.mnc001.mcc001.3gppnetwork.org"
    await person.ota(seal(command_packet(keys, TAR_ISIM, isim_update(impu=[impu]), 1), keys))
    await page.wait_for_selector(f"#impu:text('{impu}')")
    await person.provision(impu=(impu, *person.profile.impu[1:]))
    await page.click("#login")
    await state(page, "registered")
    registrar = stage.demo.core.scscf.registrar
    assert registrar.find(impu) is not None
