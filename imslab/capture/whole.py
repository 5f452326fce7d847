"""Everything read from a file, once, for a capture and its parts: each kind when it is first asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imslab.capture import announcements, dtls_records, index, rtcp, sip, streams, stun
from imslab.capture.announcements import Announcements
from imslab.capture.file import CaptureFile
from imslab.capture.index import Column, Index, Via
from imslab.capture.reassemble import first_words
from imslab.capture.rtcp import Report
from imslab.capture.rtp import RtpPackets
from imslab.capture.sip import SipEvent
from imslab.capture.stun import StunMessages

if TYPE_CHECKING:
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.cx import CxEvent
    from imslab.capture.decryption import Opener
    from imslab.capture.dtls import DtlsSession
    from imslab.capture.esp_sa import Row
    from imslab.capture.http import HttpEvent
    from imslab.capture.ipsec import Opening
    from imslab.capture.media_keys import MediaKeys, SrtpKey
    from imslab.capture.unlock import Keyring
    from imslab.srtp.keylog import KeyLog

_GSMTAP = 4729  # the UDP port of APDUs
_HTTP = tuple(int.from_bytes(word) for word in (b"GET ", b"POST", b"PUT ", b"HEAD", b"HTTP"))


class Whole:
    """What one file holds; ``warnings`` grows with what is read.

    ``keys``, ``media_keys``  of subscribers and of media, where some were given;  ``esp_sa``: of IPsec
    """

    def __init__(
        self,
        file: CaptureFile,
        keys: "Keyring | None" = None,
        media_keys: "MediaKeys | None" = None,
        esp_sa: "Sequence[Row]" = (),
    ) -> None:
        self.file, self.keys, self.media_keys, self.esp_sa = file, keys, media_keys, esp_sa
        self.warnings: list[str] = []
        self.unreadable_sip: list[int] = []  # frames of what begins like SIP and cannot be read at all

    @cached_property
    def index(self) -> Index:
        """All packets with UDP or TCP, as columns; what ESP held among them."""
        return self.opening.index if self.opening else self._outside

    @cached_property
    def opening(self) -> "Opening | None":
        """What was opened of ESP; None where there is none."""
        if not len(self._outside.esp):
            return None
        from imslab.capture import ipsec

        return ipsec.Opening(self.file, self._outside, self._knowing, self.esp_sa)

    @cached_property
    def protected(self) -> frozenset[int]:
        """The frames of what was taken out of ESP."""
        if not self.opening:
            return frozenset()
        inside = (self.index.via & Via.ESP) != 0
        return frozenset(self.index.frame[inside].tolist())

    @cached_property
    def keyring(self) -> "Keyring":
        """The keys that were given, and behind them what the capture itself tells of challenges."""
        return self._knowing(self.index)

    @cached_property
    def _outside(self) -> Index:
        return index.build(self.file)

    def _knowing(self, found: Index) -> "Keyring":
        from imslab.capture import vectors
        from imslab.capture.unlock import Keyring

        return (self.keys or Keyring()).knowing(vectors.read(self.file, found))

    @cached_property
    def sip(self) -> list[SipEvent]:
        """The SIP messages."""
        return sip.read(self.file, self.index, self.warnings, self.unreadable_sip)

    @cached_property
    def stun(self) -> StunMessages:
        """The STUN messages."""
        return stun.read(self.index)

    @cached_property
    def announcements(self) -> Announcements:
        """What session descriptions say of media; ICE checks say which further sockets they are good for."""
        found = announcements.read(self.sip, self.warnings)
        for socket, name in stun.ice_names(self.index, self.stun) if found.all else ():
            found.learn(socket, name)
        return found

    @cached_property
    def rtp(self) -> RtpPackets:
        """The packets of all streams; those that a key opens, in clear."""
        packets = streams.packets_of(self.file, self.index, self.announcements, self.warnings)
        return self._opener.rtp(packets) if self.srtp_keys else packets

    @cached_property
    def rtcp(self) -> list[Report]:
        """The RTCP packets; those that a key opens, in clear."""
        return rtcp.read(self.file, self.index, rtcp.rows(self.index), self.rtcp_in_clear)

    @cached_property
    def rtcp_in_clear(self) -> dict[int, bytes]:
        """By row of the index, what a key found in SRTCP."""
        return self._opener.rtcp(rtcp.rows(self.index)) if self.srtp_keys else {}

    @cached_property
    def srtp_keys(self) -> "list[SrtpKey]":
        """The keys that may open SRTP: those given, those of DTLS, those of SDP."""
        found = list(self.media_keys.given) if self.media_keys else []
        found += [key for session in self.dtls for key in session.keys(self.key_log)]
        if any(one.get("crypto") is not None for a in self.announcements.all for one in a.media):
            from imslab.capture import sdes

            found += sdes.keys(self.announcements, self.warnings)
        return found

    @cached_property
    def key_log(self) -> "KeyLog":
        """The secrets of DTLS connections that were given, and those that stand in the file."""
        from imslab.capture.media_keys import with_secrets

        secrets = with_secrets(self.media_keys, self.file.secrets)
        self.warnings += secrets.warnings
        return secrets

    @cached_property
    def dtls(self) -> "list[DtlsSession]":
        """The DTLS handshakes."""
        rows = dtls_records.rows(self.index)
        if not rows.has_handshake:
            return []
        from imslab.capture import dtls

        return dtls.read(self.file, self.index, rows, self.announcements, self.warnings)

    @cached_property
    def _opener(self) -> "Opener":
        from imslab.capture.decryption import Opener

        return Opener(self.file, self.index, self._key_order, self.warnings)

    def _key_order(self, flow: int) -> "list[SrtpKey]":
        """Return all keys: those whose sender has the socket, those of the same call, then the others."""
        source, destination = self.index.flows.endpoints(flow)
        announced = (self.announcements.at(end) for end in (source, destination))
        calls = {one.call_id for one in announced if one} - {""}
        return sorted(self.srtp_keys, key=lambda key: (source not in key.sockets, key.call_id not in calls))

    @cached_property
    def _words(self) -> Column:
        return first_words(self.file, self.index)

    # What follows brings more of the house with it (the card, the core): only for captures that need it.

    @cached_property
    def apdus(self) -> "list[ApduEvent]":
        """The APDUs."""
        if not ((self.index.flows.dport == _GSMTAP) | (self.index.flows.sport == _GSMTAP)).any():
            return []
        from imslab.capture import apdu

        return apdu.read(self.file, self.index, self.warnings)

    @cached_property
    def cx(self) -> "list[CxEvent]":
        """The Diameter Cx messages."""
        if not (
            (self._words >> 24 == 1) & (self._words & 3 == 0)
        ).any():  # version 1, a length in whole words
            return []
        from imslab.capture import cx

        return cx.read(self.file, self.index, self.warnings)

    @cached_property
    def http(self) -> "list[HttpEvent]":
        """The HTTP messages."""
        if not np.isin(self._words, _HTTP).any():
            return []
        from imslab.capture import http

        return http.read(self.file, self.index, self.warnings)


@dataclass(frozen=True, slots=True)
class Part:
    """Some frames of a whole."""

    whole: Whole
    frames: frozenset[int]
