"""The same page in Debian's Firefox: it logs in, calls the robot and Chromium, and leaves."""

import asyncio

import pytest

from tests.browser import firefox
from tests.browser.chromium import call_state, dial, figures

pytestmark = [pytest.mark.component("chromium", "firefox"), pytest.mark.asyncio(loop_scope="session")]


async def state(page, wanted):
    await page.until(f"document.getElementById('status')?.dataset.state === '{wanted}'")


async def test_it_logs_in_and_calls(stage):
    async with firefox.launched() as page:
        await page.goto(stage.demo.page("alice"))
        await state(page, "ready")
        await page.evaluate("document.getElementById('login').click()")
        await state(page, "registered")
        assert "AKAv2" in await page.evaluate("document.getElementById('status-text').textContent")
        assert stage.demo.health()["registered"] == ["alice"]
        await page.until("document.querySelector('[data-meaning=RES] i') !== null")
        colours = "getComputedStyle(document.querySelector('[data-meaning=RES] i')).backgroundColor"
        assert await page.evaluate(colours) == "rgb(213, 94, 0)"

        bob = await stage.login("bob")
        await page.evaluate("document.querySelector('#contacts button').click()")
        await bob.wait_for_selector("#ringing[open]")
        await bob.click("#answer")
        await call_state(bob, "talking")
        await page.until("document.getElementById('call').dataset.state === 'talking'")
        seen = "Number(document.getElementById('figures').dataset.frames) > 5"
        await page.until(seen)
        async with asyncio.timeout(30):
            while (await figures(bob))[1] <= 5:
                await asyncio.sleep(0.1)
        await page.evaluate("document.getElementById('hangup').click()")
        await call_state(bob, "ended")

        await dial(bob, "alice")
        await page.until("document.getElementById('ringing').open")
        await page.evaluate("document.getElementById('answer').click()")
        await call_state(bob, "talking")
        await bob.click("#hangup")
        await page.until("document.getElementById('call').dataset.state === 'ended'")

        robot = "[...document.querySelectorAll('#contacts li')].at(-1).querySelector('button')"
        await page.evaluate(f"{robot}.click()")
        await page.until("document.getElementById('call').dataset.state === 'talking'")
        await page.until(seen)
        await page.evaluate("document.getElementById('hangup').click()")

        await page.evaluate("document.getElementById('logout').click()")
        await state(page, "ready")
        assert stage.demo.health()["registered"] == ["bob"]


async def test_the_card_is_pulled_out_and_the_core_goes_and_comes(stage):
    async with firefox.launched() as page:
        await page.goto(stage.demo.page("alice"))
        await state(page, "ready")
        await page.evaluate("document.getElementById('login').click()")
        await state(page, "registered")
        await stage.demo.stop_core()
        await state(page, "noNetwork")
        await stage.demo.start_core()
        await state(page, "registered")
        stage.demo.people["alice"].slot.pull()
        await state(page, "noCard")
        stage.demo.people["alice"].slot.insert()
        await state(page, "ready")
