"""The demo in Debian's Chromium, side by side: our page with JsSIP, our call with a bare peer connection.

1. Click to registered: our page with AKAv2 from the card, and JsSIP (npm, development only) with a plain
   password, at the same server, in the same browser, taking turns. The card's share is AUTHENTICATE.
2. Click on call to first remote picture: our call through the core, and two pages that hand each other their
   descriptions over a BroadcastChannel, with the same cameras, codecs and candidates, taking turns.
3. Fifty pages, each with a card of its own, registered at once on one server; its memory before and after.

    npm ci --prefix tests/browser && python benchmarks/web.py [--logins 30] [--calls 10] [--pages 50]
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from imslab.uicc import Profile  # noqa: E402
from imslab.web import stage as chromium  # noqa: E402
from imslab.web.stage import state  # noqa: E402
from tests.browser.commonjs import bundle  # noqa: E402

PASSWORD = "Circle of Life"
REST = 0.5  # seconds before each login: both pages have drawn what there was to draw
MODULES = ROOT / "tests" / "browser" / "node_modules"

LOGIN = """() => new Promise((done, failed) => {
    const status = document.getElementById("status");
    const before = performance.now();
    const watch = new MutationObserver(() => {
        if (status.dataset.state !== "registered") return;
        watch.disconnect();
        const clicked = performance.getEntriesByName("login-clicked").at(-1).startTime;
        const registered = performance.getEntriesByName("registered").at(-1).startTime;
        done(registered - clicked);
    });
    watch.observe(status, { attributes: true });
    document.getElementById("login").click();
    setTimeout(() => failed(new Error(status.dataset.state)), 20000);
})"""

JSSIP = """({ sip, profile, password }) => new Promise((done, failed) => {
    const start = performance.now();
    const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(sip)], uri: profile.impu[0],
        authorization_user: profile.impi, registrar_server: `sip:${profile.domain}`, password,
        register_expires: 600 });
    ua.on("registered", () => { done(performance.now() - start); ua.stop(); });
    ua.on("registrationFailed", ({ cause }) => failed(new Error(cause)));
    ua.start();
})"""

AUTO_ANSWER = """() => {
    const ringing = document.getElementById("ringing");
    new MutationObserver(() => ringing.open && document.getElementById("answer").click())
        .observe(ringing, { attributes: true });
}"""

CALL = """() => new Promise((done, failed) => {
    const stage = document.getElementById("stage");
    const watch = new MutationObserver(() => {
        if (!stage.classList.contains("seen")) return;
        watch.disconnect();
        const clicked = performance.getEntriesByName("call-clicked").at(-1).startTime;
        done(performance.getEntriesByName("first-picture").at(-1).startTime - clicked);
    });
    document.querySelector("#contacts button").click();
    watch.observe(stage, { attributes: true });
    setTimeout(() => failed(new Error("no picture")), 30000);
})"""

# What our call does with media, without us: gathered descriptions, no server, the same constraints.
BARE = """(role) => {
    const constraints = { audio: true, video: { width: { ideal: 640 }, height: { ideal: 480 } } };
    const channel = new BroadcastChannel("bare");
    const gathered = (pc) => new Promise((done) => {
        if (pc.iceGatheringState === "complete") done();
        pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done();
    });
    const open = async () => {
        const pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
        const stream = await navigator.mediaDevices.getUserMedia(constraints);
        const video = Object.assign(document.createElement("video"), { autoplay: true });
        document.body.replaceChildren(video);
        pc.ontrack = ({ streams }) => (video.srcObject = streams[0]);
        return { pc, stream, video };
    };
    const add = ({ pc, stream }) => stream.getTracks().forEach((track) => pc.addTrack(track, stream));
    const close = ({ pc, stream }) => { pc.close(); stream.getTracks().forEach((track) => track.stop()); };
    if (role === "callee") {
        let end = null;
        channel.onmessage = async ({ data }) => {
            if (data.bye) return close(end);
            if (data.type !== "offer") return;
            end = await open();
            await end.pc.setRemoteDescription(data);
            add(end);
            await end.pc.setLocalDescription(await end.pc.createAnswer());
            await gathered(end.pc);
            channel.postMessage(end.pc.localDescription.toJSON());
        };
        return;
    }
    window.bareCall = async () => {
        const start = performance.now();
        const end = await open();
        add(end);
        const now = (done) => () => done(performance.now());
        const seen = new Promise((done) => end.video.requestVideoFrameCallback(now(done)));
        await end.pc.setLocalDescription(await end.pc.createOffer());
        await gathered(end.pc);
        const answered = new Promise((done) => (channel.onmessage = ({ data }) => done(data)));
        channel.postMessage(end.pc.localDescription.toJSON());
        await end.pc.setRemoteDescription(await answered);
        const took = (await seen) - start;
        close(end);
        channel.postMessage({ bye: true });
        return took;
    };
}"""


def shown(name: str, values: list[float], unit: str = "ms") -> float:
    """Print the median and the quartiles of some times; return the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    print(f"{name:<52} {middle:7.1f} {unit}   (quartiles {low:.1f}, {high:.1f}; n = {len(values)})")
    return middle


async def logins(browser, count: int) -> None:
    """Measure both logins, in turns."""
    async with chromium.staged(browser, passwords={"alice": PASSWORD}, robot=None) as stage:
        for person in stage.demo.people.values():
            person.bridge.rates = (person.bridge.rates[0], (100.0, 1000.0))
        page = await stage.open("alice")
        foreign = await (await browser.new_context(bypass_csp=True)).new_page()
        await foreign.goto(f"{stage.demo.origin}/health")
        await foreign.evaluate(bundle(MODULES, JsSIP="jssip"))
        given = {
            "sip": f"{stage.demo.sip}/alice",
            "profile": dict(stage.demo.people["alice"].settings()["profile"]),
            "password": PASSWORD,
        }
        ours, theirs, card = [], [], []
        for turn in range(count + 3):
            took = await page.evaluate(LOGIN)
            answered = await page.evaluate("performance.getEntriesByName('apdu').at(-1).duration")
            await page.click("#logout")
            await state(page, "ready")
            await asyncio.sleep(REST)
            other = await foreign.evaluate(JSSIP, given)
            await asyncio.sleep(REST)
            if turn >= 3:  # the first ones warm both up
                ours.append(took)
                theirs.append(other)
                card.append(answered)
        mine = shown("our page, AKAv2 with the card: click to registered", ours)
        plain = shown("JsSIP, a plain password: start to registered", theirs)
        share = shown("of that, the card (page, bridge, AUTHENTICATE, back)", card)
        print(f"ratio ours/JsSIP {mine / plain:.2f}; without the card {(mine - share) / plain:.2f}")
        await foreign.context.close()


async def calls(browser, count: int) -> None:
    """Measure our call and a bare one, in turns."""
    async with chromium.staged(browser, robot=None) as stage:
        alice, bob = await stage.login("alice"), await stage.login("bob")
        await bob.evaluate(AUTO_ANSWER)
        context = await browser.new_context(bypass_csp=True)
        caller, callee = [await context.new_page() for _ in range(2)]
        for page, role in ((caller, "caller"), (callee, "callee")):
            await page.goto(f"{stage.demo.origin}/health")
            await page.evaluate(BARE, role)
        ours, bare = [], []
        for turn in range(count + 2):
            took = await alice.evaluate(CALL)
            await alice.click("#hangup")
            await chromium.call_state(bob, "ended")
            other = await caller.evaluate("bareCall()")
            if turn >= 2:
                ours.append(took)
                bare.append(other)
        mine = shown("our call: click to first remote picture", ours)
        other = shown("bare RTCPeerConnection pair, the same", bare)
        print(f"ratio ours/bare {mine / other:.2f}")
        await context.close()


def resident() -> float:
    """Return the memory of this process, the server, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def many(browser, count: int) -> None:
    """Register ``count`` pages at once, each with a card of its own."""
    profiles = [
        Profile(imsi=f"00101000001{n:04}", k=n.to_bytes(16), opc=(n + 1).to_bytes(16), name=f"user{n}")
        for n in range(1, count + 1)
    ]
    async with chromium.staged(browser, subscribers=profiles, robot=None) as stage:
        before = resident()
        context = await browser.new_context()
        pages = []
        for profile in profiles:
            page = await context.new_page()
            await page.goto(stage.demo.page(profile.name))
            await state(page, "ready", timeout=60_000)
            pages.append(page)
        start = time.perf_counter()
        took = await asyncio.gather(*(page.evaluate(LOGIN) for page in pages))
        wall = time.perf_counter() - start
        registered = len(stage.demo.health()["registered"])
        wrong = [one for one in stage.complaints if one]
        print(f"{registered} of {count} pages registered at once in {wall:.1f} s; complaints: {len(wrong)}")
        shown("each: click to registered", took)
        print(f"the server's memory: {before:.0f} MB before the pages, {resident():.0f} MB with them")
        assert registered == count
        await context.close()


async def run(options: argparse.Namespace) -> None:
    """Measure everything in one browser."""
    async with chromium.launched() as browser:
        print(f"Chromium {browser.version}; processors: {os.cpu_count()}")
        if options.logins:
            await logins(browser, options.logins)
        if options.calls:
            await calls(browser, options.calls)
        if options.pages:
            await many(browser, options.pages)


def main() -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--logins", type=int, default=30)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--pages", type=int, default=50)
    options = parser.parse_args()
    if not (MODULES / "jssip").exists():
        print("this benchmark needs JsSIP: npm ci --prefix tests/browser", file=sys.stderr)
        return 1
    asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
