"""The tables of a capture: what a notebook shows of it, as pandas DataFrames.

Pandas is loaded when the first table is asked for.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from imslab.capture.apdu import ApduEvent
    from imslab.capture.call import Call
    from imslab.capture.file import CaptureFile
    from imslab.capture.index import Index
    from imslab.capture.registration import Registration
    from imslab.capture.sip import SipEvent
    from imslab.capture.streams import RtpStream


class Events(Protocol):
    """What tables are made of; `Capture` says what each is."""

    file: "CaptureFile"

    @property
    def index(self) -> "Index":
        """All datagrams and segments."""

    @property
    def start(self) -> float:
        """The time of the first packet, epoch seconds."""

    @property
    def frames(self) -> frozenset[int] | None:
        """The frames of a part; None for the whole."""

    @property
    def sip(self) -> "list[SipEvent]":
        """The SIP messages."""

    @property
    def apdu_events(self) -> "list[ApduEvent]":
        """The APDUs."""

    @property
    def logins(self) -> "list[Registration]":
        """The registrations."""

    @property
    def call_list(self) -> "list[Call]":
        """The calls."""

    @property
    def rtp(self) -> "list[RtpStream]":
        """The streams."""


class Tabulated:
    """What a capture shows as tables; `Capture` is one."""

    @property
    def packets(self: Events) -> "pd.DataFrame":
        """All packets: frame, time, length, protocol, src, sport, dst, dport, payload (octets)."""
        from imslab.capture import tables

        return tables.packets(self.file, self.index, self.frames)

    @property
    def messages(self: Events) -> "pd.DataFrame":
        """The SIP messages: frame, time, src, sport, dst, dport, transport, start_line, method, ..."""
        from imslab.capture import tables

        return tables.messages(self.sip, self.start)

    @property
    def apdus(self: Events) -> "pd.DataFrame":
        """The APDUs: frame, time, seconds (the card's), label, answer, command, response, sw."""
        from imslab.capture import tables

        return tables.apdus(self.apdu_events, self.start)

    @property
    def registrations(self: Events) -> "pd.DataFrame":
        """The registrations: impi, impu, algorithm, result, status, resync, verified, time, ..."""
        from imslab.capture import tables

        return tables.registrations(self.logins, self.start)

    @property
    def vectors(self: Events) -> "pd.DataFrame":
        """The AKA challenges: frame, impi, algorithm, rand, sqn_xor_ak, amf, mac_a, auts, verified, sqn."""
        from imslab.capture import tables

        return tables.vectors(self.logins, self.apdu_events)

    @property
    def calls(self: Events) -> "pd.DataFrame":
        """The calls: call_id, from, to, state, status, time, setup_s, ringing_s, duration_s, messages, ..."""
        from imslab.capture import tables

        return tables.calls(self.call_list, self.start)

    @property
    def transactions(self: Events) -> "pd.DataFrame":
        """The SIP transactions: method, call_id, src, dst, status, retransmissions, response times, ..."""
        from imslab.capture import tables, transactions

        return tables.transactions(transactions.gather(self.sip), self.start)

    @property
    def texts(self: Events) -> "pd.DataFrame":
        """The text messages: frame, time, from, to, text, status."""
        from imslab.capture import tables, texts

        return tables.texts(texts.gather(self.sip), self.start)

    @property
    def streams(self: Events) -> "pd.DataFrame":
        """The RTP streams: src, dst, ssrc, codec, packets, lost, loss, jitter, encrypted, decrypted, ..."""
        from imslab.capture import tables

        return tables.streams(self.rtp, self.start)
