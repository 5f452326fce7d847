"""Proving who asks: the answer to a 407, for requests other than REGISTER.

Spec: RFC 3261, 22.3 (proxy to user), RFC 3310 (AKA), 3GPP TS 24.229, 5.1.2A.1.1. The card computes the answer
as it does for a registration; a challenge that no card can answer is refused with the reason.
"""

from collections.abc import Callable

from imslab.errors import CallFailed, ImslabError, Malformed, SyncFailure
from imslab.ims.agent import UserAgent
from imslab.ims.responder import CardAnswer, NothingToAnswer, Responder, choose
from imslab.sip import Challenge, Credentials

MOST_CHALLENGES = 3  # the first, one after AUTS, and one more


class Prover:
    """Answers the challenges to one request.

    ``proved``  called with the credentials to send;  ``failed``: with the reason why there are none
    """

    def __init__(
        self,
        agent: UserAgent,
        method: str,
        proved: Callable[[Credentials, float], None],
        failed: Callable[[ImslabError, float], None],
    ) -> None:
        self._agent, self._method = agent, method
        self._proved, self._failed = proved, failed
        self._challenges = 0
        self._responder: Responder | None = None

    def challenged(self, offered: tuple[Challenge, ...], uri: str, now: float) -> None:
        """Take a challenge to a request for ``uri``; the card is asked."""
        self._challenges += 1
        try:
            if self._challenges > MOST_CHALLENGES:
                raise CallFailed(f"the network asked {self._challenges} times", status=407)
            challenge = choose(offered, self._agent.algorithm)
            cnonce = self._agent.token(8)
            responder = Responder(
                challenge, self._agent.identity.impi, method=self._method, uri=uri, cnonce=cnonce
            )
        except (CallFailed, Malformed, NothingToAnswer) as error:
            self._failed(error, now)
            return
        self._responder = responder
        self._agent.ask_card(responder.request, self._card_answered)

    def _card_answered(self, answer: CardAnswer | ImslabError, now: float) -> None:
        responder = self._responder
        assert responder is not None
        try:
            if isinstance(answer, SyncFailure):
                self._proved(responder.synchronise(answer.auts), now)
            elif isinstance(answer, ImslabError):
                self._failed(answer, now)  # MacFailure too: who asks has not proved to be the network
            else:
                self._proved(responder.answer(answer), now)
        except Malformed as error:
            self._failed(error, now)
