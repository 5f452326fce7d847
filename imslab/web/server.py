"""The demo, whole: the page, the core, a bridge and a card for each subscriber, and a trace of all of it.

Spec: 3GPP TS 23.228, annex U, and TS 24.371 (WebRTC access to the IMS: the web server is the WWSF, the P-CSCF
with its WebSocket the eP-CSCF), TS 33.203, annex X. Two browsers on one machine stand for two people: each
has a card of its own, in a reader of its own, behind a bridge of its own.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from imslab.data import profile_path
from imslab.errors import ImslabError, NetworkError
from imslab.ims.node import Event, RandomSource
from imslab.ims.scscf import Policy
from imslab.ims.webrtc_access import ha1
from imslab.net.core import Core
from imslab.net.http import HttpServer
from imslab.net.tap import Clock
from imslab.net.trace import TraceWriter
from imslab.uicc import Profile
from imslab.web.audit import Entry
from imslab.web.authorisation import Authorisation
from imslab.web.caller import TRANSMIT
from imslab.web.certificate import Certificate, make
from imslab.web.pages import Pages
from imslab.web.person import BROWSER, CARD, Person
from imslab.web.robot import Robot
from imslab.web.tap import DemoTap

HOST, PORT = "127.0.0.1", 8080
# The last octet of each node's address; a browser and its card have theirs in the trace only.
_PCSCF, _SCSCF, _HSS = 21, 31, 41
_BLOCKS = 50  # networks side by side on one machine: 127.0.0.x, 127.0.1.x, ...
_PROVENANCE = "imslab demo: live, pages of a browser, bridges to software cards, the embedded core"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, the bridges from ``bridge`` on, one after the other; 0 takes any free port."""

    web: int = PORT
    bridge: int = PORT + 1
    sip: int = 5060
    websocket: int = 5080

    @classmethod
    def any(cls) -> "Ports":
        """Return ports that the system chooses."""
        return cls(0, 0, 0, 0)


class Demo:
    """Everything that the browser demo needs, in this process; ``start`` it and ``close`` it.

    ``subscribers``  names in data/profiles, or profiles; each gets a page, a software card and a bridge
    ``reader``       a part of a PC/SC reader's name, or "auto": the first subscriber's card is there
    ``profile``      what the HSS knows of that card; by default what it knows of the software card
    ``core``         the WebSocket of another P-CSCF (ws:// or wss://); then there is no core here
    ``tls``          the page over https and SIP over wss, with a certificate made now
    ``host``         where the page is served; beyond 127.0.0.1 a browser wants ``tls``
    ``mode``         what the bridges let a page do: "transmit" or "answer"
    ``robot``        the profile of a Python subscriber that answers every call; None for none
    ``passwords``    for some subscribers a password: the other two ways of annex X are open to them
    ``trace``        a binary file for everything, as pcapng: ``flush`` writes what is there, ``recording``
                     gives it with the secrets of calls
    ``on_code``      called with a subscriber's name and each pairing code of its bridge
    """

    def __init__(
        self,
        subscribers: Sequence[str | Profile] = ("alice", "bob"),
        *,
        host: str = HOST,
        ports: Ports = Ports(),
        reader: str | None = None,
        profile: Profile | None = None,
        core: str | None = None,
        tls: bool = False,
        mode: str = TRANSMIT,
        robot: str | None = "carol",
        passwords: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        random: RandomSource = os.urandom,
        clock: Clock | None = None,
        trace: BinaryIO | None = None,
        on_code: Callable[[str, str], None] | None = None,
        on_event: Callable[[Event | Entry], None] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.host, self.ports, self.mode = host, ports, mode
        self._other_core, self._policy, self.random = core, policy, random
        self._trace, self.on_code, self.on_event = trace, on_code, on_event
        self.certificate: Certificate | None = make([host, "localhost"]) if tls else None
        profiles = [
            one if isinstance(one, Profile) else Profile.load(profile_path(one)) for one in subscribers
        ]
        self.people = {one.name: Person(self, one, number) for number, one in enumerate(profiles)}
        first = next(iter(self.people.values()))
        first.reader, first.profile = reader, profile or first.profile
        self.passwords = dict(passwords or {})
        accounts = {name: (word, self.people[name].profile.impi) for name, word in self.passwords.items()}
        self.authorisation = Authorisation(accounts, random=random)
        self.block = 0
        self.tap: DemoTap | None = None
        self.core: Core | None = None
        self.web: HttpServer | None = None
        self._robot_name = robot if core is None else None  # nobody elsewhere knows its card
        self.robot: Robot | None = None

    # -- what stands where --------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """The web origin of the pages: scheme, host and port."""
        if self.web is None:
            raise ImslabError("the demo is not running: await start()")
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.web.address.port}"

    @property
    def sip(self) -> str:
        """The WebSocket of the P-CSCF."""
        if self._other_core is not None:
            return self._other_core
        if self.core is None:
            raise ImslabError("the demo is not running: await start()")
        address = self.core.addresses["WS"]
        return f"{'wss' if self.certificate else 'ws'}://{address.host}:{address.port}"

    def page(self, name: str, *, paired: bool = True) -> str:
        """Return the address that opens a subscriber's page; with the code that pairs it, good once."""
        code = f"#pair={self.people[name].bridge.pairing.code}" if paired else ""
        return f"{self.origin}/{name}{code}"

    # -- start and end ------------------------------------------------------------------------

    async def start(self) -> None:
        """Open every socket; NetworkError, and nothing left open, when one is taken."""
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        settings = {name: person.settings for name, person in self.people.items()}
        deeds = {f"POST /{name}/token": partial(self.authorisation.answer, name) for name in self.passwords}
        pages = Pages(settings, connect=self._connect, hosts=self._hosts, health=self.health, deeds=deeds)
        tls = self.certificate.context() if self.certificate else None
        columns: dict[str, str] = {}
        if self._trace is not None:
            writer = TraceWriter(self._trace, comment=_PROVENANCE)
            self.tap = DemoTap(writer, self.clock, columns=columns)
        web = HttpServer(pages, host=self.host, port=self.ports.web, clock=self.clock, tap=self.tap, tls=tls)
        await web.start()
        self.web = web
        if self._other_core is None:
            await self._take_block()
        columns |= {name: person.host for name, person in self.people.items()}
        for number, person in enumerate(self.people.values()):
            await person.start(self.ports.bridge and self.ports.bridge + number)
        if self._robot_name is not None:
            await self._start_robot(self._robot_name)
        self._name_columns()

    async def _start_robot(self, name: str) -> None:
        assert self.core is not None
        last = BROWSER + len(self.people)
        self.robot = Robot(
            name,
            self.core.addresses["UDP"],
            host=self.address(last),
            card_host=self.address(last + CARD - BROWSER),
            random=self.random,
            clock=self.clock,
            tap=self.tap,
            on_event=self.on_event,
        )
        self.core.add([self.robot.profile])
        await self.robot.start()

    async def _take_block(self) -> None:
        """Start the core at the first addresses where no other network of the lab stands."""
        for self.block in range(_BLOCKS):
            try:
                await self.start_core()
                return
            except NetworkError as error:
                taken = error
        raise taken

    async def start_core(self) -> None:
        """Start the embedded core, at the ports that it had before if it had any."""
        ports = self.core.addresses if self.core else {}
        core = Core(
            # A browser that was told to believe a certificate believes it for one host, and no other.
            host=self.host if self.certificate else self.address(_PCSCF),
            port=ports["UDP"].port if ports else self.ports.sip,
            websocket_port=ports["WS"].port if ports else self.ports.websocket,
            scscf=self.address(_SCSCF),
            policy=self._policy,
            origins=(self.origin,),
            random=self.random,
            clock=self.clock,
            tap=self.tap,
            on_event=self.on_event,
            tls=self.certificate.context() if self.certificate else None,
            vouch=self.authorisation.vouch if self.passwords else None,
        )
        try:
            await core.start()
        except NetworkError:
            core.close()
            raise
        core.add(person.profile for person in self.people.values())
        for name, password in self.passwords.items():
            profile = self.people[name].profile
            core.hss.set_ha1(profile.impi, ha1(profile.impi, profile.domain, password))
        if self.robot is not None:
            core.add([self.robot.profile])
        self.core = core
        if self.robot is not None:
            await self.robot.register()

    async def stop_core(self) -> None:
        """Stop the embedded core, as a fault would; ``start_core`` brings it back with an empty memory."""
        if self.core is not None:
            self.core.close()
            await asyncio.sleep(0)  # asyncio closes its sockets in its next turn

    def flush(self) -> None:
        """Write into the trace what has passed so far."""
        if self.tap is not None:
            self.tap.flush()

    def recording(self) -> bytes:
        """Return the trace so far, with the secrets of its calls; ImslabError when none is written.

        The file must be open for reading too.
        """
        if self._trace is None or self.tap is None:
            raise ImslabError("this demo writes no trace: give it a file, Demo(trace=io.BytesIO())")
        self.flush()
        self._trace.seek(0)
        octets = self._trace.read()  # and the position is at the end again, where more is written
        return self.tap.writer.with_secrets(octets)

    async def close(self) -> None:
        """Close everything; a demo can be closed twice."""
        for person in self.people.values():
            await person.close()
        if self.robot is not None:
            await self.robot.close()
        if self.core is not None:
            self.core.close()
        if self.web is not None:
            self.web.close()
        self.flush()

    async def __aenter__(self) -> "Demo":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- what pages and people are told --------------------------------------------------------

    def health(self) -> Mapping[str, Any]:
        """Return the state of every part, in plain values."""
        scscf = self.core.scscf if self.core else None
        registered = [
            name
            for name, person in self.people.items()
            if scscf is not None and scscf.registrar.by_impi(person.profile.impi) is not None
        ]
        return {
            "page": self.origin,
            "core": "another one" if self._other_core else "here",
            "P-CSCF": self.sip,
            "registered": registered,
            "cards": {name: person.card_state() for name, person in self.people.items()},
            "bridges": {name: person.bridge.url for name, person in self.people.items()},
            "pages connected": {name: person.bridge.pages for name, person in self.people.items()},
        }

    def contacts(self, name: str) -> list[dict[str, str]]:
        """Return whom a subscriber can call: the others, and the robot."""
        others = [person for person in self.people.values() if person.name != name]
        found = [{"name": one.name, "uri": one.profile.impu[0], "about": one.number} for one in others]
        if self.robot is not None:
            uri = self.robot.profile.impu[0]
            found.append({"name": self.robot.name, "uri": uri, "about": "a robot: echo and clock"})
        return found

    def _connect(self) -> list[str]:
        sockets = [self.sip, *(person.bridge.url for person in self.people.values())]
        return ["/".join(url.split("/", 3)[:3]) for url in sockets]

    def _hosts(self) -> list[str]:
        port = self.web.address.port if self.web else 0
        return [f"{self.host}:{port}"]

    def address(self, last: int) -> str:
        """Return the address with this last octet in the block that this demo has taken."""
        return f"127.0.{self.block}.{last}"

    def _name_columns(self) -> None:
        if self.tap is None:
            return
        names = {_PCSCF: "p-cscf", _SCSCF: "s-cscf", _HSS: "hss"}
        addresses = {self.address(last): name for last, name in names.items()} | {self.host: "this machine"}
        if self.robot is not None:
            addresses |= {self.robot.host: self.robot.name, self.robot.card_host: f"{self.robot.name}'s card"}
        for person in self.people.values():
            addresses |= {person.host: person.name, person.card_host: f"{person.name}'s card"}
        for address, name in addresses.items():
            self.tap.writer.name(address, name)
