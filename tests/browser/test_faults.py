"""What goes wrong while pages are open: a page says so, and recovers; nothing registers without the card."""

import asyncio
import re

import pytest

from imslab.ims.scscf import Policy
from imslab.web.middle import (
    Middle,
    ReplayFirst,
    forge_autn,
    no_challenge,
    only_akav1,
    wrong_rspauth,
)
from tests.browser import chromium
from tests.browser.chromium import call_state, dial, state

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def registered(stage):
    return stage.demo.health()["registered"]


async def restart_bridge(stage, name="alice"):
    person = stage.demo.people[name]
    await person.start_bridge(person.bridge.address.port)


async def test_no_bridge_and_then_there_is_one(stage):
    person = stage.demo.people["alice"]
    await person.bridge.close()
    page = await stage.open("alice", wait="noBridge")
    assert person.bridge.url in await page.inner_text("#status-text")
    assert not await page.is_visible("#login")
    await restart_bridge(stage)
    await state(page, "ready")
    await page.click("#login")
    await state(page, "registered")


async def test_the_bridge_is_killed_and_started_again_while_a_page_is_logged_in(stage):
    page = await stage.login("alice")
    await stage.demo.people["alice"].bridge.close()
    await page.wait_for_selector("#notice:visible")
    assert "bridge is gone" in await page.inner_text("#notice")
    assert registered(stage) == ["alice"]
    await restart_bridge(stage)
    # It is paired still, and finds the card by itself: the next login needs it.
    await page.click("#logout")
    await state(page, "ready")
    await page.click("#login")
    await state(page, "registered")


async def test_without_the_bridge_nothing_registers(stage):
    page = await stage.open("alice")
    await page.evaluate("document.getElementById('login').disabled = false")
    await stage.demo.people["alice"].bridge.close()
    await state(page, "noBridge")
    assert not await page.is_visible("#login")
    await page.evaluate("document.getElementById('login').onclick()")
    await state(page, "noBridge")
    assert registered(stage) == []


async def test_the_core_is_killed_and_started_again(stage):
    alice, bob = await stage.call()
    await stage.demo.stop_core()
    for page in (alice, bob):
        await state(page, "noNetwork")
        await call_state(page, "ended")
        assert "connection" in await page.inner_text("#status-title")
    await stage.demo.start_core()
    assert registered(stage) == []
    for page in (alice, bob):
        await state(page, "registered", timeout=40_000)
    # A core without a memory has forgotten the SQN: the cards made it catch up.
    assert sorted(registered(stage)) == ["alice", "bob"]
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")


async def test_the_core_is_not_there_when_login_is_clicked(stage):
    page = await stage.open("alice")
    await stage.demo.stop_core()
    await page.click("#login")
    await state(page, "noNetwork")
    assert "Nobody answers" in await page.inner_text("#status-text")
    await stage.demo.start_core()
    await page.click("#login")
    await state(page, "registered")


async def test_the_card_is_pulled_out(stage):
    page = await stage.login("alice")
    person = stage.demo.people["alice"]
    person.slot.pull()
    await state(page, "noCard")
    assert not await page.is_visible("#login")
    connected = stage.demo.core.pcscf.associations
    await until(lambda: not [one for one in connected if one.transport == "WS"])
    await page.evaluate("document.getElementById('login').onclick()")
    await page.wait_for_timeout(300)
    assert await page.get_attribute("#status", "data-state") == "noCard"
    person.slot.insert()
    await state(page, "ready")  # and not logged in: that is for the person to say
    await page.click("#login")
    await state(page, "registered")


async def test_the_card_is_pulled_out_in_mid_call(stage):
    alice, bob = await stage.call()
    stage.demo.people["alice"].slot.pull()
    await state(alice, "noCard")
    await call_state(alice, "ended")
    await call_state(bob, "ended")


async def test_no_card_when_the_page_opens(stage):
    stage.demo.people["alice"].slot.pull()
    await stage.demo.people["alice"].bridge.look()
    page = await stage.open("alice", wait="noCard")
    stage.demo.people["alice"].slot.insert()
    await state(page, "ready")


async def test_two_logins_at_once(stage):
    """A double click, and two tabs of one subscriber at the same moment: each registers once."""
    first = await stage.open("alice")
    second = await stage.open("alice")
    click = "() => { const b = document.getElementById('login'); b.onclick(); b.onclick(); }"
    await asyncio.gather(first.evaluate(click), second.evaluate(click))
    for page in (first, second):
        await state(page, "registered")
        await chromium.drawn(page)
        registers = await page.locator("#rows .right .label", has_text=re.compile("^REGISTER$")).count()
        assert registers in (2, 3)  # 3 where the other one's challenge came first, and AUTS mended it
    profile = stage.demo.people["alice"].profile
    assert len(stage.demo.core.scscf.registrar.by_impi(profile.impi).bindings) == 2


async def with_man(stage, change=str, **settings):
    man = Middle(stage.demo, change)
    return await stage.open("alice", before=man.sit_down, **settings), man


async def test_malformed_messages_are_dropped_and_said(stage):
    page, man = await with_man(stage)
    await page.click("#login")
    await state(page, "registered")
    for broken in (
        "x",
        "SIP/2.0 200 OK\r\n\r\n",
        "INVITE sip:a SIP/2.0\r\nVia: x\r\n",
        "\0" * 100,
        "A" * 70_000,
    ):
        man.send(broken)
        await page.wait_for_selector("#notice:visible")
        assert "breaks the grammar" in await page.inner_text("#notice")
    man.send(b"\xff\xfe\x00")
    man.send(b"\r\n")
    assert await page.get_attribute("#status", "data-state") == "registered"
    await page.click("#logout")
    await state(page, "ready")
    assert [one for one in stage.complaints if "WebSocket" not in one] == []


async def test_requests_that_fit_nowhere_get_an_answer(stage):
    page, man = await with_man(stage)
    await page.click("#login")
    await state(page, "registered")
    await page.wait_for_selector("#rows .label:text('NOTIFY')", state="attached")  # nothing is under way
    await chromium.until(page, "document.querySelectorAll('#rows .sip.right').length >= 4")
    head = (
        "Via: SIP/2.0/WS p;branch=z9hG4bK{n}\r\nFrom: <sip:x@y>;tag=1\r\n"
        "To: <sip:a@b>{tag}\r\nCall-ID: {n}\r\n"
    )
    labels = "[...document.querySelectorAll('#rows .sip.right .label')]"
    said = f"{labels}.map((one) => one.textContent.slice(0, 3))"
    cases = {
        "BYE": (";tag=2", "481"), "CANCEL": ("", "481"), "INFO": ("", "405"), "OPTIONS": ("", "200"),
        "INVITE": ("", "488"), "MESSAGE": ("", "415"),
    }  # fmt: skip
    before = len(await page.evaluate(said))
    wanted = [status for _, status in cases.values()]
    for n, (method, (tag, _)) in enumerate(cases.items()):
        rows = head.format(n=n, tag=tag)
        man.send(f"{method} sip:a SIP/2.0\r\n{rows}CSeq: 1 {method}\r\n\r\n")
    await chromium.until(page, f"{said}.length >= {before + len(cases)}")
    assert sorted((await page.evaluate(said))[before:]) == sorted(wanted)


async def test_a_forged_autn_is_refused_by_the_card(stage):
    page, _ = await with_man(stage, forge_autn)
    await page.click("#login")
    await state(page, "unproven")
    assert "could not prove itself" in await page.inner_text("#status-title")
    await chromium.drawn(page)
    assert "MAC wrong" in await page.inner_text("#rows")
    assert await page.locator("[data-meaning=RES]").count() == 0
    assert registered(stage) == []


async def test_a_replayed_challenge_is_answered_with_auts(stage):
    """The man keeps the first 401 and plays it again at the next login: the card asks to resynchronise."""
    page, _ = await with_man(stage, ReplayFirst())
    await page.click("#login")
    await state(page, "registered")
    await page.click("#logout")
    await state(page, "ready")
    await page.click("#login")
    await state(page, "registered")
    await chromium.drawn(page)
    assert "AUTS: the number is not fresh" in await page.inner_text("#rows")


async def test_a_downgrade_to_akav1_is_refused_until_the_person_allows_it(stage):
    page, _ = await with_man(stage, only_akav1)
    await page.click("#login")
    await state(page, "downgrade")
    assert "AKAv1-MD5" in await page.inner_text("#status-text")
    await chromium.drawn(page)
    assert "AUTHENTICATE" not in await page.inner_text("#rows")  # the card was not even asked
    await page.click("#settings summary")
    await page.check("#allow-v1")
    await page.click("#login")
    await state(page, "registered")
    assert "AKAv1-MD5" in await page.inner_text("#status-text")


async def test_a_network_that_asks_nothing_is_not_believed(stage):
    page, _ = await with_man(stage, no_challenge)
    await page.click("#login")
    await state(page, "unproven")


async def test_a_wrong_rspauth_is_not_believed(stage):
    page, _ = await with_man(stage, wrong_rspauth)
    await page.click("#login")
    await state(page, "unproven")


async def test_a_network_that_refuses(stage):
    impostor = stage.demo.people["alice"]
    await impostor.provision(k=bytes(16))
    page = await stage.open("alice")
    await page.click("#login")
    await state(page, "unproven")  # the card notices first
    await impostor.provision(impu=("sip:somebody.else@ims.mnc001.mcc001.3gppnetwork.org",))
    await page.click("#login")
    await state(page, "refused")
    assert "403" in await page.inner_text("#status-text")


async def test_a_registration_that_the_network_ends_is_made_again(browser):
    policy = Policy(min_expires=1, max_expires=4)
    events = []
    async with chromium.staged(browser, policy=policy, robot=None, on_event=events.append) as stage:
        page = await stage.open("alice", clock=True)
        await page.click("#login")
        await state(page, "registered")
        await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 0.5"))  # no timer renews it
        await until(lambda: any(event.what == "registration expired" for event in events))
        await page.clock.run_for(500)
        await page.wait_for_selector("#rows .note", timeout=15_000)
        assert "ended your registration" in await page.inner_text("#rows .note")
        await until(lambda: registered(stage) == ["alice"])


async def test_a_laptop_that_slept_finds_a_dead_connection_and_logs_in_again(stage):
    page, man = await with_man(stage, clock=True)
    await page.click("#login")
    await state(page, "registered")
    man.silent = True
    await page.clock.fast_forward("00:30")  # the lid was shut; the network has let go of the connection
    await page.clock.run_for(5_500)
    await state(page, "noNetwork")
    man.silent = False
    await page.clock.run_for(2_000)
    await state(page, "registered")
    assert "slept" in await page.inner_text("#rows")


async def test_a_laptop_that_slept_for_too_long_has_to_log_in_again(stage):
    page, man = await with_man(stage, clock=True)
    await page.click("#login")
    await state(page, "registered")
    man.silent = True
    await page.clock.fast_forward(200 * 3600 * 1000)
    await page.clock.run_for(60_000)
    await chromium.until(
        page, "['expired', 'noNetwork'].includes(document.getElementById('status').dataset.state)"
    )
    man.silent = False
