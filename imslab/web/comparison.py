"""Three ways to log in from a web page, and what each attacker gets: a table that is made from a run.

Spec: 3GPP TS 33.203, annex X. For each way a user logs in at a network of the lab. Then each attacker, with
what he has seen or taken, tries everything that he can do with it: at once, after the page is closed, and a
day later. What stands in the table is what the network let him do. Nothing waits: the clock is moved.

Teaching code: it is not constant time, and the words that the eavesdropper tries are few.
"""

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from imslab.aka import Answer, digest
from imslab.errors import AkaError, BridgeRefused
from imslab.ims.hss import Hss
from imslab.ims.network import Network
from imslab.ims.node import Address, RandomSource
from imslab.ims.webrtc_access import EnhancedPcscf, WebScscf, ha1
from imslab.sip import Challenge, Message
from imslab.uicc import Card, IsimClient, Profile
from imslab.uicc.access import lab_rules
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.answer import Question, answer
from imslab.web.authorisation import Authorisation
from imslab.web.element import SecureElement
from imslab.web.slot import SoftwareSlot

PASSWORD, CARD, CARD_ANSWERS, TOKEN = "password", "card", "card, bridge answers", "web token"
WAYS = {
    PASSWORD: "types name and password",
    CARD: "clicks once",
    CARD_ANSWERS: "clicks once",
    TOKEN: "logs in at the web server",
}
ATTACKERS = {
    "network": "reads the signalling, and may send",
    "server": "runs the web server, and leaves the page as it is",
    "script": "has code in the page while the user logs in",
    "laptop": "steals the laptop with what a browser stores; the card is in the owner's pocket",
    "replay": "sends once more what was sent",
}
WORDS = ("123456", "password", "qwerty", "letmein", "dragon", "Circle of Life", "football", "monkey")
DAY = 86_400.0  # seconds
_ORIGIN = "http://127.0.0.1:8080"
_USER, _MALLORY = Address("127.0.0.11", 5060), Address("127.0.0.66", 5060)
_PCSCF, _SCSCF = Address("127.0.0.21", 5060), Address("127.0.0.31", 5060)
Oracle = Callable[[Challenge], "dict[str, str] | None"]  # a challenge -> the directives that answer it


@dataclass(slots=True)
class Loot:
    """What an attacker has: secrets, messages, a mint for tokens, or who answers challenges for him."""

    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    keys: Answer | None = field(default=None, repr=False)
    messages: tuple[Message, ...] = ()
    oracle: Oracle | None = None
    mint: Callable[[], str] | None = None

    @property
    def words(self) -> str:
        """What it is, in words."""
        found = {
            "the password": self.password,
            "the token": self.token,
            "RES, CK and IK of this login": self.keys,
        }
        return ", ".join(name for name, value in found.items() if value) or "no secret"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attacker got from one way: whether he was registered at once, later, a day later."""

    attacker: str
    way: str
    learns: str
    at_once: bool
    page_closed: bool
    a_day_later: bool

    @property
    def words(self) -> str:
        """How long he can be the user."""
        if self.a_day_later:
            return "is the user for good"
        if self.page_closed:
            return "is the user until the token runs out"
        return "is the user while the page is open" if self.at_once else "gets nothing"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All outcomes; a notebook shows it as a table."""

    outcomes: tuple[Outcome, ...]

    def of(self, attacker: str, way: str) -> Outcome:
        """Return one outcome."""
        return next(one for one in self.outcomes if (one.attacker, one.way) == (attacker, way))

    def rows(self) -> list[list[str]]:
        """Return the table: a head, what the user does, and a row for each attacker."""
        head = ["", *WAYS]
        does = ["the user", *WAYS.values()]
        found = [[name, *(self._cell(name, way) for way in WAYS)] for name in ATTACKERS]
        return [head, does, *found]

    def _cell(self, attacker: str, way: str) -> str:
        one = self.of(attacker, way)
        return f"{one.words}; learns {one.learns}"

    def _repr_html_(self) -> str:
        head, *rows = self.rows()
        first = "".join(f"<th style='text-align:left'>{html.escape(cell)}</th>" for cell in head)
        rest = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in rows
        )
        return f"<table><tr>{first}</tr>{rest}</table>"


class World:
    """One user with one way to log in, and the network that lets him in."""

    def __init__(self, profile: Profile, way: str, random: RandomSource, password: str) -> None:
        self.way, self.password, self._random = way, password, random
        self.profile = replace(profile, access=lab_rules(ISIM_AID, _ORIGIN))
        self.accounts = Authorisation({"user": (password, profile.impi)}, random=random)
        hss = Hss(random=random)
        hss.add(self.profile)
        if way == PASSWORD:
            hss.set_ha1(profile.impi, ha1(profile.impi, profile.domain, password))
        self.scscf = WebScscf(_SCSCF, profile.domain, hss.ask, random=random)
        pcscf = EnhancedPcscf(_PCSCF, _SCSCF, profile.domain, random=random, vouch=self._vouch)
        self.network = Network(pcscf, self.scscf)
        self.page_is_open = True
        self._slot = SoftwareSlot("reader", Card(self.profile))
        self._element = SecureElement(self._slot, clock=lambda: self.network.now)
        self._client = IsimClient(self._slot)
        self.last_keys: Answer | None = None
        self.last_token = ""

    def _vouch(self, token: str, now: float) -> str:
        if self.way != TOKEN:
            return Authorisation({}, random=self._random).vouch(token, now)  # nobody's token is good here
        return self.accounts.vouch(token, now)

    # -- the user -----------------------------------------------------------------------------

    def log_in(self) -> tuple[Message, ...]:
        """Let the user log in; return the REGISTERs that he sent."""
        before = len(self.network.passed)
        if self.way == TOKEN:
            self.last_token = self.accounts.issue("user", self.password, self.network.now)
            done = self.register(_USER, f'Bearer access_token="{self.last_token}"')
        elif self.way == PASSWORD:
            done = self.register(_USER, self.with_password(self.register(_USER), self.password))
        else:
            asked = self.register(_USER, self.nothing_yet())
            done = self.register(_USER, _written(self.ask_card(asked.www_authenticate[-1]) or {}))
        assert done.status == 200
        sent = [one for one in self.network.passed[before:] if one.source == _USER]
        return tuple(Message.parse(one.octets) for one in sent)

    def ask_card(self, challenge: Challenge) -> dict[str, str] | None:
        """Answer a challenge as the page does, while it is open and the card is there; None else."""
        if not self.page_is_open or self.way not in (CARD, CARD_ANSWERS):
            return None
        asked = {
            "algorithm": challenge.algorithm or "MD5",
            "realm": challenge.realm or "",
            "nonce": challenge.nonce or "",
            "qop": ",".join(challenge.qop),
            "method": "REGISTER",
            "uri": f"sip:{self.profile.domain}",
        }
        try:
            if self.way == CARD_ANSWERS:
                return answer(self._element, self._slot, _ORIGIN, Question.parse(asked), self._random)
            rand, autn, _ = digest.parse_nonce(asked["nonce"])
            self.last_keys = self._client.authenticate(rand, autn)
        except (BridgeRefused, AkaError):
            return None
        return self.with_keys(challenge, self.last_keys)

    # -- REGISTER, whoever sends it -----------------------------------------------------------

    def register(self, source: Address, authorization: str = "") -> Message:
        """Send a REGISTER from ``source`` and return the answer."""
        number = len(self.network.passed) + 1
        impu, domain = self.profile.impu[0], self.profile.domain
        headers = [
            ("Via", f"SIP/2.0/UDP {source.host}:{source.port};branch=z9hG4bK{number}"),
            ("Max-Forwards", "70"),
            ("From", f"<{impu}>;tag={number}"),
            ("To", f"<{impu}>"),
            ("Call-ID", f"{number}@{source.host}"),
            ("CSeq", f"{number} REGISTER"),
            ("Contact", f"<sip:user@{source.host}:{source.port}>;expires=600"),
            *([("Authorization", authorization)] if authorization else []),
        ]
        request = Message.request("REGISTER", f"sip:{domain}", headers=headers)
        passed = self.network.inject(bytes(request), source, _PCSCF)
        return Message.parse([one for one in passed if one.destination == source][-1].octets)

    def nothing_yet(self) -> str:
        """Return the Authorization of who asks for a challenge to the card."""
        domain = self.profile.domain
        said = {"username": self.profile.impi, "realm": domain, "nonce": "", "uri": f"sip:{domain}"}
        return _written({**said, "response": ""})

    def with_password(self, response: Message, password: str) -> str:
        """Return the answer to the first challenge of ``response`` with a password; "" when it has none."""
        plain = [one for one in response.www_authenticate if not digest.is_aka(one.algorithm)]
        if not plain:
            return ""
        said = self._said(plain[0])
        value = digest.response("MD5", method="REGISTER", password=password, **said)  # type: ignore[arg-type]
        return _written({**said, "response": value, "algorithm": "MD5"})

    def with_keys(self, challenge: Challenge, keys: Answer) -> dict[str, str]:
        """Return the directives that answer a challenge of AKA with these keys."""
        said, name = self._said(challenge), challenge.algorithm or "MD5"
        value = digest.response(
            name,
            method="REGISTER",
            res=keys.res,
            ck=keys.ck,
            ik=keys.ik,
            **said,  # type: ignore[arg-type]
        )
        return {**said, "response": value, "algorithm": name}

    def _said(self, challenge: Challenge) -> dict[str, str]:
        return {
            "username": self.profile.impi,
            "realm": challenge.realm or "",
            "nonce": challenge.nonce or "",
            "uri": f"sip:{self.profile.domain}",
            "qop": "auth",
            "nc": "00000001",
            "cnonce": self._random(8).hex(),
        }


def compare(profile: Profile, *, random: RandomSource, password: str = "Circle of Life") -> Comparison:  # noqa: S107
    """Run everything: each way, each attacker, three times; return what came of it.

    ``password``  what the user has chosen. The eavesdropper tries ``WORDS``: choose one that is not there,
                  and look what changes
    """
    return Comparison(
        tuple(_attack(name, World(profile, way, random, password)) for name in ATTACKERS for way in WAYS)
    )


def _attack(attacker: str, world: World) -> Outcome:
    sent = world.log_in()
    loot = _loot(attacker, world, sent)
    at_once = _tries(world, loot)
    world.page_is_open = False
    world.network.advance(60.0)
    closed = _tries(world, loot)
    world.network.advance(DAY)
    return Outcome(attacker, world.way, loot.words, at_once, closed, _tries(world, loot))


def _loot(attacker: str, world: World, sent: tuple[Message, ...]) -> Loot:
    """Return what this attacker has after the user has logged in."""
    in_page = Loot(
        password=world.password if world.way in (PASSWORD, TOKEN) else "",
        token=world.last_token,
        keys=world.last_keys,
    )
    if attacker == "network":
        return Loot(password=_guessed(sent), token=_overheard(sent), messages=sent)
    if attacker == "server":
        # It needs no password to make a token: that is its trade.
        mint = partial(world.accounts.issue, "user", world.password)
        return Loot(mint=(lambda: mint(world.network.now)) if world.way == TOKEN else None)
    if attacker == "script":
        in_page.oracle = world.ask_card
        if world.way == TOKEN:
            in_page.password = ""  # it was typed at the web server's own page, before this one
        return in_page
    if attacker == "laptop":
        return Loot(password=world.password if world.way == PASSWORD else "", token=world.last_token)
    return Loot(messages=sent)


def _tries(world: World, loot: Loot) -> bool:
    """Let Mallory do all that he can with his loot, from his own address; tell whether he was let in."""
    doing: list[str] = [str(value) for one in loot.messages for value in one.all("Authorization")]
    tokens = [loot.token, loot.mint() if loot.mint is not None else ""]
    doing += [f'Bearer access_token="{token}"' for token in tokens if token]
    if loot.password:
        doing.append(world.with_password(world.register(_MALLORY), loot.password))
    asked = world.register(_MALLORY, world.nothing_yet()).www_authenticate
    if loot.keys is not None:
        doing += [_written(world.with_keys(challenge, loot.keys)) for challenge in asked]
    if loot.oracle is not None:
        fresh = world.register(_MALLORY, world.nothing_yet()).www_authenticate
        answered = loot.oracle(fresh[-1]) if fresh else None
        doing.append(_written(answered) if answered else "")
    return any(world.register(_MALLORY, one).status == 200 for one in doing if one)


def _guessed(sent: Iterable[Message]) -> str:
    """Return the password that fits what was heard, if it is one of ``WORDS``: nobody needs to be asked."""
    for message in sent:
        for said in message.authorization:
            if not said.is_digest or not said.response or digest.is_aka(said.algorithm):
                continue
            for word in WORDS:
                if (
                    digest.response("MD5", method="REGISTER", password=word, **said.arguments)
                    == said.response
                ):
                    return word
    return ""


def _overheard(sent: Iterable[Message]) -> str:
    for message in sent:
        for said in message.authorization:
            if said.scheme.lower() == "bearer":
                return said.params.get("access_token") or ""
    return ""


def _written(said: dict[str, str]) -> str:
    bare = ("algorithm", "qop", "nc")
    words = [f"{name}={text}" if name in bare else f'{name}="{text}"' for name, text in said.items()]
    return f"Digest {', '.join(word for word in words if not word.startswith('rspauth'))}"
