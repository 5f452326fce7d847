"""A capture that is open: its messages, APDUs, registrations, calls and streams, as tables and values.

Times in tables are seconds since the first packet, as in Wireshark; ``at`` of an event is epoch
seconds. Frames count from 1. Octets stand as hex in tables and as bytes in values. Everything is
read when it is first asked for.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from imslab.capture import calls
from imslab.capture.call import Call
from imslab.capture.file import Source, check_index, read_file
from imslab.capture.media import Media
from imslab.capture.registration import Registration
from imslab.capture.sip import SipEvent
from imslab.capture.tabulated import Tabulated
from imslab.capture.views import Arrow, drawn, picture
from imslab.capture.whole import Part
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.cx import CxEvent
    from imslab.capture.esp_sa import Row
    from imslab.capture.findings import Findings
    from imslab.capture.http import HttpEvent
    from imslab.capture.ipsec import EspFlow
    from imslab.capture.media_keys import KeyText
    from imslab.uicc import Exchange


def open_capture(
    source: Source,
    *,
    k: str | bytes | None = None,
    op: str | bytes | None = None,
    opc: str | bytes | None = None,
    profile: object = None,
    srtp: "KeyText | Iterable[KeyText] | None" = None,
    keylog: str | PathLike[str] | bytes | None = None,
    esp_sa: str | PathLike[str] | None = None,
) -> "Capture":
    """Open a capture: a path, its octets, or an open binary file.

    ``k`` with ``op`` or ``opc`` (16 octets, as bytes or hex), or ``profile`` (a Profile, the path of
    one, or a list of these) let it verify what the network and the card said. ``srtp`` ("PROFILE:base64"
    of key and salt, or a list) and ``keylog`` (the path of an NSS key log, or its octets) open SRTP.
    ``esp_sa`` (the path of Wireshark's table) opens ESP. Keys that stand in the capture itself, or follow
    from K, need not be given.

    Raises CaptureError when the file is no capture, Malformed for keys of a wrong length. A file that
    is cut or corrupt opens: ``warnings`` says where it ends.
    """
    keys, media = None, None
    if (k, op, opc, profile) != (None,) * 4:
        from imslab.capture.unlock import keyring

        keys = keyring(k=k, op=op, opc=opc, profile=profile)
    if srtp or keylog is not None:
        from imslab.capture.media_keys import media_keys

        media = media_keys(srtp=srtp, keylog=keylog)
    table: Sequence[Row] = ()
    if esp_sa is not None:
        from imslab.capture.esp_sa import read

        table = read(esp_sa)
    return Capture(read_file(source), keys, media_keys=media, esp_sa=table)


class Capture(Media, Tabulated):
    """A capture, or a part of one (``where``, ``between``)."""

    def __repr__(self) -> str:
        return f"<Capture of {len(self)} packets from {self.file.name}>"

    # -- what was seen ---------------------------------------------------------------------------

    @property
    def warnings(self) -> list[str]:
        """What could not be read, with frames or offsets."""
        _ = self.sip, self.apdu_events, self.cx_events, self.http, self.rtcp, self.whole.rtp
        return [*self.file.warnings, *self.whole.index.warnings, *self.whole.warnings]

    @property
    def sip(self) -> list[SipEvent]:
        """The SIP messages, each once, at the frame that completes it."""
        return self._mine(self.whole.sip)

    @property
    def apdu_events(self) -> "list[ApduEvent]":
        """The APDUs, each with its response."""
        return self._mine(self.whole.apdus)

    @property
    def cx_events(self) -> "list[CxEvent]":
        """The Diameter Cx messages."""
        return self._mine(self.whole.cx)

    @property
    def http(self) -> "list[HttpEvent]":
        """The HTTP messages: of GBA, for example."""
        return self._mine(self.whole.http)

    @property
    def protected(self) -> frozenset[int]:
        """The frames whose clear text lies in ESP."""
        return self.whole.protected

    @cached_property
    def logins(self) -> list[Registration]:
        """The registrations, as values."""
        if not any("REGISTER" in (event.message.get("CSeq") or "").upper() for event in self.sip):
            return []
        from imslab.capture.registrations import gather

        return [Registration(login, self) for login in gather(self.sip, self.whole.keyring)]

    @cached_property
    def call_list(self) -> list[Call]:
        """The calls, as values."""
        return [Call(dialling, self) for dialling in calls.gather(self.sip)]

    @property
    def esp(self) -> "list[EspFlow]":
        """The ESP packets, opened or not: a value for each source, destination and SPI."""
        opening = self.whole.opening
        return opening.flows(self.frames) if opening else []

    @cached_property
    def findings(self) -> "Findings":
        """What is wrong, the worst first: a list that a notebook shows as a table (``findings.table``)."""
        from imslab.capture.findings import find

        return find(self)

    @property
    def unreadable_sip(self) -> list[int]:
        """The frames of what begins like SIP and gives no message at all."""
        _ = self.whole.sip
        return [frame for frame in self.whole.unreadable_sip if self.frames is None or frame in self.frames]

    # -- views -----------------------------------------------------------------------------------

    def registration(self, which: int | str = -1) -> Registration:
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

    def call(self, which: int | str = -1) -> Call:
        """Return a call by number (from 0; -1 is the last) or by Call-ID; Malformed when there is none."""
        known = self.call_list
        if isinstance(which, str):
            known, which = [call for call in known if call.call_id == which], -1
        if not -len(known) <= which < len(known):
            raise Malformed("no such call in this capture", expected=f"one of {len(self.call_list)}")
        return known[which]

    def where(self, frames: Iterable[int]) -> "Capture":
        """Return the part with these frames; Malformed for a frame that does not exist."""
        wanted = sorted({check_index(frame, len(self.file)) + 1 for frame in frames})
        kept = [frame for frame in wanted if self.frames is None or frame in self.frames]
        return Capture(self.file, self._keys, Part(self.whole, frozenset(kept)))

    def between(self, start: float, end: float) -> "Capture":
        """Return the part from ``start`` to ``end``, seconds since the first packet of the file."""
        time = self.file.records.time
        seconds = (time - time[:1]) / 1e9
        return self.where((np.flatnonzero((seconds >= start) & (seconds <= end)) + 1).tolist())

    def exchanges(self, name: str) -> "list[Exchange]":
        """Return what the card of ``name`` was asked, as its terminal asked it, for a Replayer.

        ``name`` is the name or the address of the terminal or of the card. Nothing: an empty list.
        """
        from imslab.capture import apdu

        return [
            apdu.as_sent(pair)
            for pair in apdu.pairs(self.apdu_events)
            if pair.command and name in self._called(pair.events[0].terminal, pair.events[0].card)
        ]

    def _called(self, *addresses: str) -> set[str]:
        return {*addresses, *(self.names.get(address, "") for address in addresses)}

    def arrows(self) -> list[Arrow]:
        """Return everything that a ladder can show, in the order of time."""
        from imslab.capture.arrows import arrows

        found = arrows(
            self.sip, self.apdu_events, self.cx_events, self.shared, self.http, protected=self.protected
        )
        return sorted([*found, *self.media_arrows()], key=lambda arrow: arrow.at)

    @cached_property
    def shared(self) -> frozenset[str]:
        """The addresses that several nodes have: there a ladder names a node by its port too."""
        from imslab.capture.arrows import shared_addresses

        return shared_addresses([*self.whole.sip, *self.whole.cx, *self.whole.http])

    def media_arrows(self, call_id: str | None = None) -> list[Arrow]:
        """Return what a ladder shows of media, summed up: of one call, or of all that there is."""
        from imslab.capture import media_arrows

        return media_arrows.arrows(self, call_id)

    def ladder(self, **options: Any) -> Any:
        """Draw who sent what to whom; options are those of `imslab.charts.ladder`."""
        return picture("ladder", self.arrows(), self.names, **options)

    def timing(self, **options: Any) -> Any:
        """Draw where the time goes; options are those of `imslab.charts.timing`."""
        return picture("timing", self.arrows(), self.names, **options)

    def timeline(self, **options: Any) -> Any:
        """Draw which message carried RAND, AUTN, RES, CK, IK: equal octets in one colour, no key shown."""
        from imslab.capture.timeline import sightings

        return drawn("timeline", sightings(self.sip, self.apdu_events, self.cx_events), self.names, **options)
