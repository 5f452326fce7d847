"""Debian's Chromium for the tests and benchmarks of the demo: its flags, and pages that log in.

Its flags: headless, fake devices (which also give real host candidates in place of names), media over
loopback, and no talk with the browser's own servers.
"""

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import Any

from imslab.web.server import Demo, Ports

ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "--allow-loopback-in-peer-connection",
]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Return the path of the browser."""
    return next(path for name in PROGRAMS if (path := shutil.which(name)))


@asynccontextmanager
async def launched(*more: str):
    """Run a browser, with ``more`` arguments."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), args=[*ARGUMENTS, *more], ignore_default_args=["--mute-audio"]
        )
        try:
            yield browser
        finally:
            await browser.close()


class Stage:
    """A demo and the pages on it, with what they said on their consoles."""

    def __init__(self, browser: Any, demo: Demo) -> None:
        self.browser, self.demo = browser, demo
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.contexts: list[Any] = []

    async def open(
        self,
        name: str = "alice",
        *,
        address: str = "",
        wait: str = "ready",
        clock: bool = False,
        before: Any = None,
        **context: Any,
    ):
        """Open a subscriber's page in a browser profile of its own and wait for a state.

        ``clock``  the page's clock is the test's;  ``before``: awaited with the page before it is loaded
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

    async def login(self, name: str = "alice", **context: Any):
        """Open a page and log in by the one click."""
        page = await self.open(name, **context)
        await page.click("#login")
        await state(page, "registered")
        return page

    async def call(self, **context: Any):
        """Let alice call bob: both pages, talking."""
        alice, bob = await self.login("alice", **context), await self.login("bob", **context)
        await dial(alice, "bob")
        await bob.wait_for_selector("#ringing[open]")
        await bob.click("#answer")
        for page in (alice, bob):
            await call_state(page, "talking")
        return alice, bob

    async def close(self) -> None:
        """Close the pages, then the demo."""
        for context in self.contexts:
            await context.close()
        await self.demo.close()

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@asynccontextmanager
async def staged(browser: Any, **settings: Any):
    """Run a demo on free ports, for pages of ``browser``."""
    demo = Demo(**{"ports": Ports.any(), **settings})
    await demo.start()
    stage = Stage(browser, demo)
    try:
        yield stage
    finally:
        await stage.close()


async def state(page: Any, wanted: str, timeout: float = 20_000) -> None:
    """Wait until the page is in a state of words.js."""
    await page.wait_for_selector(f"#status[data-state={wanted}]", timeout=timeout)


async def call_state(page: Any, wanted: str, timeout: float = 30_000) -> None:
    """Wait until the call on the page is in a state."""
    await page.wait_for_selector(f"#call[data-state={wanted}]", timeout=timeout, state="attached")


async def dial(page: Any, name: str, kind: str = "with video") -> None:
    """Click on the button that calls a contact."""
    await page.get_by_role("button", name=f"Call {name} {kind}".replace(" voice", ", voice")).click()


async def until(page: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait until a JavaScript expression is true; the page's policy forbids Playwright's own way to wait."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def figures(page: Any) -> tuple[int, int]:
    """Return how many octets and how many pictures have arrived in the call so far."""
    data = await page.evaluate("({...document.getElementById('figures').dataset})")
    return int(data.get("octets", 0)), int(data.get("frames", 0))
