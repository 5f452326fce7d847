"""The object a notebook starts with: two subscribers, a core, and everything recorded.

    lab = imslab.Lab()                                     # software cards, an embedded core
    lab = imslab.Lab(reader="auto")                        # alice's card is the one in the PC/SC reader
    lab = imslab.Lab(trace="data/traces/register-akav2.pcapng")   # nothing live: a recording

The same cells run on all three. What happens is written into one trace with one clock, and
every picture is drawn from that trace: what you see is what Wireshark will see.
"""

import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imslab.data import profile_path
from imslab.errors import CardError, ImslabError, Malformed, NetworkError
from imslab.ims.scscf import Policy
from imslab.ims.ue import EXPIRES
from imslab.lab.call import LabCall, LiveCall, endpoint
from imslab.lab.call import callee as decide
from imslab.lab.card import LabCard, profile_of
from imslab.lab.seeded import Seeded
from imslab.lab.subscriber import Subscriber
from imslab.uicc import Card, Link, Profile, Replayer

if TYPE_CHECKING:
    from imslab.capture import Capture, Registration
    from imslab.ims.node import Address, Event
    from imslab.media import Endpoint
    from imslab.net.core import Core
    from imslab.net.gba import Browser, WebOperator
    from imslab.net.terminal import Terminal

__all__ = ["Lab", "LabCard", "Seeded", "Subscriber"]

NAMES = ("alice", "bob")
# The last octet of each node's address; the names are the columns of a ladder.
_HOSTS = {
    "alice": 11,
    "alice's card": 111,
    "bob": 12,
    "bob's card": 112,
    "p-cscf": 21,
    "s-cscf": 31,
    "hss": 41,
}
_WEB_HOSTS = {"bsf": 51, "naf": 61}  # named in the trace when they are there
_PROVENANCE = "imslab: a live run of software cards, UEs and the embedded core"
_BLOCKS = 50  # labs side by side on one machine: 127.0.0.x, 127.0.1.x, ...


class Lab:
    """Subscribers alice and bob, and a home network.

    ``reader``   "auto", or a part of a reader's name: alice's card is there. "auto" takes the software card
                 where there is no reader or no card, and says so in ``notes``
    ``profile``  the profile of the card in the reader, if you know its keys (a programmable card)
    ``trace``    a capture to look at in place of anything live
    ``policy``   what the S-CSCF offers: ``imslab.ims.scscf.Policy``
    ``seed``     text: random octets are derived from it and are the same in each run (never for real keys)
    """

    def __init__(
        self,
        *,
        reader: str | None = None,
        profile: str | Path | Profile | None = None,
        trace: str | Path | None = None,
        policy: Policy | None = None,
        seed: str | None = None,
    ) -> None:
        from imslab.net.tap import Clock

        if trace is not None and reader is not None:
            raise Malformed("a lab is live or a recording", expected="reader or trace, not both")
        self.notes: list[str] = []
        self.log: list[Event] = []
        self.clock = Clock()
        self._policy, self._random = policy, os.urandom if seed is None else Seeded(seed)
        self._core: Core | None = None
        self._web: WebOperator | None = None
        self._tap: Any = None
        self._file = io.BytesIO()
        self._cached: tuple[int, Capture] | None = None
        self._recording: Capture | None = None
        self._given: dict[str, int] = {}
        self._hosts: dict[str, str] = {}
        self._calls: list[LiveCall] = []
        if trace is not None:
            self._recording = _open(trace)
            self.alice, self.bob = (self._recorded(name) for name in NAMES)
        else:
            self.alice = self._live("alice", reader, profile)
            self.bob = self._live("bob", None, None)

    # -- what a notebook looks at -----------------------------------------------------------

    @property
    def mode(self) -> str:
        """What this lab runs on, in words, for the top of a notebook."""
        if self._recording is not None:
            return "captured trace"
        return "live, software cards" if self.alice.card.software else "live, card in the reader"

    @property
    def capture(self) -> "Capture":
        """Everything so far, as a Capture."""
        if self._recording is not None:
            return self._recording
        from imslab.capture import open_capture

        octets = self._octets()
        if not octets:
            raise ImslabError("nothing has happened yet: await lab.alice.register() first")
        if self._cached is None or self._cached[0] != len(octets):
            self._cached = len(octets), open_capture(octets, profile=self._known())
        return self._cached[1]

    @property
    def web(self) -> "WebOperator":
        """The BSF and the web application of the network; they are there from the first ``browser()`` on."""
        if self._web is None:
            raise ImslabError("no web application is running: await lab.alice.browser() first")
        return self._web

    @property
    def core(self) -> "Core":
        """The embedded core; in a recording there is none."""
        if self._core is None:
            raise ImslabError("the core is not running: await lab.start(), or register first")
        return self._core

    def save(self, path: str | Path) -> Path:
        """Write the trace so far as pcapng, for Wireshark and ``imslab inspect``."""
        if self._recording is not None:
            raise ImslabError("this lab is a recording already: copy its file")
        target = Path(path)
        target.write_bytes(self._octets())
        return target

    def close(self) -> None:
        """Close every socket. A lab can be closed twice."""
        self._calls.clear()
        for subscriber in (self.alice, self.bob):
            if subscriber._terminal is not None:
                subscriber._terminal.close()
                subscriber._terminal = None
        if self._web is not None:
            self._web.close()
            self._web = None
        if self._core is not None:
            self._core.close()
            self._core = None

    async def __aenter__(self) -> "Lab":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up every call that still runs, and close every socket."""
        for call in list(self._calls):
            await call.hang_up()
        self.close()

    def __repr__(self) -> str:
        return f"<Lab: {self.mode}>"

    # -- live -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the embedded core; ``register`` does it by itself."""
        if self._core is not None or self._recording is not None:
            return
        from imslab.net.core import Core
        from imslab.net.tap import Tap
        from imslab.net.trace import TraceWriter

        for block in range(_BLOCKS):
            hosts = {name: f"127.0.{block}.{last}" for name, last in _HOSTS.items()}
            file = io.BytesIO()
            tap = Tap(TraceWriter(file, comment=_PROVENANCE), self.clock, hss=hosts["hss"])
            core = Core(
                host=hosts["p-cscf"],
                scscf=hosts["s-cscf"],
                policy=self._policy,
                random=self._random,
                clock=self.clock,
                tap=tap,
                on_event=self.log.append,
            )
            try:
                await core.start()
            except NetworkError as error:
                core.close()
                taken = error
                continue  # another notebook's lab is there: take the next block of addresses
            self._core, self._tap, self._file, self._hosts = core, tap, file, hosts
            break
        else:
            raise taken
        for name, host in self._hosts.items():
            self._tap.writer.name(host, name)
        for subscriber in (self.alice, self.bob):
            self._insert(core, subscriber)

    def _insert(self, core: "Core", subscriber: Subscriber) -> None:
        """Let the HSS know a subscriber, and reset the card: that is how a trace begins."""
        assert subscriber.profile is not None
        core.hss.add(subscriber.profile)
        atr = subscriber.card.reset()
        self._tap.reset(self._hosts[subscriber.name], self._hosts[f"{subscriber.name}'s card"], atr)

    def _live(self, name: str, reader: str | None, known: str | Path | Profile | None) -> Subscriber:
        link = None if reader is None else self._reader(reader)
        if link is not None:
            card = LabCard(link, self.clock)
            return Subscriber(self, name, card, profile_of(card, known))
        profile = Profile.load(profile_path(name))
        software = Card(profile, protocol="T=0")
        return Subscriber(self, name, LabCard(software, self.clock, software=software), profile)

    def _reader(self, wanted: str) -> Link | None:
        from imslab.uicc import pcsc

        try:
            return pcsc.connect(None if wanted == "auto" else wanted)
        except CardError as error:
            if wanted != "auto":
                raise
            self.notes.append(f"{error} The software card takes its place.")
            return None

    def _take_software_card(self, subscriber: Subscriber) -> None:
        if self._recording is not None:
            raise ImslabError("a recording has no card to change")
        self._drain()
        if subscriber._terminal is not None:
            subscriber._terminal.close()
            subscriber._terminal = None
        software = self._live(subscriber.name, None, None)
        subscriber.card, subscriber.profile = software.card, software.profile
        self.notes.append(f"{subscriber.name} goes on with the software card.")
        if self._core is not None:
            self._insert(self._core, subscriber)

    async def _register(
        self, subscriber: Subscriber, algorithm: str | None, transport: str, expires: int
    ) -> "Registration":
        if self._recording is not None:
            return self._find(subscriber, algorithm)
        await self.start()
        terminal = await self._terminal(subscriber, transport, expires)
        try:
            registered = await terminal.register(algorithm)
        finally:
            self._drain()
        return next(r for r in reversed(self.capture.logins) if r.call_id == registered.call_id)

    async def _repeat(
        self, subscriber: Subscriber, times: int, algorithms: Sequence[str | None], transport: str
    ) -> "list[Registration]":
        impi = subscriber.card.profile.impi
        if self._recording is not None:
            mine = [r for r in self.capture.logins if r.impi == impi]
            there = [r for r in mine if r.messages[0].transport == transport.lower()]
            return [r for r in there if {None, r.algorithm} & set(algorithms)][: times * len(algorithms)]
        await self.start()
        terminal = await self._terminal(subscriber, transport, EXPIRES)
        for algorithm in times * list(algorithms):
            await terminal.register(algorithm)
            self._drain()
        return [r for r in self.capture.logins if r.impi == impi][-times * len(algorithms) :]

    async def _call(
        self,
        caller: Subscriber,
        callee: "Subscriber | str",
        media: str,
        profiles: tuple[str, ...],
        answer: int | None,
        rings: float,
    ) -> LabCall:
        if self._recording is not None:
            return self._find_call(caller, callee)
        await self.start()
        terminal = await self._on_the_air(caller)
        make = partial(self._endpoint, media, profiles)
        ends: dict[str, Endpoint] = {}
        target = callee
        if isinstance(callee, Subscriber):
            target = callee.card.profile.impu[0]
            if not callee._left:
                other = await self._on_the_air(callee)
                other.on_call = decide(partial(make, callee.name), answer, rings, ends, callee.name)
        end = make(caller.name)
        ends[caller.name] = end
        signalling = await terminal.call(str(target), end)
        known = callee if isinstance(callee, Subscriber) else None
        call = LiveCall(lambda: self.capture, caller, known, signalling, ends, video=media == "webrtc")
        try:
            await call.connected()
        except BaseException:
            await call.hang_up()
            raise
        self._calls.append(call)
        return call

    def _endpoint(self, media: str, profiles: tuple[str, ...], name: str) -> "Endpoint":
        host = self._hosts[name]
        return endpoint(media, profiles, name, host, tap=self._tap, clock=self.clock, random=self._random)

    async def _on_the_air(self, subscriber: Subscriber) -> "Terminal":
        """Return a terminal that is registered; who has never been is registered now."""
        terminal = subscriber._terminal
        if subscriber._left:
            raise ImslabError(f"{subscriber.name} has left the network: register first")
        if terminal is None or terminal.ue is None or terminal.ue.registered is None:
            await subscriber.register(transport="UDP" if terminal is None else terminal.proxy.transport)
            terminal = subscriber._terminal
        assert terminal is not None
        terminal.on_message = subscriber.messages.append
        return terminal

    async def _message(self, sender: Subscriber, recipient: "Subscriber | str", text: str) -> None:
        if self._recording is not None:
            raise ImslabError("a recording sends no messages: look at lab.capture.messages")
        await self.start()
        terminal = await self._on_the_air(sender)
        if isinstance(recipient, Subscriber):
            if not recipient._left:
                await self._on_the_air(recipient)
            recipient = recipient.card.profile.impu[0]
        await terminal.message(recipient, text)

    async def _terminal(self, subscriber: Subscriber, transport: str, expires: int) -> "Terminal":
        from imslab.net.terminal import Terminal

        address = self._proxy(subscriber, transport)
        old = subscriber._terminal
        if old is not None and (old.proxy, old.identity) == (address, subscriber.card.profile):
            return old
        if subscriber._terminal is not None:
            subscriber._terminal.close()
        terminal = Terminal(
            subscriber.card.profile,
            subscriber.card,
            address,
            host=self._hosts[subscriber.name],
            slow=subscriber.card.software is None,
            expires=expires,
            random=self._random,
            clock=self.clock,
            on_event=self.log.append,
            after_card=self._drain,
        )
        self._drain()
        await terminal.open()
        subscriber._terminal = terminal
        return terminal

    async def _browser(self, subscriber: Subscriber, uicc: bool) -> "Browser":
        from imslab.net.gba import Browser, WebOperator

        if self._recording is not None:
            raise ImslabError("this lab is a recording, nothing answers here: look at lab.capture.ladder()")
        await self.start()
        hosts = {name: f"{self.core.host.rpartition('.')[0]}.{last}" for name, last in _WEB_HOSTS.items()}
        if self._web is None:
            web = WebOperator(
                self.core.hss.ask, hosts=hosts, random=self._random, clock=self.clock, tap=self._tap
            )
            await web.start()
            self._web = web
            for name, host in hosts.items():
                self._tap.writer.name(host, name)
        impi = subscriber.card.profile.impi
        change = self.web.bsf.gba_u.add if uicc else self.web.bsf.gba_u.discard
        change(impi)  # what the user security settings in an HSS say
        self._drain()
        return Browser(
            subscriber.card.client,
            impi,
            self.web.names,
            host=self._hosts[subscriber.name],
            uicc=uicc,
            slow=subscriber.card.software is None,
            random=self._random,
            clock=self.clock,
            after_card=self._drain,
        )

    def _proxy(self, subscriber: Subscriber, transport: str) -> "Address":
        """Return the P-CSCF that the card names; the lab is the DNS of its own names."""
        named = subscriber.card.profile.pcscf
        if not named:
            self.notes.append("The card names no P-CSCF: the lab's own is taken.")
        addresses = self.core.addresses
        if transport not in addresses:
            raise Malformed(f"unknown transport {transport!r}", expected="UDP, TCP or WS")
        return addresses[transport]

    def _octets(self) -> bytes:
        """Return the trace so far, with the secrets of its calls at its head."""
        self._drain()
        if self._tap is None:
            return b""
        self._tap.flush()
        return bytes(self._tap.writer.with_secrets(self._file.getvalue()))

    def _drain(self) -> None:
        """Note what the cards have said, before what comes next."""
        if self._tap is None:
            return
        for subscriber in (self.alice, self.bob):
            waiting = subscriber.card.waiting
            host = self._hosts[subscriber.name]
            card = self._hosts[f"{subscriber.name}'s card"]
            while waiting:
                self._tap.card(host, card, waiting.popleft())

    # -- recorded ---------------------------------------------------------------------------

    def _recorded(self, name: str) -> Subscriber:
        exchanges = self.capture.exchanges(name)
        host = next((host for host, called in self.capture.names.items() if called == name), name)
        resets = (e.response for e in self.capture.apdu_events if not e.command and e.terminal == host)
        replayer = Replayer(exchanges, atr=next(resets, b"\x3b\x00"), rewinds=True)
        card = LabCard(replayer, self.clock)
        return Subscriber(self, name, card, None)

    def _find(self, subscriber: Subscriber, algorithm: str | None) -> "Registration":
        """Return the recorded registration that was not given yet."""
        if not self.capture.exchanges(subscriber.name):
            raise ImslabError(f"the trace holds nothing of {subscriber.name}'s card")
        mine = [r for r in self.capture.logins if r.impi == subscriber.card.profile.impi]
        fitting = [r for r in mine if algorithm is None or r.algorithm.lower() == algorithm.lower()]
        given = self._given.get(subscriber.name, 0)
        if not fitting:
            held = ", ".join(f"{r.impu} {r.algorithm}" for r in self.capture.logins) or "no registration"
            raise ImslabError(
                f"the trace holds no registration of {subscriber.name} like that; it holds: {held}"
            )
        self._given[subscriber.name] = given + 1
        return fitting[min(given, len(fitting) - 1)]

    def _find_call(self, caller: Subscriber, callee: "Subscriber | str") -> LabCall:
        """Return the next recorded call of ``caller``."""
        mine = set(caller.card.profile.impu)
        calls = [call for call in self.capture.call_list if call.caller in mine]
        given = self._given.get(f"calls of {caller.name}", 0)
        if not calls:
            raise ImslabError(f"the trace holds no call of {caller.name}")
        self._given[f"calls of {caller.name}"] = given + 1
        found = calls[min(given, len(calls) - 1)]
        return LabCall(
            lambda: self.capture, found.call_id, caller, callee if isinstance(callee, Subscriber) else None
        )

    def _known(self) -> list[Profile]:
        """Return the profiles whose keys the lab knows: with them the capture verifies every number."""
        return [s.profile for s in (self.alice, self.bob) if s.profile is not None]


def _open(trace: str | Path) -> "Capture":
    from imslab.capture import open_capture

    return open_capture(trace, profile=[Profile.load(profile_path(name)) for name in NAMES])
