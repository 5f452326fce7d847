"""The object a notebook starts with: two subscribers, a core, and everything recorded.

    lab = imslab.Lab()                                     # software cards, an embedded core
    lab = imslab.Lab(reader="auto")                        # alice's card is the one in the PC/SC reader
    lab = imslab.Lab(core="kamailio")                      # the same on a real IMS core
    lab = imslab.Lab(hss="aaa://192.0.2.1:3868")           # our core asks somebody else's HSS
    lab = imslab.Lab(trace="data/traces/register-akav2.pcapng")   # nothing live: a recording

The same cells run on all of them. What happens is written into one trace with one clock, and
every picture is drawn from that trace: what you see is what Wireshark will see.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imslab.data import profile_path
from imslab.errors import CardError, ImslabError, Malformed
from imslab.ims.scscf import Policy
from imslab.ims.ue import EXPIRES
from imslab.ipsec.offer import chosen
from imslab.lab.call import LabCall, LiveCall, endpoint
from imslab.lab.call import callee as decide
from imslab.lab.card import LabCard, profile_of
from imslab.lab.recording import Recording
from imslab.lab.seeded import Seeded
from imslab.lab.subscriber import Subscriber
from imslab.uicc import Card, Link, Profile

if TYPE_CHECKING:
    from imslab.capture import Capture, Registration
    from imslab.ims.node import Event
    from imslab.kamailio import Kamailio
    from imslab.lab.network import HomeNetwork
    from imslab.media import Endpoint
    from imslab.net.core import Core
    from imslab.net.gba import Browser, WebOperator
    from imslab.net.terminal import Terminal

__all__ = ["Lab", "LabCall", "LabCard", "LiveCall", "Seeded", "Subscriber"]

NAMES = ("alice", "bob")
KINDS = ("embedded", "kamailio")
ESP_WAYS = ("link", "udp", "raw")


class Lab:
    """Subscribers alice and bob, and a home network.

    ``reader``   "auto", or a part of a reader's name: alice's card is there. "auto" takes the software card
                 where there is no reader or no card, and says so in ``notes``
    ``profile``  the profile of the card in the reader, if you know its keys (a programmable card)
    ``trace``    a capture to look at in place of anything live
    ``core``     "embedded", or "kamailio": a P-, I- and S-CSCF of Kamailio, with our HSS behind them
    ``hss``      a foreign HSS, "aaa://HOST:PORT", which must know the subscribers; None: our own
    ``policy``   what the S-CSCF offers: ``imslab.ims.scscf.Policy``
    ``esp``      how ESP travels where a subscriber registers with ``ipsec``: "link" within the process, "udp"
                 as behind a NAT, "raw" as what it is, which takes root
    ``seed``     text: random octets are derived from it and are the same in each run (never for real keys)
    """

    def __init__(
        self,
        *,
        reader: str | None = None,
        profile: str | Path | Profile | None = None,
        trace: str | Path | None = None,
        core: str = "embedded",
        hss: str | None = None,
        policy: Policy | None = None,
        seed: str | None = None,
        esp: str = "link",
    ) -> None:
        from imslab.net.tap import Clock

        if trace is not None and reader is not None:
            raise Malformed("a lab is live or a recording", expected="reader or trace, not both")
        if core not in KINDS:
            raise Malformed(f"unknown core {core!r}", expected=" or ".join(KINDS))
        if esp not in ESP_WAYS:
            raise Malformed(f"unknown way for ESP {esp!r}", expected=" or ".join(ESP_WAYS))
        self.notes: list[str] = []
        self.log: list[Event] = []
        self.clock = Clock()
        self._random = os.urandom if seed is None else Seeded(seed)
        if hss is not None and core == "kamailio":
            raise Malformed("Kamailio is given our own HSS", expected="hss with the embedded core")
        self._settings, self._hss, self._esp = (core, policy), hss, esp
        self._network: HomeNetwork | None = None
        self._kept = b""
        self._cached: tuple[int, Capture] | None = None
        self._recording: Recording | None = None
        self._calls: list[LiveCall] = []
        if trace is not None:
            recording = self._recording = Recording(trace, NAMES)
            self.alice, self.bob = (
                Subscriber(self, name, LabCard(recording.card(name), self.clock), None) for name in NAMES
            )
        else:
            self.alice = self._live("alice", reader, profile)
            self.bob = self._live("bob", None, None)

    # -- what a notebook looks at -----------------------------------------------------------

    @property
    def mode(self) -> str:
        """What this lab runs on, in words, for the top of a notebook."""
        if self._recording is not None:
            return "captured trace"
        cards = "software cards" if self.alice.card.software else "card in the reader"
        return f"live, {cards}" + (", Kamailio" if self._settings[0] == "kamailio" else "")

    @property
    def capture(self) -> "Capture":
        """Everything so far, as a Capture."""
        if self._recording is not None:
            return self._recording.capture
        from imslab.capture import open_capture

        octets = self._kept if self._network is None else self._octets(self._network)
        if not octets:
            raise ImslabError("nothing has happened yet: await lab.alice.register() first")
        if self._cached is None or self._cached[0] != len(octets):
            self._cached = len(octets), open_capture(octets, profile=self._known())
        return self._cached[1]

    @property
    def web(self) -> "WebOperator":
        """The BSF and the web application of the network; they are there from the first ``browser()`` on."""
        if self._network is None or self._network.web is None:
            raise ImslabError("no web application is running: await lab.alice.browser() first")
        return self._network.web

    @property
    def core(self) -> "Core | Kamailio":
        """The core; in a recording there is none."""
        if self._network is None:
            raise ImslabError("the core is not running: await lab.start(), or register first")
        return self._network.core

    def save(self, path: str | Path) -> Path:
        """Write the trace so far as pcapng, for Wireshark and ``imslab inspect``."""
        if self._recording is not None:
            raise ImslabError("this lab is a recording already: copy its file")
        target = Path(path)
        target.write_bytes(self._kept if self._network is None else self._octets(self._network))
        return target

    def close(self) -> None:
        """Close every socket. A lab can be closed twice."""
        self._hang_up_terminals()
        if self._network is not None:
            self._kept = self._octets(self._network)  # what was recorded can be looked at when all is over
            self._network.close()
            self._network = None

    async def __aenter__(self) -> "Lab":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up every call that still runs, stop the core, and close every socket."""
        for call in list(self._calls):
            await call.hang_up()
        self._hang_up_terminals()
        if self._network is not None:
            self._kept = self._octets(self._network)
            await self._network.stop()
            self._network = None

    def __repr__(self) -> str:
        return f"<Lab: {self.mode}>"

    # -- live -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the core; ``register`` does it by itself."""
        if self._recording is None:
            await self._home()

    async def _home(self) -> "HomeNetwork":
        """Return the network of a live lab, which begins to run now if it has not yet."""
        from imslab.lab.network import HomeNetwork

        if self._network is None:
            kind, policy = self._settings
            network = HomeNetwork(
                kind,
                policy=policy,
                hss=self._hss,
                esp=self._esp,
                clock=self.clock,
                random=self._random,
                on_event=self.log.append,
            )
            await network.start()
            self._network = network
            for subscriber in (self.alice, self.bob):
                self._insert(network, subscriber)
        return self._network

    async def _settled(self) -> None:
        if self._network is not None:
            await self._network.settled()

    def _insert(self, network: "HomeNetwork", subscriber: Subscriber) -> None:
        """Let the HSS know a subscriber, and reset the card: that is how a trace begins."""
        assert subscriber.profile is not None
        if network.knows_subscribers:
            network.core.hss.add(subscriber.profile)
        atr, name = subscriber.card.reset(), subscriber.name
        network.tap.reset(network.hosts[name], network.hosts[f"{name}'s card"], atr)

    def _hang_up_terminals(self) -> None:
        self._calls.clear()
        for subscriber in (self.alice, self.bob):
            if subscriber._terminal is not None:
                subscriber._terminal.close()
                subscriber._terminal = None

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
        if self._network is not None:
            self._insert(self._network, subscriber)

    async def _register(
        self,
        subscriber: Subscriber,
        algorithm: str | None,
        transport: str,
        expires: int,
        ipsec: "bool | str | Iterable[str]",
    ) -> "Registration":
        if self._recording is not None:
            return self._recording.registration(subscriber, algorithm)
        terminal = await self._terminal(subscriber, transport, expires, chosen(ipsec))
        try:
            registered = await terminal.register(algorithm)
        finally:
            self._drain()
            await self._settled()
        return next(r for r in reversed(self.capture.logins) if r.call_id == registered.call_id)

    async def _repeat(
        self, subscriber: Subscriber, times: int, algorithms: Sequence[str | None], transport: str
    ) -> "list[Registration]":
        if self._recording is not None:
            return self._recording.repeats(subscriber, times, algorithms, transport)
        old = subscriber._terminal
        terminal = await self._terminal(subscriber, transport, EXPIRES, () if old is None else old.ipsec)
        for algorithm in times * list(algorithms):
            await terminal.register(algorithm)
            self._drain()
        await self._settled()
        impi = subscriber.card.profile.impi
        return [r for r in self.capture.logins if r.impi == impi][-times * len(algorithms) :]

    async def _call(
        self,
        caller: Subscriber,
        callee: "Subscriber | str",
        media: "str | Callable[..., Endpoint]",
        profiles: tuple[str, ...],
        answer: int | None,
        rings: float,
    ) -> LabCall:
        if self._recording is not None:
            return self._recording.call(caller, callee)
        terminal, network = await self._on_the_air(caller), await self._home()
        make = partial(self._endpoint, network, media, profiles)
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
        call = LiveCall(
            lambda: self.capture,
            caller,
            known,
            signalling,
            ends,
            video=media == "webrtc",
            settled=self._settled,
        )
        try:
            await call.connected()
        except BaseException:
            await call.hang_up()
            raise
        self._calls.append(call)
        return call

    def _endpoint(
        self,
        network: "HomeNetwork",
        media: "str | Callable[..., Endpoint]",
        profiles: tuple[str, ...],
        name: str,
    ) -> "Endpoint":
        host, tap = network.hosts[name], network.tap
        return endpoint(media, profiles, name, host, tap=tap, clock=self.clock, random=self._random)

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
        terminal = await self._on_the_air(sender)
        if isinstance(recipient, Subscriber):
            if not recipient._left:
                await self._on_the_air(recipient)
            recipient = recipient.card.profile.impu[0]
        await terminal.message(recipient, text)
        await self._settled()

    async def _terminal(
        self, subscriber: Subscriber, transport: str, expires: int, ipsec: tuple[str, ...]
    ) -> "Terminal":
        from imslab.net.terminal import Terminal

        network = await self._home()
        if not subscriber.card.profile.pcscf:
            self.notes.append("The card names no P-CSCF: the lab's own is taken.")
        address = network.proxy(transport)  # the lab is the DNS of its own names
        if ipsec and network.esp is None:
            raise ImslabError(
                "Kamailio leaves IPsec to the kernel, imslab does it in user space: take the embedded core"
            )
        old, wanted = subscriber._terminal, (address, subscriber.card.profile, ipsec)
        if old is not None and (old.proxy, old.identity, old.ipsec) == wanted:
            return old
        if subscriber._terminal is not None:
            subscriber._terminal.close()
        terminal = Terminal(
            subscriber.card.profile,
            subscriber.card,
            address,
            host=network.hosts[subscriber.name],
            slow=subscriber.card.software is None,
            expires=expires,
            random=self._random,
            clock=self.clock,
            tap=network.ue_tap,
            on_event=self.log.append,
            after_card=self._drain,
            ipsec=ipsec,
            esp=network.esp,
        )
        self._drain()
        await terminal.open()
        subscriber._terminal = terminal
        return terminal

    async def _browser(self, subscriber: Subscriber, uicc: bool) -> "Browser":
        from imslab.net.gba import Browser

        if self._recording is not None:
            raise ImslabError("this lab is a recording, nothing answers here: look at lab.capture.ladder()")
        network = await self._home()
        web = await network.operator()
        impi = subscriber.card.profile.impi
        change = web.bsf.gba_u.add if uicc else web.bsf.gba_u.discard
        change(impi)  # what the user security settings in an HSS say
        self._drain()
        return Browser(
            subscriber.card.client,
            impi,
            web.names,
            host=network.hosts[subscriber.name],
            uicc=uicc,
            slow=subscriber.card.software is None,
            random=self._random,
            clock=self.clock,
            after_card=self._drain,
        )

    def _octets(self, network: "HomeNetwork") -> bytes:
        self._drain()
        return network.octets()

    def _drain(self) -> None:
        """Note what the cards have said, before what comes next."""
        network = self._network
        if network is None:
            return
        for subscriber in (self.alice, self.bob):
            waiting, name = subscriber.card.waiting, subscriber.name
            while waiting:
                network.tap.card(network.hosts[name], network.hosts[f"{name}'s card"], waiting.popleft())

    def _known(self) -> list[Profile]:
        """Return the profiles whose keys the lab knows: with them the capture verifies every number."""
        return [s.profile for s in (self.alice, self.bob) if s.profile is not None]
