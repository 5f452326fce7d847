"""JsSIP, a client that we did not write, at our core: with a password, with a token, and with the card."""

import pytest

from imslab.web.authorisation import Authorisation
from tests.browser import chromium
from tests.browser.chromium import call_state, dial, state
from tests.browser.commonjs import bundle

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "Circle of Life"

START = """async ({ sip, profile, more }) => {
    const socket = new JsSIP.WebSocketInterface(sip);
    const ua = new JsSIP.UA({
        sockets: [socket], uri: profile.impu[0], authorization_user: profile.impi,
        registrar_server: `sip:${profile.domain}`, register_expires: 600, session_timers: false, ...more });
    window.ua = ua;
    window.events = [];
    ua.on("newRTCSession", ({ session, originator }) => {
        window.session = session;
        for (const name of ["progress", "accepted", "confirmed", "ended", "failed"])
            session.on(name, (data) => window.events.push(`${name} ${data?.cause ?? ""}`.trim()));
        if (originator === "remote") session.answer({ mediaConstraints: { audio: true, video: true },
                                                      pcConfig: { iceServers: [] } });
    });
    const outcome = new Promise((done) => {
        ua.on("registered", ({ response }) => done(`registered ${response.status_code}`));
        const failed = ({ response, cause }) => done(`failed ${response?.status_code} ${cause}`);
        ua.on("registrationFailed", failed);
    });
    ua.start();
    return outcome;
}"""

# What JsSIP lacks: another digest than MD5, an answer that takes time, more than one challenge.
WITH_CARD = """async ({ client, bridge, token, profile }) => {
    const { SEService } = await import(`${client}/secure-element.js`);
    const { ISIM, IsimClient } = await import(`${client}/isim.js`);
    const { CardCredentials } = await import(`${client}/credentials.js`);
    const { parseChallenge } = await import(`${client}/sip-message.js`);
    const service = await SEService.connect(bridge);
    await service.resume(token);
    const [reader] = await service.getReaders();
    const isim = new IsimClient(await (await reader.openSession()).openLogicalChannel(ISIM));
    const card = new CardCredentials(await isim.readProfile(), () => isim);
    const plain = JsSIPRequestSender.prototype._receiveResponse;
    JsSIPRequestSender.prototype._receiveResponse = async function (response) {
        if (response.status_code !== 401 || this.asked > 2) return plain.call(this, response);
        this.asked = (this.asked ?? 0) + 1;
        const offered = response.getHeaders("WWW-Authenticate").map(parseChallenge);
        const [name] = card.prefer.filter((one) => offered.some(({ algorithm }) => algorithm === one));
        const challenge = offered.find(({ algorithm }) => algorithm === name);
        const asked = { method: this._method, uri: `sip:${profile.domain}` };
        const { authorization } = await card.answer(challenge, asked);
        this._request = this._request.clone();
        this._request.cseq += 1;
        this._request.setHeader("cseq", `${this._request.cseq} ${this._method}`);
        this._request.setHeader("authorization", authorization);
        this._eventHandlers.onAuthenticated(this._request);
        this.send();
    };
}"""


@pytest.fixture
def script(library):
    root = library("jssip/lib/JsSIP.js").parents[2]
    return bundle(root, JsSIP="jssip", JsSIPRequestSender="jssip/lib/RequestSender.js")


class Foreign:
    """A page of the right origin that runs JsSIP in place of our client."""

    def __init__(self, stage, page, name):
        self.stage, self.page, self.name = stage, page, name
        self.profile = dict(stage.demo.people[name].settings()["profile"])

    async def start(self, **more):
        given = {"sip": f"{self.stage.demo.sip}/{self.name}", "profile": self.profile, "more": more}
        return await self.page.evaluate(START, given)

    async def event(self, name):
        await chromium.until(self.page, f"window.events.some((one) => one.startsWith('{name}'))")


async def foreign(stage, script, name="alice"):
    context = await stage.browser.new_context(bypass_csp=True)
    stage.contexts.append(context)
    page = await context.new_page()
    await page.goto(f"{stage.demo.origin}/health")
    await page.evaluate(script)
    return Foreign(stage, page, name)


@pytest.fixture
def with_passwords(browser):
    return lambda: chromium.staged(browser, passwords={"alice": PASSWORD}, robot=None)


async def test_sip_digest_without_a_change(with_passwords, script):
    async with with_passwords() as stage:
        client = await foreign(stage, script)
        assert await client.start(password="wrong") == "failed 403 Rejected"
        client = await foreign(stage, script)
        assert await client.start(password=PASSWORD) == "registered 200"
        assert stage.demo.health()["registered"] == ["alice"]


async def test_a_token_of_the_web_server(with_passwords, script):
    async with with_passwords() as stage:
        assert isinstance(stage.demo.authorisation, Authorisation)
        client = await foreign(stage, script)
        token = stage.demo.authorisation.issue("alice", PASSWORD, stage.demo.clock())
        bearer = f'Bearer access_token="{token}"'
        assert await client.start(authorization_jwt=bearer) == "registered 200"


async def test_aka_with_the_card_through_our_secure_element_api(stage, script):
    person = stage.demo.people["alice"]
    client = await foreign(stage, script)
    token = person._pairing.redeem(person._pairing.code, stage.demo.origin, stage.demo.clock())
    client_url = f"{stage.demo.origin}/alice/client"
    given = {"client": client_url, "bridge": person.bridge.url, "token": token, "profile": client.profile}
    await client.page.evaluate(WITH_CARD, given)
    assert await client.start(password="JsSIP wants one") == "registered 200"
    what = [entry.what for entry in person.bridge.audit.entries]
    assert "AUTHENTICATE (3G)" in what
    # ... and it calls our page, with sound and picture both ways.
    bob = await stage.login("bob")
    call = """() => void ua.call("sip:bob@ims.mnc001.mcc001.3gppnetwork.org", {
        mediaConstraints: { audio: true, video: true }, pcConfig: { iceServers: [] } })"""
    await client.page.evaluate(call)
    await bob.wait_for_selector("#ringing[open]")
    await bob.click("#answer")
    await call_state(bob, "talking")
    await client.event("confirmed")
    await chromium.until(bob, "Number(document.getElementById('figures').dataset.frames) > 5")
    came = """async () => { for (;;) {
        const all = [...(await session.connection.getStats()).values()];
        const video = all.find((one) => one.type === "inbound-rtp" && one.kind === "video");
        if (video?.framesDecoded > 5) return video.framesDecoded;
        await new Promise((done) => setTimeout(done, 100));
    } }"""
    assert await client.page.evaluate(came) > 5
    await bob.click("#hangup")
    await client.event("ended")
    # ... and our page calls it.
    await dial(bob, "alice")
    await call_state(bob, "talking")
    await client.page.evaluate("session.terminate()")
    await call_state(bob, "ended")


async def test_our_page_logs_in_in_all_three_ways(with_passwords):
    async with with_passwords() as stage:
        page = await stage.open("alice")
        await page.click("#settings summary")
        for way, word, shown in (
            ("card", None, "AKAv2-SHA-256"),
            ("password", PASSWORD, "with MD5"),
            ("token", PASSWORD, "a token of the web server"),
        ):
            await page.check(f"[name=way][value={way}]")
            if word:
                await page.fill("#password", word)
            await page.click("#login")
            await state(page, "registered")
            assert shown in await page.inner_text("#status-text")
            await page.click("#logout")
            await page.wait_for_selector("#status:not([data-state=leaving])")
        for way in ("password", "token"):
            await page.check(f"[name=way][value={way}]")
            await page.fill("#password", "wrong")
            await page.click("#login")
            await state(page, "refused")
        assert stage.demo.health()["registered"] == []


async def test_without_a_card_a_password_is_enough_and_that_is_the_point(with_passwords):
    async with with_passwords() as stage:
        stage.demo.people["alice"].slot.pull()
        await stage.demo.people["alice"].bridge.look()
        page = await stage.open("alice", wait="noCard")
        await page.click("#settings summary")
        await page.check("[name=way][value=password]")
        await page.fill("#password", PASSWORD)
        await page.click("#login")
        await state(page, "registered")
