"""A browser on the demo, driven by a program: for notebook 10, the tests, the benchmark and the trace.

Playwright (a library of development) drives Chromium as it comes from the distribution. Where one of them is
missing, ``missing`` says so, and people open the printed addresses by hand.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from imslab.web.server import Demo, Ports

# Headless; fake camera and microphone, which also gives ICE real addresses in place of made-up names; media
# over loopback where there is no other interface; no talk with the browser's own servers.
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "--allow-loopback-in-peer-connection",
)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
Before = Callable[[Any], Awaitable[object]]


def missing() -> str:
    """Return what is missing to drive a browser, and how to bring it; "" when all is there."""
    if find_spec("playwright") is None:
        return "playwright is not installed: make test brings it"
    if not any(map(shutil.which, PROGRAMS)):
        return "there is no Chromium: apt install chromium"
    return ""


@asynccontextmanager
async def launched(*more: str) -> AsyncIterator[Any]:
    """Run a browser without a window, with ``more`` arguments."""
    from playwright.async_api import async_playwright

    program = next(path for name in PROGRAMS if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def staged(browser: Any, **settings: Any) -> AsyncIterator["Stage"]:
    """Run a demo on free ports, for pages of ``browser``; ``settings`` are those of ``Demo``."""
    stage = Stage(browser, Demo(**{"ports": Ports.any(), **settings}))
    await stage.demo.start()
    try:
        yield stage
    finally:
        await stage.close()


class Stage:
    """A demo and the pages on it; ``complaints`` are what they said on their consoles.

    ``requests``  every address that a page has asked
    """

    def __init__(self, browser: Any, demo: Demo) -> None:
        self.browser, self.demo = browser, demo
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.contexts: list[Any] = []
        self._ends: list[Any] = []

    @classmethod
    async def on(cls, demo: Demo) -> "Stage":
        """Start a browser for a demo that runs; ``close`` ends both."""
        running = launched()
        stage = cls(await running.__aenter__(), demo)
        stage._ends.append(running)
        return stage

    async def open(
        self,
        name: str = "alice",
        *,
        address: str = "",
        wait: str = "ready",
        clock: bool = False,
        before: Before | None = None,
        **context: Any,
    ) -> Any:
        """Open a subscriber's page in a browser profile of its own and wait for a state (words.js).

        ``clock``   the page's clock is the caller's;  ``before``: awaited with the page before it is loaded
        ``wait``    "" waits for nothing
        """
        settings = {"viewport": {"width": 1280, "height": 900}, "ignore_https_errors": True, **context}
        made = await self.browser.new_context(**settings)
        self.contexts.append(made)
        page = await made.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{name}: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        if clock:
            await page.clock.install()
        if before is not None:
            await before(page)
        await page.goto(address or self.demo.page(name))
        if wait:
            await state(page, wait)
        return page

    async def login(self, name: str = "alice", **context: Any) -> Any:
        """Open a page and log in by the one click."""
        page = await self.open(name, **context)
        await page.click("#login")
        await state(page, "registered")
        return page

    async def call(self, **context: Any) -> tuple[Any, Any]:
        """Let alice call bob: both pages, talking."""
        alice, bob = await self.login("alice", **context), await self.login("bob", **context)
        await dial(alice, "bob")
        await bob.wait_for_selector("#ringing[open]")
        await bob.click("#answer")
        for page in (alice, bob):
            await call_state(page, "talking")
        return alice, bob

    async def close(self) -> None:
        """Close the pages, the demo, and the browser if it is ours."""
        for context in self.contexts:
            await context.close()
        self.contexts.clear()
        await self.demo.close()
        while self._ends:
            await self._ends.pop().__aexit__(None, None, None)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


async def state(page: Any, wanted: str, timeout: float = 20_000) -> None:
    """Wait until the page is in a state of words.js; ``timeout`` in ms."""
    await page.wait_for_selector(f"#status[data-state={wanted}]", timeout=timeout)


async def call_state(page: Any, wanted: str, timeout: float = 30_000) -> None:
    """Wait until the call on the page is in a state; ``timeout`` in ms."""
    await page.wait_for_selector(f"#call[data-state={wanted}]", timeout=timeout, state="attached")


async def dial(page: Any, name: str, kind: str = "with video") -> None:
    """Click on the button that calls a contact, "with video" or "voice only"."""
    await page.get_by_role("button", name=f"Call {name} {kind}".replace(" voice", ", voice")).click()


async def drawn(page: Any) -> None:
    """Wait until the page's ladder has drawn every row that it knows."""
    await page.wait_for_selector("#rows:not([aria-busy=true])", state="attached")


async def until(page: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait until a JavaScript expression is true; the page's policy forbids Playwright's own way to wait."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def figures(page: Any) -> tuple[int, int]:
    """Return how many octets and how many pictures have arrived in the call so far."""
    data = await page.evaluate("({...document.getElementById('figures').dataset})")
    return int(data.get("octets", 0)), int(data.get("frames", 0))


async def marks(page: Any) -> dict[str, float]:
    """Return when things happened on the page, in seconds since it was opened; the last of each kind counts.

    login-clicked, registered, call-clicked, connected, first-picture.
    """
    found: list[list[Any]] = await page.evaluate(
        "performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime / 1000])"
    )
    return {str(name): float(at) for name, at in found}
