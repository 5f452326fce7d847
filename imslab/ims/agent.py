"""The user agent below registration and calls: transactions, the way to the card, the way to its owner.

Spec: RFC 3261, 8 and 17; 3GPP TS 24.229, 5.1 (everything goes to, and comes from, the P-CSCF). The card is
not called from here: the owner looks at ``card_request()`` after each step, asks the card, and hands the
answer to ``card_answered``. So a slow reader blocks nothing, and a forged card is one line in a notebook.
"""

from collections import deque
from collections.abc import Callable

from imslab.errors import ImslabError, Malformed
from imslab.ims.indications import Indication
from imslab.ims.node import Address, Node, RandomSource, Send
from imslab.ims.requests import Identity, Requests
from imslab.ims.responder import CardAnswer, CardRequest
from imslab.ims.security_client import SecurityClient
from imslab.ims.timers import Timers
from imslab.ims.transactions import Client, Transactions
from imslab.sip import Message
from imslab.sip.transaction import DEFAULT_TIMING, Timing

CardAnswered = Callable[[CardAnswer | ImslabError, float], None]


class UserAgent(Node):
    """What registration and calls of one terminal share.

    ``address``    where it sends from and is reached
    ``proxy``      the P-CSCF: nobody else is asked, and nobody else is believed
    ``algorithm``  the only digest algorithm to accept; None takes the strongest that is offered
    ``ipsec``      transforms to offer; without any, nothing protects the access
    ``carrier``    port of the P-CSCF for ESP in UDP; 0: ESP stands in IP itself
    """

    name = "UE"

    def __init__(
        self,
        identity: Identity,
        address: Address,
        proxy: Address,
        *,
        random: RandomSource,
        algorithm: str | None = None,
        timing: Timing = DEFAULT_TIMING,
        ipsec: tuple[str, ...] = (),
        carrier: int = 0,
    ) -> None:
        super().__init__(address, random)
        self.identity, self.algorithm = identity, algorithm
        self.security = SecurityClient(address, proxy, ipsec, random=random, carrier=carrier)
        self.database = self.security.database if ipsec else None
        self.requests = Requests(identity, address, self.security, random)
        self.service_routes: tuple[str, ...] = ()
        self.timers = Timers()
        self.transactions = Transactions(self._send, self.token, self.timers, timing)
        self._card_requests: deque[tuple[CardRequest, CardAnswered]] = deque()
        self._card_asked: deque[CardAnswered] = deque()
        self._indications: list[Indication] = []

    @property
    def proxy(self) -> Address:
        """The P-CSCF, as it is spoken to now."""
        return self.security.proxy

    # -- the card ---------------------------------------------------------------------------

    def ask_card(self, request: CardRequest, answered: CardAnswered) -> None:
        """Let the owner ask the card, and call ``answered`` with what it says."""
        self._card_requests.append((request, answered))

    def card_request(self) -> CardRequest | None:
        """Return, once, the challenge that the card has to answer now."""
        if not self._card_requests:
            return None
        request, answered = self._card_requests.popleft()
        self._card_asked.append(answered)
        return request

    def card_answered(self, answer: CardAnswer | ImslabError, now: float) -> None:
        """Take the card's answer, or the error that it raised instead."""
        if not self._card_asked:
            raise Malformed("no challenge waits for the card")
        self._card_asked.popleft()(answer, now)

    # -- what the owner is told -------------------------------------------------------------

    def indicate(self, indication: Indication) -> None:
        """Tell the owner."""
        self._indications.append(indication)

    def indications(self) -> list[Indication]:
        """Return, once, what the calls have to tell, in order."""
        indications, self._indications = self._indications, []
        return indications

    def note(self, now: float, what: str, why: str = "") -> None:
        """Write a line about this subscriber into the log."""
        self._note(now, what, self.identity.impi, why)

    # -- the wire ---------------------------------------------------------------------------

    def ask(self, request: Message, now: float, answered: Callable[[Client, Message, float], None]) -> Client:
        """Send a request to the P-CSCF, and call ``answered`` with its responses."""
        self.security.database.now = now
        return self.transactions.ask(request, self.proxy, now, answered)

    def send(self, message: Message) -> None:
        """Send a message that has no transaction: the ACK of a 2xx."""
        self._send(message, self.proxy)

    def token(self, octets: int = 6) -> str:
        """Return random octets in hex: a tag, a Call-ID, a cnonce."""
        return self._token(octets)

    def draw(self, below: int) -> int:
        """Return a random number from 0 to ``below`` - 1."""
        return int.from_bytes(self._random(4)) % below

    def unreachable(self, send: Send, now: float) -> None:
        """End the transaction of a request that could not be sent: no answer will come."""
        super().unreachable(send, now)
        self.transactions.unreachable(send.message, now)

    # -- time -------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """Return when the next retransmission, time-out or refresh is due, or an association ends."""
        times = (self.timers.next(), self.security.database.timer())
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Retransmit, give up, or renew, as is due at ``now``."""
        self.security.database.now = now
        self.timers.fire(now)
        self.security.database.expire(now)
