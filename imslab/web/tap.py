"""The tap of the demo: two browsers on one machine get a column each in a ladder.

All browsers here connect from 127.0.0.1, whoever sits before them. The path of a request names the subscriber
(GET /alice, and the WebSocket of alice's page), and the trace shows the connection as coming from the address
of that subscriber, with its real port. Nothing else is changed.
"""

import re
from collections.abc import Mapping
from typing import Any

from imslab.ims.node import Address
from imslab.net.tap import Tap

_TARGET = re.compile(rb"^(?:GET|HEAD|POST) /([A-Za-z0-9_-]+)")


class DemoTap(Tap):
    """``columns``: for each subscriber, the address that its browser has in the trace."""

    def __init__(self, *arguments: Any, columns: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._columns = columns
        self._waiting: dict[Address, Address] = {}  # opened, but nobody knows yet by whom: client -> server
        self._known: dict[Address, Address] = {}  # client as it is -> client as the trace shows it
        self._shown: set[Address] = set()

    def opened(self, client: Address, server: Address) -> None:
        """Note a new connection; it is written when its first octets say whose it is."""
        self._waiting[client] = server

    def stream(
        self, source: Address, destination: Address, octets: bytes, *, at: float | None = None
    ) -> None:
        """Record octets on a TCP connection."""
        if source in self._waiting or source in self._known:
            self._recognise(source, self._waiting.get(source, destination), octets)
        shown, to = self._known.get(source, source), self._known.get(destination, destination)
        super().stream(shown, to, octets, at=at)

    def closed(self, source: Address, destination: Address) -> None:
        """Record the end of a connection; one that never said anything is left out."""
        for end in (source, destination):
            if self._waiting.pop(end, None) is not None:
                return
        source_shown, destination_shown = (self._known.pop(end, end) for end in (source, destination))
        self._shown.difference_update((source_shown, destination_shown))
        super().closed(source_shown, destination_shown)

    def _recognise(self, client: Address, server: Address, octets: bytes) -> None:
        """Take the subscriber out of a request line; a browser uses one connection for several pages."""
        self._waiting.pop(client, None)
        found = _TARGET.match(octets)
        column = self._columns.get(found[1].decode()) if found else None
        if column is not None:
            self._known[client] = client._replace(host=column)
        shown = self._known.setdefault(client, client)
        if shown not in self._shown:
            self._shown.add(shown)
            super().opened(shown, server)
