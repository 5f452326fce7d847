"""GBA on sockets: a BSF and a web application, and a browser that logs in with the card.

Spec: 3GPP TS 33.220, 4.5 and 5.3 (GBA_ME: Ks in the terminal; GBA_U: Ks in the card), TS 24.109.
The BSF asks the HSS in memory, and the NAF asks the BSF so (Zn); the trace shows Ub, Ua and Zh.
"""

import asyncio
import html
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from imslab.aka import Answer, digest, gba
from imslab.errors import ImslabError, MacFailure, SyncFailure
from imslab.ims import cx
from imslab.ims import gba as terminal
from imslab.ims.bsf import LIFETIME, Bsf
from imslab.ims.gba import BootstrappingInfo, GbaFailed
from imslab.ims.http import Request, Response
from imslab.ims.naf import Naf
from imslab.ims.node import Address, RandomSource
from imslab.net.http import HttpServer, send
from imslab.net.tap import Clock, Tap
from imslab.sip import Challenge, Credentials

BSF_NAME = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
NAF_NAME = "shop.example.com"
_ROUNDS = 2  # challenges of one bootstrapping: the second one after AUTS
T = TypeVar("T")


class GbaCard(Protocol):
    """A card as the browser sees it: ``imslab.uicc.IsimClient`` is one."""

    def authenticate(self, rand: bytes, autn: bytes) -> Answer:
        """Return RES, CK and IK (GBA_ME)."""
        ...

    def gba_bootstrap(self, rand: bytes, autn: bytes) -> bytes:
        """Return RES; Ks stays in the card (GBA_U)."""
        ...

    def gba_store(self, rand: bytes, b_tid: str, lifetime: str) -> None:
        """Keep the B-TID and the lifetime."""
        ...

    def gba_naf(self, naf_id: bytes, impi: str) -> bytes:
        """Return Ks_ext_NAF."""
        ...


class WebOperator:
    """A BSF and one NAF of a home network, each on its own address; use ``start`` and ``close``.

    ``ask``    asks the HSS: ``Hss.ask``
    ``hosts``  addresses of "bsf" and "naf"; their ports are free ones
    ``page``   what the web application shows to a user whose IMPI the BSF has vouched for
    """

    def __init__(
        self,
        ask: Callable[[cx.Request, float], cx.Answer],
        *,
        hosts: Mapping[str, str],
        random: RandomSource = os.urandom,
        clock: Clock | None = None,
        tap: Tap | None = None,
        lifetime: float = LIFETIME,
        page: Callable[[str, Request], bytes] | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._ask_hss, self._tap = ask, tap
        self.bsf = Bsf(BSF_NAME, self._ask, random=random, lifetime=lifetime)
        self.naf = Naf(NAF_NAME, self.bsf.keys, page or welcome, random=random)
        machines = {"bsf": self.bsf.receive, "naf": self.naf.receive}
        self._servers = {
            name: HttpServer(
                machine, host=hosts[name], port=(ports or {}).get(name, 0), clock=self.clock, tap=tap
            )
            for name, machine in machines.items()
        }

    @property
    def names(self) -> dict[str, Address]:
        """What a DNS would say: domain name -> address."""
        return {BSF_NAME: self._servers["bsf"].address, NAF_NAME: self._servers["naf"].address}

    async def start(self) -> None:
        """Open both sockets; NetworkError, and nothing left open, when one is taken."""
        try:
            for server in self._servers.values():
                await server.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close both sockets."""
        for server in self._servers.values():
            server.close()

    def _ask(self, request: cx.Request, now: float) -> cx.Answer:
        asked = self.clock()
        answer = self._ask_hss(request, now)
        if self._tap is not None:
            self._tap.asked(self._servers["bsf"].address, request, answer, asked, self.clock())
        return answer


def welcome(impi: str, request: Request) -> bytes:
    """Return a small page of a shop: it never asked who you are."""
    who, what = html.escape(impi), html.escape(request.target)
    return (
        "<!DOCTYPE html><title>A shop</title><h1>Welcome</h1>"
        f"<p>You are <b>{who}</b>. Your operator says so, and your card has proved it.</p>"
        f"<p>You asked for <code>{what}</code>.</p>"
    ).encode()


@dataclass(frozen=True, slots=True)
class Bootstrapping:
    """What a browser keeps after Ub. ``ks`` (32 octets) is None with GBA_U: the card has it."""

    b_tid: str
    expires: float
    rand: bytes
    ks: bytes | None = field(repr=False, default=None)

    @property
    def lifetime(self) -> str:
        """When the keys end, as the BSF writes it."""
        return BootstrappingInfo(self.b_tid, self.expires).lifetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a NAF gave, after it has proved that it knows the key."""

    url: str
    body: str
    b_tid: str

    def _repr_html_(self) -> str:
        return f"<iframe sandbox srcdoc='{html.escape(self.body)}' style='width:100%;height:12em'></iframe>"


class Browser:
    """The terminal: bootstraps over Ub, then logs in over Ua.

    ``names``       what the DNS says: domain name -> address
    ``uicc``        GBA_U: Ks never leaves the card. Else GBA_ME: the terminal computes Ks of CK and IK
    ``slow``        the card is a real one, which must not block the loop
    ``after_card``  called after each answer of the card, for the trace
    """

    def __init__(
        self,
        card: GbaCard,
        impi: str,
        names: Mapping[str, Address],
        *,
        host: str,
        uicc: bool = False,
        bsf: str = BSF_NAME,
        slow: bool = False,
        random: RandomSource = os.urandom,
        clock: Clock | None = None,
        after_card: Callable[[], None] | None = None,
    ) -> None:
        self.impi, self.names, self.host, self.uicc = impi, names, host, uicc
        self.bootstrapping: Bootstrapping | None = None
        self._card, self._bsf, self._slow, self._random = card, bsf, slow, random
        self._clock, self._after_card = clock or Clock(), after_card

    async def bootstrap(self) -> Bootstrapping:
        """Run Ub once, with a resynchronisation where the card asks for one.

        Raises MacFailure, GbaFailed (with the server's words), WrongResponse, CardError or NetworkError.
        """
        request = terminal.first_request(self._bsf, self.impi)
        for _ in range(_ROUNDS):
            response = await self._send(self._bsf, request)
            asked = terminal.challenge(response, self._bsf)
            if (asked.algorithm or "").lower() != terminal.ALGORITHM.lower():
                raise GbaFailed(f"the BSF asks for {asked.algorithm}, not {terminal.ALGORITHM}", status=401)
            rand, autn, _data = digest.parse_nonce(asked.nonce)
            try:
                res, ks = await self._ask_card(self._prove, rand, autn)
            except SyncFailure as failure:
                request = self._answered(request, asked, b"", failure.auts)
                continue
            except MacFailure:
                await self._give_up(request, asked)
                raise
            return await self._finish(self._answered(request, asked, res), res, rand, ks)
        raise GbaFailed("the SQN is stale again after a resynchronisation: HSS and card do not agree")

    async def open(self, url: str) -> Page:
        """Log in to a web application and return its page; bootstraps first where there is no valid key.

        Raises GbaFailed when it refuses (with its words), WrongResponse when it cannot prove itself, and what
        ``bootstrap`` raises.
        """
        name, target = _divide(url)
        request = terminal.get(name, target, terminal.UICC_AGENT if self.uicc else terminal.AGENT)
        asked = terminal.challenge(await self._send(name, request), terminal.REALM + name)
        run = self.bootstrapping
        if run is None or run.expires <= self._clock():
            run = await self.bootstrap()
        key = await self._ask_card(self._key, run, gba.naf_id(name))
        password = gba.password(key).encode()
        request = terminal.answer(request, asked, run.b_tid, password, cnonce=self._random(8).hex())
        response = await self._send(name, request)
        if response.status != 200:
            self.bootstrapping = None if response.status == 401 else run  # 401: the next try begins with Ub
            raise terminal.failure(response)
        terminal.believe(request, response, password)
        return Page(url, response.body.decode("utf-8", "replace"), run.b_tid)

    async def _finish(self, request: Request, res: bytes, rand: bytes, ks: bytes | None) -> Bootstrapping:
        response = await self._send(self._bsf, request)
        if response.status != 200:
            raise terminal.failure(response)
        terminal.believe(request, response, res)
        info = BootstrappingInfo.parse(response.body)
        if info.b_tid != gba.b_tid(rand, self._bsf):
            raise GbaFailed("the B-TID is not that of this run")
        if self.uicc:
            await self._ask_card(self._card.gba_store, rand, info.b_tid, info.lifetime)
        self.bootstrapping = Bootstrapping(info.b_tid, info.expires, rand, ks)
        return self.bootstrapping

    async def _give_up(self, request: Request, asked: Challenge) -> None:
        """Tell the BSF that its challenge was not accepted: no response and no auts (TS 24.109, 4.3)."""
        said = Credentials.digest(
            username=self.impi, realm=self._bsf, nonce=asked.nonce, uri=request.target, response=""
        )
        await self._send(self._bsf, request.having("Authorization", str(said)))

    def _prove(self, rand: bytes, autn: bytes) -> tuple[bytes, bytes | None]:
        if self.uicc:
            return self._card.gba_bootstrap(rand, autn), None
        answer = self._card.authenticate(rand, autn)
        return answer.res, gba.ks(answer.ck, answer.ik)

    def _key(self, run: Bootstrapping, naf_id: bytes) -> bytes:
        if run.ks is None:
            return self._card.gba_naf(naf_id, self.impi)
        return gba.ks_naf(run.ks, run.rand, self.impi, naf_id)

    def _answered(
        self, request: Request, asked: Challenge, password: bytes, auts: bytes | None = None
    ) -> Request:
        cnonce = self._random(8).hex()
        return terminal.answer(request, asked, self.impi, password, cnonce=cnonce, auts=auts)

    async def _send(self, name: str, request: Request) -> Response:
        if name not in self.names:
            raise ImslabError(f"no address is known for {name}; there are: {', '.join(self.names)}")
        return await send(request, self.names[name], host=self.host)

    async def _ask_card(self, question: Callable[..., T], *arguments: object) -> T:
        try:
            if self._slow:
                return await asyncio.to_thread(question, *arguments)
            return question(*arguments)
        finally:
            if self._after_card is not None:
                self._after_card()


def _divide(url: str) -> tuple[str, str]:
    """Return name and target of an http URL; the lab is the DNS, so there is no port in it."""
    scheme, mark, rest = url.partition("://")
    name, slash, target = rest.partition("/")
    if scheme.lower() != "http" or not mark or not name or not (url.isascii() and url.isprintable()):
        raise GbaFailed(f"{url!r} is no address of a page; write http://name/path")
    return name, slash + target or "/"
