"""The page with a keyboard, a screen reader, in a narrow window, in a dark room (axe-core; WCAG 2.2)."""

import pytest

from tests.browser.chromium import call_state, dial, drawn, state

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]

RUN = """async (exclude) => {
    const found = await axe.run({ exclude }, { resultTypes: ["violations"] });
    return found.violations
        .filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.fixture
def examine(library):
    source = library("axe-core/axe.min.js").read_text("utf-8")

    async def run(page, *, octets=False):
        await page.evaluate(source)
        return await page.evaluate(RUN, [] if octets else [".cells"])  # there are hundreds of them

    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_serious_finding_in_any_state(stage, examine, scheme):
    unpaired = await stage.open(
        "alice", wait="notPaired", address=stage.demo.page("alice", paired=False), color_scheme=scheme
    )
    assert await examine(unpaired) == []
    alice = await stage.open("alice", color_scheme=scheme)
    assert await examine(alice) == []
    await alice.click("#login")
    await state(alice, "registered")
    await alice.click("#settings summary")
    assert await examine(alice, octets=True) == []
    bob = await stage.login("bob", color_scheme=scheme)
    await dial(alice, "bob")
    await bob.wait_for_selector("#ringing[open]")
    assert await examine(bob) == []
    await bob.click("#answer")
    await call_state(alice, "talking")
    await alice.fill("#text", "hello")
    await alice.click("#write button")
    await bob.wait_for_selector("#chat li")
    for page in (alice, bob):
        assert await examine(page) == []
    await stage.demo.stop_core()
    await state(alice, "noNetwork")
    stage.demo.people["bob"].slot.pull()
    await state(bob, "noCard")
    for page in (alice, bob):
        assert await examine(page) == []


async def test_health_page(stage, examine):
    page = await stage.open("alice", address=f"{stage.demo.origin}/health", wait="")
    assert await examine(page) == []


async def test_everything_can_be_done_with_the_keyboard(stage):
    alice, bob = await stage.open("alice"), await stage.login("bob")

    async def tab_to(page, name, most=40):
        for _ in range(most):
            await page.keyboard.press("Tab")
            focused = await page.evaluate(
                "(({ ariaLabel, textContent }) => [ariaLabel, textContent])(document.activeElement)"
            )
            if name in focused:
                return
        raise AssertionError(f"{name} is out of reach: {focused}")

    await tab_to(alice, "Log in")
    await alice.keyboard.press("Enter")
    await state(alice, "registered")
    await tab_to(alice, "Call bob with video")
    await alice.keyboard.press("Enter")
    await bob.wait_for_selector("#ringing[open]")
    await bob.keyboard.press("Escape")
    assert await bob.is_visible("#ringing[open]")  # Escape neither answers nor declines
    assert await bob.evaluate("document.activeElement.id") == "answer"
    await bob.keyboard.press("Enter")
    await call_state(alice, "talking")
    await tab_to(alice, "Hang up")
    await alice.keyboard.press("Space")
    await call_state(bob, "ended")


async def test_what_changes_is_announced(stage):
    page = await stage.open("alice")
    tree = await page.locator("#status [role=status]").aria_snapshot()
    assert "Ready to log in" in tree
    assert await page.get_attribute("#status [role=status]", "aria-live") == "polite"
    await page.click("#login")
    await state(page, "registered")
    assert "You are logged in" in await page.locator("#status [role=status]").aria_snapshot()
    await drawn(page)
    ladder = await page.locator("#rows").aria_snapshot()
    assert "page to network" in ladder and "card to page" in ladder


@pytest.mark.parametrize("width", [360, 640, 1024, 1600])
async def test_no_window_is_too_narrow(stage, width):
    page = await stage.login("alice", viewport={"width": width, "height": 800})
    await page.click("#settings summary")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    cut = await page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, h2")]
            .filter((one) => one.checkVisibility())
            .filter((one) => { const box = one.getBoundingClientRect();
                return box.left < -1 || box.right > innerWidth + 1; })
            .map((one) => one.outerHTML)"""
    )
    assert cut == []
