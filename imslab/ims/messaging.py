"""Pager messages: a text outside of any dialog.

Spec: RFC 3428 (MESSAGE), 3GPP TS 24.229, 5.1.2A.1.
"""

from imslab.errors import Malformed
from imslab.ims.agent import UserAgent
from imslab.ims.indications import Delivered, Text
from imslab.ims.transactions import Client, Server
from imslab.sip import Message

LONGEST = 1300  # octets of a MESSAGE's body (RFC 3428, 8)
_PLAIN = "text/plain"


class Messaging:
    """The messages of one user agent, in both directions."""

    def __init__(self, agent: UserAgent) -> None:
        self._agent = agent

    def send(self, target: str, text: str, now: float) -> str:
        """Send ``text`` to ``target`` and return the message's id; Malformed when it is too long."""
        body = text.encode()
        if len(body) > LONGEST:
            raise Malformed(f"a message of {len(body)} octets", expected=f"at most {LONGEST} (RFC 3428)")
        call_id = self._agent.token(12)
        headers = [("Content-Type", "text/plain;charset=UTF-8")]
        request = self._agent.requests.initial(
            "MESSAGE",
            target,
            self._agent.service_routes,
            call_id=call_id,
            tag=self._agent.token(),
            headers=headers,
            body=body,
        )
        self._agent.ask(request, now, self._answered)
        return call_id

    def _answered(self, client: Client, response: Message, now: float) -> None:
        if response.status >= 200:
            self._agent.indicate(Delivered(response.call_id, response.status, said(response)))

    def serve(self, server: Server, now: float) -> None:
        """Take a message that came."""
        request = server.request
        kind = request.content_type
        if kind is None or kind.essence != _PLAIN:
            server.reply(415, now, [("Accept", _PLAIN)])
            return
        asserted = request.p_asserted_identity
        sender = asserted[0].uri if asserted else request.from_.uri
        server.reply(200, now)
        self._agent.indicate(Text(str(sender), request.body.decode("utf-8", "replace")))


def said(response: Message) -> str:
    """Return what a response says in words: status, phrase, and the text of a Warning (RFC 3261, 20.43)."""
    phrase = f"{response.status} {response.reason}".rstrip()
    _, _, warning = (response.get("Warning") or "").partition('"')
    text = warning.rpartition('"')[0]
    return f"{phrase}: {text}" if text else phrase
