"""One registration as a thing that draws itself: messages, card, HSS, ladder and timing.

What it is made of is data, gathered in `imslab.capture.registrations`.
"""

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from imslab.capture.views import Arrow, drawn, picture
from imslab.capture.wire import Wire, connection

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.apdu import ApduEvent
    from imslab.capture.capture import Capture
    from imslab.capture.cx import CxEvent
    from imslab.capture.registrations import Login


class Registration:
    """One registration: what was asked and answered, with its APDUs and Cx messages in the ladder."""

    def __init__(self, login: "Login", capture: "Capture") -> None:
        self._login, self._capture = login, capture
        self.impi, self.impu, self.call_id = login.impi, login.impu, login.call_id
        self.algorithm, self.result, self.status = login.algorithm, login.result, login.status
        self.resync, self.challenge, self.challenges = login.resync, login.challenge, login.challenges
        self.messages = list(login.events)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames of its SIP messages."""
        return tuple(dict.fromkeys(event.frame for event in self.messages))

    @property
    def seconds(self) -> float:
        """From the first to the last of its SIP messages."""
        return self.messages[-1].at - self.messages[0].at

    @property
    def apdus(self) -> "list[ApduEvent]":
        """What the card was asked meanwhile, by the terminal that registers or with one of our RANDs."""
        from imslab.capture import apdu

        ue = self.messages[0].source[0]
        rands = {challenge.rand for challenge in self.challenges}
        return [
            event
            for pair in apdu.pairs(self._within(self._capture.apdu_events))
            if pair.events[0].terminal == ue or pair.parts.get("RAND") in rands
            for event in pair.events
        ]

    @property
    def cx(self) -> "list[CxEvent]":
        """What the HSS was asked meanwhile about this user."""
        mine = [event for event in self._within(self._capture.cx_events) if self._is_mine(event)]
        sessions = {event.message.session for event in mine}
        return [event for event in self._within(self._capture.cx_events) if event.message.session in sessions]

    @property
    def hops(self) -> "pd.DataFrame":
        """What each node on the way did to each message: frame, node, message, added, removed, changed."""
        from imslab.capture.hops import table

        return table(self.messages, self._capture.names)

    @property
    def wire(self) -> Wire:
        """What its first hop cost: all packets of the UE's connection, with its opening."""
        first = self.messages[0]
        ends = first.source, first.destination
        mine = [event for event in self.messages if {event.source, event.destination} == set(ends)]
        protocol = "udp" if first.transport == "udp" else "tcp"
        packets = connection(self._capture.packets, *ends, protocol)
        return Wire(
            first.transport,
            len(mine),
            len(packets),
            int(packets["length"].sum()),
            int(packets["payload"].sum()),
            sum(len(bytes(event.message)) for event in mine),
        )

    def arrows(self) -> list[Arrow]:
        """Return what the ladder shows, in the order of time."""
        from imslab.capture.arrows import arrows, shared_addresses

        whole = self._capture
        shared = shared_addresses([*whole.sip, *whole.cx_events])
        return arrows(self.messages, self.apdus, self.cx, shared, protected=whole.protected)

    def ladder(self, **options: Any) -> Any:
        """Draw the login: card, UE, proxies and HSS."""
        return picture("ladder", self.arrows(), self._capture.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where its milliseconds go."""
        return picture("timing", self.arrows(), self._capture.names, **options)

    def timeline(self, **options: Any) -> Any:
        """Draw which message carried RAND, AUTN, RES, CK, IK: equal octets in one colour, no key shown."""
        from imslab.capture.timeline import sightings

        return drawn(
            "timeline", sightings(self.messages, self.apdus, self.cx), self._capture.names, **options
        )

    def _within(self, events: Sequence[Any]) -> list[Any]:
        start, end = self.messages[0].at, self.messages[-1].at
        return [event for event in events if start <= event.at <= end]

    def _is_mine(self, event: "CxEvent") -> bool:
        message = event.message
        return message.impu == self.impu or bool(self.impi and message.impi == self.impi)

    def __repr__(self) -> str:
        status = f" {self.status}" if self.status else ""
        return f"<Registration of {self.impu}: {self.result}{status}, {self.algorithm or 'no challenge'}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._rows()
        )
        return f"<table>{rows}</table>"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "public identity", self.impu
        yield "private identity", self.impi or "not given"
        yield "result", f"{self.result} ({self.status})" if self.status else self.result
        yield "algorithm", self.algorithm or "no challenge"
        challenge = self.challenge
        if challenge is not None and challenge.autn:
            yield "RAND", challenge.rand.hex()
            yield (
                "SQN xor AK | AMF | MAC-A",
                " ".join(part.hex() for part in (challenge.sqn_xor_ak, challenge.amf, challenge.mac_a)),
            )
            yield "verified", {True: "yes", False: "NO", None: "no key was given"}[challenge.verified]
        yield "resynchronised", "yes" if self.resync else "no"
        yield "time", f"{self.seconds * 1e3:.1f} ms"
        yield "frames", ", ".join(map(str, self.frames))
