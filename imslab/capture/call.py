"""One call as a thing that draws itself: messages on all hops, its streams, ladder and timing.

What it is made of is data, gathered in `imslab.capture.calls`.
"""

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imslab.capture.calls import Dialling
from imslab.capture.views import Arrow, picture

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.capture import Capture
    from imslab.capture.cx import CxEvent
    from imslab.capture.streams import RtpStream


class Call:
    """One call. Spans are seconds, None where an end was not seen; `Dialling` says what ``state`` may be."""

    def __init__(self, dialling: Dialling, capture: "Capture") -> None:
        self._dialling, self._capture = dialling, capture
        self.call_id, self.caller, self.callee = dialling.call_id, dialling.caller, dialling.callee
        self.state, self.status = dialling.state, dialling.status
        self.began, self.rang = dialling.began, dialling.rang
        self.answered, self.ended = dialling.answered, dialling.ended
        self.setup, self.request_delay = dialling.setup, dialling.request_delay
        self.ringing, self.duration = dialling.ringing, dialling.duration
        self.frames = dialling.frames
        self.messages = list(dialling.events)

    @property
    def streams(self) -> "list[RtpStream]":
        """The RTP streams that its session descriptions announce."""
        return [stream for stream in self._capture.rtp if stream.call_id == self.call_id]

    @property
    def transactions(self) -> "pd.DataFrame":
        """Its SIP transactions, each hop by itself."""
        from imslab.capture import tables, transactions

        return tables.transactions(transactions.gather(self.messages), self._capture.start)

    @property
    def cx(self) -> "list[CxEvent]":
        """Who the S-CSCF or I-CSCF asked the HSS for meanwhile: LIR and LIA (TS 29.228, 6.1.4)."""
        end = self.messages[-1].at if self.answered is None else self.answered
        there = [event for event in self._capture.cx_events if self.began <= event.at <= end]
        asked = {
            e.message.session for e in there if e.message.name == "LIR" and e.message.impu == self.callee
        }
        return [event for event in there if event.message.session in asked]

    @property
    def hops(self) -> "pd.DataFrame":
        """What each node on the way did to each message: frame, node, message, added, removed, changed."""
        from imslab.capture.hops import table

        return table(self.messages, self._capture.names)

    def arrows(self) -> list[Arrow]:
        """Return what the ladder shows, in the order of time."""
        from imslab.capture.arrows import arrows

        whole = self._capture
        found = arrows(self.messages, (), self.cx, whole.shared, protected=whole.protected)
        return sorted([*found, *self._capture.media_arrows(self.call_id)], key=lambda arrow: arrow.at)

    def ladder(self, **options: Any) -> Any:
        """Draw the call: signalling on all hops, ICE, DTLS, and an arrow for each stream of media."""
        return picture("ladder", self.arrows(), self._capture.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where its time goes."""
        return picture("timing", self.arrows(), self._capture.names, **options)

    def __repr__(self) -> str:
        status = f" {self.status}" if self.status else ""
        return f"<Call from {self.caller} to {self.callee}: {self.state}{status}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._rows()
        )
        return f"<table>{rows}</table>"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "from", self.caller
        yield "to", self.callee
        yield "state", f"{self.state} ({self.status})" if self.status else self.state
        for name, span in (
            ("INVITE to ringing", self.request_delay),
            ("ringing", self.ringing),
            ("INVITE to answer", self.setup),
            ("duration", self.duration),
        ):
            yield name, "not seen" if span is None else f"{span:.3f} s"
        yield "messages", f"{len(self.messages)} in {len(self.frames)} frames"
        yield "streams", str(len(self.streams))
