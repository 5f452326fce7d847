"""What UDP, TCP and SCTP carry, told apart by what it looks like, and rewritten by its own rules.

A payload that nobody here knows becomes zeros: whom it names cannot be said. Text that is no known protocol's
has every word replaced.
"""

from collections import Counter
from collections.abc import Callable

from imslab.capture.anonymise import framing
from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.bodies import Bodies, is_text
from imslab.capture.anonymise.card import Cards
from imslab.capture.anonymise.credentials import Authentication
from imslab.capture.anonymise.dhcp import PORTS as DHCP_PORTS
from imslab.capture.anonymise.dhcp import Dhcp
from imslab.capture.anonymise.diameter import HEADER, Diameter
from imslab.capture.anonymise.dns import PORTS, Dns
from imslab.capture.anonymise.gtp import CONTROL_PORT, USER_PORT, Gtp
from imslab.capture.anonymise.media import Media
from imslab.capture.anonymise.messages import Messages
from imslab.capture.anonymise.records import Records
from imslab.capture.anonymise.sdp import Sdp
from imslab.capture.anonymise.sealed import Sealed
from imslab.capture.anonymise.segments import Flow, Segments
from imslab.capture.anonymise.stun import Stun
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.tunnels import Frames, Tunnels
from imslab.capture.sip import looks_like_sip
from imslab.uicc import gsmtap

_KEEP_ALIVE = frozenset(b"\r\n\0 ")
_LONGEST_KEEP_ALIVE = 8
_FIRST_PORT = 1024  # below there are services, and no media


class Carried:
    """Rewrites payloads; first surveys all of them, as long as ``surveys`` is True.

    ``done``  what was met, and how it was treated: protocol -> packets or streams
    """

    def __init__(self, texts: Texts, challenges: Challenges, inner: Frames) -> None:
        self._texts, self.surveys = texts, True
        self.authentication = Authentication(texts, challenges)
        sdp = Sdp(texts)
        self.bodies = Bodies(texts, sdp)
        self._sealed = Sealed(texts.pseudonyms, challenges)
        self._messages = Messages(texts, self.authentication, self.bodies, self._sealed)
        self._cards, self._diameter = Cards(texts, challenges), Diameter(texts, challenges)
        self._dns, self._dhcp, self._records = Dns(texts), Dhcp(texts), Records(texts)
        self._media, self._ports = Media(texts, sdp.codecs), sdp.ports
        self._gtp, self._tunnels = Gtp(texts, inner.packet), Tunnels(texts, inner, self._anything)
        self._stun = Stun(texts, sdp.passwords, self._anything)
        self.segments = Segments()
        self._media_hosts: set[tuple[bytes, bytes]] = set()
        self._streams: Counter[tuple[Flow, bytes]] = Counter()
        self.done: Counter[str] = Counter()

    def look_again(self) -> bool:
        """Tell whether streams gave keys that open packets which were closed to the survey so far.

        Then the survey begins anew.
        """
        before = self._sealed.count
        self.segments.each(self._stream)
        if self._sealed.count == before or not self._sealed.closed:
            return False
        self.segments, self._sealed.closed = Segments(), 0
        self._streams.clear()
        self._cards.start()
        return True

    def begin(self) -> None:
        """End the survey: from now on everything is rewritten. Fragments must wait for this, too."""
        self.surveys = False
        self._media_hosts = {(flow[0], flow[2]) for (flow, _), count in self._streams.items() if count > 1}
        self._cards.start()
        self.segments.close(self._stream)

    # -- datagrams -------------------------------------------------------------------------------

    def datagram(self, flow: Flow, octets: bytes) -> bytes:
        """Rewrite what a UDP datagram carries."""
        if not octets:
            return octets
        tunnelled = self._in_tunnel(flow, octets)
        if tunnelled is not None:
            return tunnelled
        if gsmtap.PORT in (flow[1], flow[3]) and len(octets) >= 16:
            return self._card(flow, octets)
        if not DHCP_PORTS.isdisjoint((flow[1], flow[3])):
            new = self._dhcp.rewrite(octets)
            if new is not None:
                return self._said("DHCP", new)
        if not PORTS.isdisjoint((flow[1], flow[3])):
            new = self._dns.rewrite(octets)
            if new is not None:
                return self._said("DNS", new)
        return self._recognised(flow, octets)

    def _in_tunnel(self, flow: Flow, octets: bytes) -> bytes | None:
        ports = flow[1], flow[3]
        if USER_PORT in ports and (new := self._gtp.user(octets)) is not None:
            return self._said("GTP-U", new)
        if CONTROL_PORT in ports and (new := self._gtp.control(octets)) is not None:
            return self._said("GTP-C", new)
        return self._tunnels.rewrite(ports, flow, octets)

    def _card(self, flow: Flow, octets: bytes) -> bytes:
        ends = flow[0], flow[2]
        if self.surveys:
            self._cards.survey(octets, ends)
            return octets
        return self._said("APDU", self._cards.rewrite(octets, ends))

    def _recognised(self, flow: Flow, octets: bytes) -> bytes:
        if looks_like_sip(octets):
            return self._message(octets)
        if Stun.is_stun(octets):
            return self._said("STUN", self._stun.rewrite(octets))
        if Records.is_dtls(octets):
            if self.surveys:
                self._records.survey(octets, flow)
                return octets
            return self._said("DTLS", self._records.datagram(octets, flow))
        if Media.is_rtcp(octets):
            return self._said("RTCP", self._media.rtcp(octets))
        if Media.is_rtp(octets) and self._is_stream(flow, octets):
            return self._said("RTP", self._media.rtp(octets))
        return self._unknown(octets, "UDP")

    def _is_stream(self, flow: Flow, octets: bytes) -> bool:
        """Tell whether RTP has been announced here, or hosts have sent more than one packet of a source."""
        place = flow, octets[8:12]
        if self.surveys:
            self._streams[place] += 1
            return True
        announced = not self._ports.isdisjoint((flow[1], flow[3]))
        return announced or ((flow[0], flow[2]) in self._media_hosts and min(flow[1], flow[3]) >= _FIRST_PORT)

    def _message(self, octets: bytes) -> bytes:
        if self.surveys:
            self._messages.survey(octets)
            return octets
        return self._said("SIP", self._messages.rewrite(octets))

    def _anything(self, octets: bytes) -> bytes:
        """Rewrite what a TURN server passes on, or a probe has seen: of no address that is known."""
        return self._recognised((b"", 0, b"", 0), octets) if octets else octets

    def _unknown(self, octets: bytes, transport: str) -> bytes:
        if self.surveys or (len(octets) <= _LONGEST_KEEP_ALIVE and _KEEP_ALIVE.issuperset(octets)):
            return octets
        if is_text(octets):
            return self._said(f"text over {transport}", self._words(octets))
        return self._said(f"unknown over {transport}", _blank(len(octets), transport))

    def _words(self, octets: bytes) -> bytes:
        text = self._texts.words(octets.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")

    # -- streams, chunks, associations -----------------------------------------------------------

    def segment(self, flow: Flow, seq: int, flags: int, octets: bytes) -> bytes:
        """Rewrite what a TCP segment carries: a part of a stream."""
        if self.surveys:
            self.segments.survey(flow, seq, flags, octets)
            return octets
        if not octets:
            return octets
        new = self.segments.part(flow, seq, octets)
        return _blank(len(octets), "TCP") if new is None else new

    def _stream(self, flow: Flow, octets: bytes) -> bytes:
        name = _connection(flow)
        if framing.opens_websocket(octets):
            return self._said("WebSocket", framing.websocket(octets, self._http(name), self._frame))
        if framing.is_sip(octets):
            return self._said("SIP over TCP", framing.messages(octets, self._message, self._between))
        if framing.is_http(octets):
            return self._said("HTTP", framing.messages(octets, self._http(name), self._between, http=True))
        if _is_diameter(octets):
            return self._said("Diameter", self.chunk(octets))
        if Records.is_tls(octets):
            return octets if self.surveys else self._said("TLS", self._records.stream(octets))
        if not PORTS.isdisjoint((flow[1], flow[3])) and len(octets) > 2:
            new = self._dns.rewrite(octets[2:])
            if new is not None:
                return self._said("DNS", octets[:2] + new)
        if Stun.is_stun(octets):
            return self._said("STUN", self._stun.rewrite(octets))
        return self._unknown(octets, "TCP")

    def _http(self, name: str) -> Callable[[bytes], bytes]:
        def rewrite(octets: bytes) -> bytes:
            if self.surveys:
                self._messages.survey(octets)
                return octets
            return self._messages.rewrite(octets, name)

        return rewrite

    def _frame(self, octets: bytes) -> bytes:
        return self._message(octets) if looks_like_sip(octets) else self._unknown(octets, "WebSocket")

    def _between(self, octets: bytes) -> bytes:
        return self._unknown(octets, "TCP")

    def chunk(self, octets: bytes) -> bytes:
        """Rewrite Diameter."""
        if self.surveys:
            self._diameter.survey(octets)
            return octets
        return self._diameter.rewrite(octets)

    def sealed(self, octets: bytes, inside: Callable[[int, bytes], bytes]) -> bytes:
        """Rewrite an ESP packet, and with ``inside`` what it holds."""
        return self._said("ESP", self._sealed.rewrite(octets, inside))

    def _said(self, protocol: str, octets: bytes) -> bytes:
        if not self.surveys:
            self.done[protocol] += 1
        return octets


def _blank(length: int, transport: str) -> bytes:
    """Return octets that say nothing, and that no dissector takes for a message: in streams, FF."""
    return b"\xff" * length if transport == "TCP" else bytes(length)


def _is_diameter(octets: bytes) -> bool:
    """Tell whether a stream begins with a header of Diameter (RFC 6733, 3)."""
    length = int.from_bytes(octets[1:4])
    return (
        len(octets) >= HEADER
        and octets[0] == 1
        and HEADER <= length < 1 << 20
        and not (length % 4 or octets[4] & 0x0F)
    )


def _connection(flow: Flow) -> str:
    """Return a name for a connection, the same in both directions."""
    return repr(sorted(((flow[0], flow[1]), (flow[2], flow[3]))))
