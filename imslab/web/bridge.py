"""The bridge: it runs on the user's machine and gives a web page the card, if the card's rules say so.

Spec: GlobalPlatform, "Web API for Accessing Secure Elements" and Open Mobile API 3.3 (what a page may
ask); RFC 6455, sections 4.2 and 10.2 (a WebSocket and its Origin). A browser lets any page of the web open
a WebSocket to 127.0.0.1, and asks nobody. So the bridge itself checks, in this order: the Host (else a name
that is rebound to 127.0.0.1 would do), the exact Origin, the token of a page that a person has paired, the
card's access rules, and each command. ``imslab.web.caller`` is what one page says to it.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imslab.errors import Malformed, NetworkError
from imslab.ims.node import Address, RandomSource
from imslab.web.audit import AuditLog, Entry
from imslab.web.caller import ANSWER, LONGEST, TRANSMIT, Caller
from imslab.web.element import SecureElement
from imslab.web.pairing import Pairing

if TYPE_CHECKING:
    from aiohttp import web

SUBPROTOCOL = "imslab-secure-element"
HOST, MOST_PAGES = "127.0.0.1", 16
QUESTIONS, AUTHENTICATIONS = (200.0, 400.0), (1.0, 40.0)  # of a page: a second, and at once
_LOOK = 1.0  # seconds between two looks whether the card is there


class Bridge:
    """One machine's card readers, for pages of ``origins``.

    ``mode``      "transmit": commands pass, and RES, CK and IK reach the page; "answer": the bridge computes
                  the digest answer, and they do not
    ``pairing``   who may use it; share one with a bridge that follows, and its tokens stay good
    ``on_code``   called with each new pairing code: show it where only the person sees it
    ``on_entry``  called with each entry of the audit log
    """

    def __init__(
        self,
        elements: Sequence[SecureElement],
        origins: Sequence[str],
        *,
        port: int = 0,
        mode: str = TRANSMIT,
        pairing: Pairing | None = None,
        clock: Callable[[], float],
        random: RandomSource = os.urandom,
        on_code: Callable[[str], None] | None = None,
        on_entry: Callable[[Entry], None] | None = None,
        questions: tuple[float, float] = QUESTIONS,
        authentications: tuple[float, float] = AUTHENTICATIONS,
    ) -> None:
        if mode not in (TRANSMIT, ANSWER):
            raise Malformed(f"unknown mode {mode!r}", expected=f"{TRANSMIT} or {ANSWER}")
        self.elements = {element.name: element for element in elements}
        self.origins, self.mode, self.clock = tuple(origins), mode, clock
        self.address = Address(HOST, port, "TCP")
        self.pairing = pairing or Pairing(random=random)
        self.audit = AuditLog(on_entry)
        self.rates = questions, authentications
        self._random, self._on_code = random, on_code
        self._pages: set[Caller] = set()
        self._present: dict[str, bool] = {}
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where a page finds the bridge."""
        return f"ws://{HOST}:{self.address.port}/element"

    async def start(self) -> None:
        """Open the socket, on 127.0.0.1 and nowhere else; NetworkError when the port is taken."""
        from aiohttp import web

        application = web.Application(client_max_size=LONGEST)
        application.router.add_get("/element", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, HOST, self.address.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            why = error.strerror or str(error)
            raise NetworkError(f"cannot listen on {HOST}:{self.address.port}: {why}") from None
        self.address = Address(HOST, runner.addresses[0][1], "TCP")
        self._runner = runner
        self._watch = asyncio.create_task(self._look_after())
        self.show_code()

    async def close(self) -> None:
        """Close every page's channels, and the socket; a bridge can be closed twice."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        for page in list(self._pages):
            await page.end(1001, b"the bridge stops")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def show_code(self) -> None:
        """Tell the pairing code that is good now."""
        if self._on_code is not None:
            self._on_code(self.pairing.code)

    async def look(self) -> None:
        """Look into each reader, and tell the pages what has changed."""
        for name, element in self.elements.items():
            there = await element.look()
            if self._present.get(name) != there:
                self._present[name] = there
                for page in list(self._pages):
                    await page.tell({"event": "card", "reader": name, "present": there})

    async def refresh(self, reader: str) -> None:
        """Tell the pages that the card's files were changed over the air: they read them again."""
        for page in list(self._pages):
            await page.tell({"event": "refresh", "reader": reader})

    @property
    def pages(self) -> int:
        """How many pages are connected now."""
        return len(self._pages)

    def readers(self) -> list[dict[str, object]]:
        """Return the name of each reader, and whether a card was there at the last look."""
        return [{"name": name, "present": self._present.get(name, False)} for name in self.elements]

    async def _look_after(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK)

    async def _serve(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        origin = request.headers.get("Origin", "")
        refused = self._door(request.headers.getall("Host", []), request.headers.getall("Origin", []))
        if refused:
            self.audit.note(self.clock(), origin or "no origin", "connect", f"refused: {refused}")
            return web.Response(status=403, text=f"{refused}\n")
        if len(self._pages) >= MOST_PAGES:
            self.audit.note(self.clock(), origin, "connect", "refused: too many pages")
            return web.Response(status=503, text="too many pages are connected\n")
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), max_msg_size=LONGEST, heartbeat=20.0, autoping=True
        )
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="this address speaks WebSocket only\n")
        await socket.prepare(request)
        page = Caller(self, socket, origin, self._random)
        self._pages.add(page)
        self.audit.note(self.clock(), origin, "connect")
        try:
            await page.run()
        finally:
            self._pages.discard(page)
            await page.visit.close()
            self.audit.note(self.clock(), origin, "disconnect")
        return socket

    def _door(self, hosts: list[str], origins: list[str]) -> str:
        """Return why a connection is not let in; "" when it is."""
        names = {f"{HOST}:{self.address.port}", f"localhost:{self.address.port}"}
        if len(hosts) != 1 or hosts[0].lower() not in names:
            return "the Host is not this machine's own"
        if len(origins) != 1 or origins[0] not in self.origins:
            return "pages of this origin may not use the card"
        return ""
