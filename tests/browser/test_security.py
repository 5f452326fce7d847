"""Who may not use the card, although the browser lets him try: other origins, names, tokens, handles."""

from contextlib import asynccontextmanager

import pytest

from imslab.ims.http import Response
from imslab.net.http import HttpServer
from imslab.net.tap import Clock
from tests.browser import chromium
from tests.browser.chromium import state

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]

TRY = """async ([module, url, token, steps]) => {
    const { SEService } = await import(module);
    try {
        const service = await SEService.connect(url);
        if (token !== null) await service.resume(token);
        return await eval(steps)(service);
    } catch (error) { return `${error.name}: ${error.message}`; }
}"""
OPEN = """async (service) => {
    const [reader] = await service.getReaders();
    const session = await reader.openSession();
    const channel = await session.openLogicalChannel(Uint8Array.from([0xa0, 0, 0, 0, 0x87, 0x10, 4]));
    return channel.handle;
}"""


@asynccontextmanager
async def evil(text="<title>evil</title>"):
    """Another web server, that serves one page."""
    body = text.encode()
    headers = (("Content-Type", "text/html"), ("Content-Length", str(len(body))))
    server = HttpServer(
        lambda request, now: Response(200, headers=headers, body=body), host="127.0.0.1", clock=Clock()
    )
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.address.port}"
    finally:
        server.close()


def module(stage):
    return f"{stage.demo.origin}/alice/client/secure-element.js"


async def tried(page, stage, token, steps="async () => 'in'"):
    url = stage.demo.people["alice"].bridge.url
    # eval is for the test's own words only: the page's policy forbids it, so it runs in an isolated page.
    return await page.evaluate(TRY, [module(stage), url, token, steps])


async def token_of(page):
    return await page.evaluate("sessionStorage.getItem('bridge token of alice')")


async def loose(stage, name="alice"):
    """Open alice's page without its Content-Security-Policy: the tests bring scripts of their own."""
    context = await stage.browser.new_context(bypass_csp=True)
    stage.contexts.append(context)
    page = await context.new_page()
    await page.goto(stage.demo.page(name))
    await state(page, "ready")
    return page


async def test_another_origin_does_not_get_in_even_with_a_stolen_token(stage):
    page = await stage.open("alice")
    stolen = await token_of(page)
    assert stolen
    async with evil() as address:
        thief = await (await stage.browser.new_context(bypass_csp=True)).new_page()
        await thief.goto(address)
        url = stage.demo.people["alice"].bridge.url
        try_it = """(url) => new Promise((done) => {
            const socket = new WebSocket(url, "imslab-secure-element");
            socket.onopen = () => done("open");
            socket.onclose = (event) => done(`closed ${event.code}`);
        })"""
        assert await thief.evaluate(try_it, url) == "closed 1006"
        assert await thief.evaluate(try_it, stage.demo.sip) == "closed 1006"  # nor the network
        await thief.context.close()
    log = stage.demo.people["alice"].bridge.audit.entries
    assert (log[-1].origin, log[-1].what) == (address, "connect")
    assert "may not use the card" in log[-1].outcome


async def test_a_page_of_the_right_origin_needs_a_token(stage):
    page = await loose(stage)
    assert await tried(page, stage, "") == "NotPaired: this is no token of a bridge"
    assert (await tried(page, stage, "A" * 75)).startswith("NotPaired")
    assert (await tried(page, stage, None, OPEN)).startswith("NotPaired")
    assert await tried(page, stage, await token_of(page)) == "in"


async def test_bobs_bridge_does_not_take_alices_token(stage):
    page = await loose(stage)
    url = stage.demo.people["bob"].bridge.url
    said = await page.evaluate(TRY, [module(stage), url, await token_of(page), OPEN])
    assert said.startswith("NotPaired")


async def test_a_stolen_channel_number_is_of_no_use(stage):
    victim, thief = await loose(stage), await loose(stage)
    handle = await tried(victim, stage, await token_of(victim), OPEN)
    assert len(handle) == 32
    use = f"""async (service) => (await service.ask("transmit", {{
        channel: "{handle}", command: "00b0000000" }})).response"""
    assert await tried(thief, stage, await token_of(thief), use) == "Unknown: this page has no such channel"


async def test_a_page_that_floods_the_bridge_is_cut_off_and_others_go_on(stage):
    good, flooder = await stage.open("alice"), await loose(stage)
    flood = """async (service) => {
        const closed = new Promise((done) => service.addEventListener("close", () => done("cut off")));
        for (let i = 0; i < 5000; i++) service.ask("hello").catch(() => {});
        return closed;
    }"""
    assert await tried(flooder, stage, await token_of(flooder), flood) == "cut off"
    assert any(entry.what == "flood" for entry in stage.demo.people["alice"].bridge.audit.entries)
    await good.click("#login")
    await state(good, "registered")


async def test_a_name_that_is_rebound_to_this_machine_is_no_good():
    async with (
        chromium.launched("--host-resolver-rules=MAP evil.test 127.0.0.1") as browser,
        chromium.staged(browser, robot=None) as stage,
    ):
        context = await browser.new_context(bypass_csp=True)
        page = await context.new_page()
        port = stage.demo.origin.rpartition(":")[2]
        answer = await page.goto(f"http://evil.test:{port}/alice")
        assert answer.status == 421
        bridge = stage.demo.people["alice"].bridge
        connect = """(url) => new Promise((done) => {
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onclose = () => done("closed");
        })"""
        assert await page.evaluate(connect, bridge.url.replace("127.0.0.1", "evil.test")) == "closed"
        assert "Host" in bridge.audit.entries[-1].outcome
        await context.close()


async def test_what_the_policy_of_the_page_forbids(stage):
    page = await stage.open("alice")
    violations = await page.evaluate(
        """async () => {
            const seen = [];
            const note = (event) => seen.push(event.effectiveDirective);
            document.addEventListener("securitypolicyviolation", note);
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            const image = new Image();
            image.src = "http://127.0.0.1:9/x.png";
            await fetch("http://127.0.0.1:9/").catch(() => {});
            await new Promise((done) => setTimeout(done, 200));
            return [...seen, window.injected === undefined];
        }"""
    )
    assert sorted(violations[:-1]) == ["connect-src", "img-src", "script-src-elem"]
    assert violations[-1] is True


async def test_no_other_page_can_frame_it(stage):
    async with evil(f"<iframe src='{stage.demo.origin}/alice' width=600 height=600></iframe>") as address:
        context = await stage.browser.new_context()
        page = await context.new_page()
        await page.goto(address)
        await page.wait_for_timeout(500)
        assert await page.frames[1].evaluate("document.getElementById('login')") is None
        await context.close()


async def test_in_the_second_mode_a_script_in_the_page_finds_no_keys(browser):
    """It logs in all the same; RES, CK and IK never reach the page."""
    async with chromium.staged(browser, mode="answer", robot=None) as stage:
        page = await stage.login("alice")
        card = stage.demo.people["alice"].element
        await chromium.drawn(page)
        assert "AUTHENTICATE" not in await page.inner_text("#rows")
        assert await page.locator("[data-meaning=RES]").count() == 0
        assert "answer this challenge" in await page.inner_text("#rows")
        assert card.power_ups == 1
        script = await loose(stage)
        ask = """async (service) => {
            const [reader] = await service.getReaders();
            const session = await reader.openSession();
            const aid = Uint8Array.from([0xa0, 0, 0, 0, 0x87, 0x10, 4]);
            const channel = await session.openLogicalChannel(aid);
            const sixteen = [16, ...Array(16)];
            const command = [0, 0x88, 0, 0x81, 34, ...sixteen, ...sixteen, 0];
            return channel.transmit(Uint8Array.from(command));
        }"""
        assert (await tried(script, stage, await token_of(script), ask)).startswith("AccessDenied")
