"""A capture that is open: its messages, APDUs and registrations as tables, ladders and values.

Times in tables are seconds since the first packet, as in Wireshark; ``at`` of an event is epoch
seconds. Frames count from 1. Octets stand as hex in tables and as bytes in values. Everything is
read when it is first asked for.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture import apdu, index, sip
from imslab.capture.apdu import ApduEvent
from imslab.capture.file import CaptureFile, Source, check_index, read_file
from imslab.capture.hops import hops
from imslab.capture.registrations import Challenge, Login, gather, view
from imslab.capture.sip import SipEvent
from imslab.capture.unlock import Keyring, Octets, keyring
from imslab.capture.views import Arrow, picture
from imslab.capture.wire import Wire, connection
from imslab.errors import Malformed

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.cx import CxEvent
    from imslab.capture.http import HttpEvent
    from imslab.uicc import Exchange

_PROTOCOLS = {index.UDP: "udp", index.TCP: "tcp"}


def open_capture(
    source: Source,
    *,
    k: Octets | None = None,
    op: Octets | None = None,
    opc: Octets | None = None,
    profile: object = None,
) -> "Capture":
    """Open a capture: a path, its octets, or an open binary file.

    ``k`` with ``op`` or ``opc`` (16 octets, as bytes or hex), or ``profile`` (a Profile, the path of
    one, or a list of these) let it verify what the network and the card said.

    Raises CaptureError when the file is no capture, Malformed for keys of a wrong length. A file that
    is cut or corrupt opens: ``warnings`` says where it ends.
    """
    return Capture(read_file(source), keyring(k=k, op=op, opc=opc, profile=profile))


class Capture:
    """A capture, or a part of one (``where``, ``between``)."""

    def __init__(self, file: CaptureFile, keys: Keyring, part: "_Part | None" = None) -> None:
        self.file = file
        self._keys = keys
        self._part = part

    def __len__(self) -> int:
        return len(self.file) if self._part is None else len(self._part.frames)

    def __repr__(self) -> str:
        return f"<Capture of {len(self)} packets from {self.file.name}>"

    # -- what was seen ---------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """The names of the nodes, by address, as the file gives them."""
        return self.file.names

    @property
    def warnings(self) -> list[str]:
        """What could not be read, with frames or offsets."""
        _ = self.sip, self.apdu_events, self.cx_events, self.http
        return [*self.file.warnings, *self._whole.index.warnings, *self._whole.warnings]

    @property
    def sip(self) -> list[SipEvent]:
        """The SIP messages, each once, at the frame that completes it."""
        return self._mine(self._whole.sip)

    @property
    def apdu_events(self) -> list[ApduEvent]:
        """The APDUs, each with its response."""
        return self._mine(self._whole.apdus)

    @property
    def cx_events(self) -> "list[CxEvent]":
        """The Diameter Cx messages."""
        return self._mine(self._whole.cx)

    @property
    def http(self) -> "list[HttpEvent]":
        """The HTTP messages: of GBA, for example."""
        return self._mine(self._whole.http)

    @cached_property
    def logins(self) -> "list[Registration]":
        """The registrations, as values."""
        return [Registration(login, self) for login in gather(self.sip, self._keys)]

    # -- tables ----------------------------------------------------------------------------------

    @property
    def packets(self) -> "pd.DataFrame":
        """All packets: frame, time, length, protocol, src, sport, dst, dport, payload (octets)."""
        from imslab.capture.tables import packets

        return packets(self.file, self._whole.index, self._frames)

    @property
    def messages(self) -> "pd.DataFrame":
        """The SIP messages: frame, time, src, sport, dst, dport, transport, start_line, method, ..."""
        return self._table(_MESSAGE, (self._message_row(event) for event in self.sip))

    @property
    def apdus(self) -> "pd.DataFrame":
        """The APDUs: frame, time, seconds (the card's), label, answer, command, response, sw."""
        return self._table(_APDU, (self._apdu_row(event) for event in self.apdu_events))

    @property
    def registrations(self) -> "pd.DataFrame":
        """The registrations: impi, impu, algorithm, result, status, resync, verified, time, ..."""
        return self._table(_REGISTRATION, (self._registration_row(login) for login in self.logins))

    @property
    def vectors(self) -> "pd.DataFrame":
        """The AKA challenges: frame, impi, algorithm, rand, sqn_xor_ak, amf, mac_a, auts, verified, sqn."""
        return self._table(_VECTOR, self._vector_rows())

    # -- views -----------------------------------------------------------------------------------

    def registration(self, which: int | str = -1) -> "Registration":
        """Return a registration by number (from 0; -1 is the last), or the last one of an identity.

        Raises Malformed when there is none.
        """
        known = self.logins
        if isinstance(which, str):
            known = [login for login in known if which in (login.impu, login.impi)]
            which = -1
        if not -len(known) <= which < len(known):
            identities = sorted({login.impu for login in self.logins})
            raise Malformed(
                "no such registration in this capture", expected=", ".join(identities) or "none is"
            )
        return known[which]

    def where(self, frames: Iterable[int]) -> "Capture":
        """Return the part with these frames; Malformed for a frame that does not exist."""
        wanted = sorted({check_index(frame, len(self.file)) + 1 for frame in frames})
        kept = [frame for frame in wanted if self._frames is None or frame in self._frames]
        return Capture(self.file, self._keys, _Part(self._whole, frozenset(kept)))

    def between(self, start: float, end: float) -> "Capture":
        """Return the part from ``start`` to ``end``, seconds since the first packet of the file."""
        time = self.file.records.time
        seconds = (time - time[:1]) / 1e9
        return self.where((np.flatnonzero((seconds >= start) & (seconds <= end)) + 1).tolist())

    def exchanges(self, name: str) -> "list[Exchange]":
        """Return what the card of ``name`` was asked, as its terminal asked it, for a Replayer.

        ``name`` is the name or the address of the terminal or of the card. Nothing: an empty list.
        """
        return [
            apdu.as_sent(pair)
            for pair in apdu.pairs(self.apdu_events)
            if pair.command and name in self._called(pair.events[0].terminal, pair.events[0].card)
        ]

    def _called(self, *addresses: str) -> set[str]:
        return {*addresses, *(self.names.get(address, "") for address in addresses)}

    def arrows(self) -> list[Arrow]:
        """Return everything that a ladder can show, in the order of time."""
        from imslab.capture.arrows import arrows, shared_addresses

        shared = shared_addresses([*self._whole.sip, *self._whole.cx, *self._whole.http])
        return arrows(self.sip, self.apdu_events, self.cx_events, shared, self.http)

    def ladder(self, **options: Any) -> Any:
        """Draw who sent what to whom; options are those of `imslab.charts.ladder`."""
        return picture("ladder", self.arrows(), self.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where the time goes; options are those of `imslab.charts.timing`."""
        return picture("timing", self.arrows(), self.names, **options)

    # -- how -------------------------------------------------------------------------------------

    @cached_property
    def _whole(self) -> "_Whole":
        return _Whole(self.file) if self._part is None else self._part.whole

    @property
    def _frames(self) -> frozenset[int] | None:
        return None if self._part is None else self._part.frames

    def _mine(self, events: list[Any]) -> list[Any]:
        frames = self._frames
        return events if frames is None else [event for event in events if event.frame in frames]

    def _since(self, at: float) -> float:
        return round(at - int(self.file.records.time[0]) / 1e9, 6)

    def _table(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> "pd.DataFrame":
        import pandas as pd

        table = pd.DataFrame(list(rows), columns=list(columns))
        return table.astype({"status": "Int64"}) if "status" in columns else table  # a request has none

    def _message_row(self, event: SipEvent) -> tuple[Any, ...]:
        message, request = event.message, event.message.is_request
        cseq = view(message, "cseq")
        return (
            event.frame,
            self._since(event.at),
            *event.source,
            *event.destination,
            event.transport,
            message.start_line,
            message.method if request else (cseq.method if cseq else ""),
            None if request else message.status,
            view(message, "call_id") or "",
            str(cseq) if cseq else "",
            len(bytes(message)),
        )

    def _apdu_row(self, event: ApduEvent) -> tuple[Any, ...]:
        sw = "" if event.sw is None else f"{event.sw:04X}"
        octets = event.command.hex(), event.response.hex()
        return event.frame, self._since(event.at), event.seconds, event.label, event.answer, *octets, sw

    def _registration_row(self, login: "Registration") -> tuple[Any, ...]:
        verified = login.challenge.verified if login.challenge else None
        when = self._since(login.messages[0].at), round(login.seconds, 6)
        state = login.algorithm, login.result, login.status, login.resync, verified
        return login.impi, login.impu, *state, *when, list(login.frames)

    def _vector_rows(self) -> Iterator[tuple[Any, ...]]:
        seen = set()
        for login in self.logins:
            for challenge in login.challenges:
                if challenge.autn:
                    seen.add(challenge.rand)
                    yield _vector_row(challenge, login.impi)
        for pair in apdu.pairs(self.apdu_events):  # a card that was asked by somebody else
            parts = pair.parts
            if "MAC" in parts and parts["RAND"] not in seen:
                autn = [parts[name].hex() for name in ("SQN xor AK", "AMF", "MAC")]
                yield pair.events[0].frame, "", "", parts["RAND"].hex(), *autn, "", None, ""


_MESSAGE = (
    "frame", "time", "src", "sport", "dst", "dport", "transport", "start_line", "method", "status", "call_id",
    "cseq", "length",
)  # fmt: skip
_APDU = ("frame", "time", "seconds", "label", "answer", "command", "response", "sw")
_REGISTRATION = (
    "impi", "impu", "algorithm", "result", "status", "resync", "verified", "time", "seconds", "frames",
)  # fmt: skip
_VECTOR = (
    "frame", "impi", "algorithm", "rand", "sqn_xor_ak", "amf", "mac_a", "auts", "verified", "sqn",
)  # fmt: skip


def _vector_row(challenge: Challenge, impi: str) -> tuple[Any, ...]:
    octets = challenge.rand, challenge.sqn_xor_ak, challenge.amf, challenge.mac_a, challenge.auts
    hexes = [value.hex() for value in octets]
    return challenge.frame, impi, challenge.algorithm, *hexes, challenge.verified, challenge.sqn.hex()


class _Whole:
    """Everything read from the file, once, for the capture and its parts."""

    def __init__(self, file: CaptureFile) -> None:
        self.file, self.warnings = file, list[str]()

    @cached_property
    def index(self) -> index.Index:
        return index.build(self.file)

    @cached_property
    def sip(self) -> list[SipEvent]:
        return sip.read(self.file, self.index, self.warnings)

    @cached_property
    def apdus(self) -> list[ApduEvent]:
        return apdu.read(self.file, self.index, self.warnings)

    @cached_property
    def cx(self) -> "list[CxEvent]":
        from imslab.capture import cx  # brings the whole core with it: only for who asks

        return cx.read(self.file, self.index, self.warnings)

    @cached_property
    def http(self) -> "list[HttpEvent]":
        from imslab.capture import http  # brings the whole core with it, as cx

        return http.read(self.file, self.index, self.warnings)


@dataclass(frozen=True, slots=True)
class _Part:
    whole: _Whole
    frames: frozenset[int]


class Registration:
    """One registration: what was asked and answered, with its APDUs and Cx messages in the ladder."""

    def __init__(self, login: Login, capture: Capture) -> None:
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
    def apdus(self) -> list[ApduEvent]:
        """What the card was asked meanwhile, by the terminal that registers or with one of our RANDs."""
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
        import pandas as pd

        names = self._capture.names
        rows = [
            (
                hop.frames[1],
                names.get(hop.node, hop.node),
                hop.message,
                *(", ".join(which) for which in (hop.added, hop.removed, hop.changed)),
            )
            for hop in hops(self.messages)
        ]
        return pd.DataFrame(rows, columns=["frame", "node", "message", "added", "removed", "changed"])

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
        return arrows(self.messages, self.apdus, self.cx, shared)

    def ladder(self, **options: Any) -> Any:
        """Draw the login: card, UE, proxies and HSS."""
        return picture("ladder", self.arrows(), self._capture.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where its milliseconds go."""
        return picture("timing", self.arrows(), self._capture.names, **options)

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
