"""A man in the middle, between a page and the network: he may read, change, keep and drop what passes.

For the exercises of notebook 10 and the tests. He sits on the WebSocket, as a proxy without TLS would; what
he tries is refused by the card or by the page (3GPP TS 33.102, 6.3.3; RFC 3310, 5; RFC 4169, 4).
"""

import re
from collections.abc import Callable
from typing import Any

from imslab.aka import digest
from imslab.errors import Malformed
from imslab.web.server import Demo

Change = Callable[[str], str]  # a SIP message of the network -> what the page gets; "" drops it
_NONCE = re.compile(r'nonce="([^"]+)"')


class Middle:
    """The man: ``change`` gets each message of the network; ``silent`` lets nothing pass, either way."""

    def __init__(self, demo: Demo, change: Change = str) -> None:
        self._url = re.compile(re.escape(demo.sip))
        self._change = change
        self.silent = False
        self._page: Any = None

    async def sit_down(self, page: Any) -> None:
        """Take the place between a page and the network, before the page is loaded."""
        await page.route_web_socket(self._url, self._meet)

    def send(self, message: str | bytes) -> None:
        """Send something to the page in the network's name."""
        self._page.send(message)

    def _meet(self, page: Any) -> None:
        self._page, server = page, page.connect_to_server()
        page.on_message(lambda message: None if self.silent else server.send(message))
        server.on_message(self._heard)

    def _heard(self, message: str) -> None:
        if not self.silent and (changed := self._change(message)):
            self._page.send(changed)


def forge_autn(message: str) -> str:
    """Change the last octet of the MAC in AUTN: a network that does not know K."""
    return _challenge(message, lambda rand, autn: digest.nonce_for(rand, autn[:-1] + bytes([autn[-1] ^ 1])))


def only_akav1(message: str) -> str:
    """Take AKAv2 out of what is offered: a downgrade."""
    return "\r\n".join(row for row in message.split("\r\n") if "algorithm=AKAv2" not in row)


def no_challenge(message: str) -> str:
    """Let the user in at once: a network that proves nothing."""
    return message.replace("SIP/2.0 401 Unauthorized", "SIP/2.0 200 OK")


def wrong_rspauth(message: str) -> str:
    """Change the proof in the 200: somebody who does not know XRES."""
    return re.sub(r'rspauth="[^"]+"', 'rspauth="00"', message)


class ReplayFirst:
    """Keep the first challenge, and play it again in place of the second."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def __call__(self, message: str) -> str:
        """Return the message, or the old challenge in the second 401."""
        if " 401 " not in message or not (found := _NONCE.search(message)):
            return message
        self.kept.append(found[1])
        return _NONCE.sub(f'nonce="{self.kept[0]}"', message) if len(self.kept) == 2 else message


def _challenge(message: str, forge: Callable[[bytes, bytes], str]) -> str:
    found = _NONCE.search(message)
    if " 401 " not in message or found is None:
        return message
    try:
        rand, autn, _ = digest.parse_nonce(found[1])
    except Malformed:
        return message
    return _NONCE.sub(f'nonce="{forge(rand, autn)}"', message)
