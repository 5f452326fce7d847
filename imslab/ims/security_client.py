"""The terminal's side of the security agreement: it offers, compares, and from then on speaks under IPsec.

Spec: RFC 3329, 2.3 (Security-Client, -Server, -Verify); 3GPP TS 33.203, 7; TS 24.229, 5.1.1.2, 5.1.1.4 and
5.1.1.5.1. The first REGISTER goes in clear. The challenge brings what the P-CSCF chose, and the keys follow
from the card's answer; so the REGISTER that carries the answer is the first under them, and repeats what
both have said in clear. A re-registration agrees anew, under the associations that stand.

Teaching code: it is not constant time.
"""

from dataclasses import dataclass

from imslab.aka.digest import aka_version, session_keys
from imslab.errors import EspError, Malformed, RegistrationFailed
from imslab.ims.node import Address, RandomSource, protected
from imslab.ims.responder import CardAnswer
from imslab.ipsec import Associations, Database, Receiving, SaSet, agreed
from imslab.ipsec.offer import offer
from imslab.sip import Message, SecurityMechanism

LINGER = 32.0  # seconds that an old set still opens what is on its way: 64 * T1 (TS 33.203, 7.4)
GRACE = 30.0  # seconds that a set lives on after its registration (TS 33.203, 7.4.1)
AWAITED = 240.0  # seconds for the answer to a challenge (TS 24.229, 5.4.1.2: reg-await-auth)

_DYNAMIC = 49_152  # the first of the ports that are nobody's (RFC 6335, 6)
_PORTS = 65_536 - _DYNAMIC
_TAG = "sec-agree"

Rows = list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class _Server:
    """What a P-CSCF said in its challenge, and the pair that holds."""

    told: tuple[SecurityMechanism, ...]
    pair: tuple[SecurityMechanism, SecurityMechanism]


class SecurityClient:
    """The security agreement of one terminal.

    ``transforms``  what it offers: "encryption/integrity", the one it likes most first
    ``carrier``     port of the P-CSCF for ESP in UDP; 0: ESP stands in IP itself
    """

    def __init__(
        self,
        address: Address,
        proxy: Address,
        transforms: tuple[str, ...],
        *,
        random: RandomSource,
        carrier: int = 0,
    ) -> None:
        self._proxy, self._transforms, self._carrier = proxy, transforms, carrier
        self._random = random
        self.database = Database(address.host, is_ue=True, random=random, on_gone=self._gone)
        self._port_s = self._port_c = 0
        self._offered: tuple[SecurityMechanism, ...] = ()
        self._challenge: _Server | None = None  # of the procedure that runs
        self._pending: SaSet | None = None
        self._current: SaSet | None = None  # of the registration that stands
        self._verify: tuple[SecurityMechanism, ...] = ()

    @property
    def is_on(self) -> bool:
        """Tell whether this terminal wants an agreement."""
        return bool(self._transforms)

    @property
    def stands(self) -> bool:
        """Tell whether a registration stands under IPsec."""
        return self._current is not None

    @property
    def proxy(self) -> Address:
        """The P-CSCF, as it is spoken to now: under the set that is in use, or in clear."""
        used = self._pending or self._current
        return self._proxy if used is None else protected(used)

    @property
    def server_port(self) -> int | None:
        """The port at which the terminal receives under IPsec; None while it speaks in clear."""
        return None if self._pending is None and self._current is None else self._port_s

    # -- a procedure ------------------------------------------------------------------------

    def begin(self, *, fresh: bool) -> None:
        """Start a registration: a ``fresh`` one in clear, as if nothing had been agreed."""
        self._challenge = None
        if fresh:
            self.forget()
        if self.is_on:
            self._port_s = self._port_s or self._port(())  # it stays (TS 33.203, 7.4)
            self._port_c = self._port((self._port_c, self._port_s))
            receiving = Receiving(*self.database.spis(), self._port_c, self._port_s)
            self._offered = offer(self._transforms, receiving)

    def rows(self) -> Rows:
        """Return the header rows for a REGISTER (RFC 3329, 2.3.1; TS 24.229, 5.1.1.2)."""
        if not self.is_on:
            return []
        rows: Rows = [("Security-Client", one) for one in self._offered]
        return [*self.request_rows(), *rows] if self._verify else [*_required(), *rows]

    def request_rows(self) -> Rows:
        """Return the header rows for any other request that opens something (RFC 3329, 2.3.1)."""
        return [*_required(), *(("Security-Verify", one) for one in self._verify)] if self._verify else []

    def challenged(self, response: Message) -> None:
        """Read the Security-Server of a challenge.

        Raises RegistrationFailed when there is none, or nothing in it that was offered: then somebody may
        have taken it out, and to go on in clear is just what he wants (RFC 3329, 2.3.1 and 5).
        """
        if not self.is_on:
            return
        told = response.security_server
        if not told:
            raise RegistrationFailed(
                "the challenge says no Security-Server, though protection was asked for",
                status=response.status,
                advice="the P-CSCF has no IPsec, or somebody between you and it takes it out",
            )
        pair = agreed(self._offered, told)
        if pair is None:
            names = ", ".join(f"{one.ealg}/{one.alg}" for one in told)
            raise RegistrationFailed(
                f"the P-CSCF protects with {names[:200]}, not with {', '.join(self._transforms)}",
                status=response.status,
                advice="offer one of its transforms, if you want to trust it",
            )
        self._challenge = _Server(told, pair)

    def establish(self, algorithm: str, card: CardAnswer, now: float) -> None:
        """Take the keys out of the card's answer, and speak under them from now on.

        Raises Malformed when these keys or mechanisms make no association.
        """
        if self._challenge is None:
            return
        ck, ik = card.ck, card.ik
        if aka_version(algorithm) == 2:  # RFC 4169, 2.2: the original ones are for nothing else
            ck, ik = session_keys(algorithm, ck, ik)
        if self._pending is not None:  # a challenge upon a challenge: the answer to this one counts
            self.database.remove(self._pending)
        associations = Associations.agree(*self._challenge.pair, ck, ik)
        try:
            added = self.database.add(
                associations, self._proxy.host, now + AWAITED, self._carrier, stream=self._proxy.reliable
            )
        except EspError as error:
            raise Malformed(str(error)) from None
        self.database.use(added)
        self._pending, self._verify = added, self._challenge.told

    def registered(self, now: float, seconds: float) -> None:
        """The network accepted: the new set stands as long as the registration, the old one goes."""
        if self._pending is None:
            return
        if self._current is not None:
            self.database.end(self._current, now + LINGER)
        self._current, self._pending = self._pending, None
        self.database.limit(self._current, now + seconds + GRACE)

    def left(self, now: float) -> None:
        """Let go of everything: the terminal is no longer registered."""
        for one in (self._pending, self._current):
            if one is not None:
                self.database.end(one, now + LINGER)
        self._pending = self._current = None
        self._verify = ()

    def forget(self) -> None:
        """Forget every set at once: a registration has failed, or begins anew."""
        for one in (self._pending, self._current):
            if one is not None:
                self.database.remove(one)

    def _gone(self, one: SaSet) -> None:
        if one is self._pending:
            self._pending = None
        elif one is self._current:
            self._current = None
        if self._pending is None and self._current is None:
            self._verify = ()

    def _port(self, taken: tuple[int, ...]) -> int:
        """Return a port that is not among ``taken``."""
        while True:
            port = _DYNAMIC + int.from_bytes(self._random(2)) % _PORTS
            if port not in taken:
                return port


def _required() -> Rows:
    return [("Require", _TAG), ("Proxy-Require", _TAG)]
