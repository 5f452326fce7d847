"""What session descriptions say of media: sockets, codecs, keys, fingerprints.

Spec: RFC 8866 (SDP), RFC 8839 (ICE candidates), RFC 9143 (BUNDLE: sections that share a socket),
RFC 3264 (offer and answer). A description tells where its sender wants to receive; the payload
types in it are those of packets that go there.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from imslab.capture.codecs import Codec, static_codec
from imslab.capture.reassemble import Endpoint
from imslab.capture.sip import SipEvent, view
from imslab.errors import Malformed
from imslab.sip.sdp import Attribute, Media, SessionDescription

_BODY = re.compile(rb"v=0\r?\n")
_PART_END = re.compile(rb"\r?\n--")
_NO_PORT = (0, 9)  # refused, and ICE's "somewhere" (the discard port)
_MOST_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class Announced:
    """Media sections of one description that arrive at the same sockets.

    ``frame, at``  of the message that carries it (the first hop on which it was seen)
    ``sender``     who sent that message;  ``is_offer``: it stands in a request that no description preceded
    """

    frame: int
    at: float
    call_id: str
    sender: Endpoint
    session: SessionDescription = field(repr=False)
    media: tuple[Media, ...] = field(repr=False)
    sockets: tuple[Endpoint, ...] = ()

    @property
    def is_secure(self) -> bool:
        """Whether it asks for SRTP: by its profile, by keys, or by a fingerprint."""
        return any(
            "SAVP" in media.protocol.upper()
            or media.get("crypto") is not None
            or self.value(media, "fingerprint")
            for media in self.media
        )

    def codec(self, payload_type: int) -> Codec | None:
        """Return what a payload type means here, or None when neither SDP nor RFC 3551 says it."""
        for media in self.media:
            # By themselves: another line, which cannot be read, spoils nothing.
            lines = tuple(one for one in media.attributes if _maps(one, payload_type))
            mapped = (view(replace(media, attributes=lines), "rtpmap") or {}).get(str(payload_type))
            if mapped is not None:
                fmtp = media.fmtp.get(str(payload_type), "")
                return Codec(mapped.encoding, mapped.clock_rate, mapped.channels, fmtp, media.kind)
        return static_codec(payload_type)

    def value(self, media: Media, name: str) -> str | None:
        """Return an attribute of a section, else the session's."""
        found = media.get(name)
        return self.session.get(name) if found is None else found

    def values(self, name: str) -> list[str]:
        """Return every value of an attribute, of the sections and then of the session."""
        return [text for media in self.media for text in media.all(name)] + self.session.all(name)


class Announcements:
    """All descriptions of a capture, found by socket, by ICE name, or by call."""

    def __init__(self, found: Iterable[Announced] = ()) -> None:
        self.all = tuple(found)
        self._by_socket: dict[Endpoint, list[Announced]] = {}
        self._by_name: dict[str, list[Announced]] = {}
        for announced in self.all:
            for socket in announced.sockets:
                self._by_socket.setdefault(socket, []).append(announced)
            for name in announced.values("ice-ufrag"):
                self._by_name.setdefault(name, []).append(announced)

    @property
    def sockets(self) -> list[Endpoint]:
        """The sockets that are named."""
        return list(self._by_socket)

    def learn(self, socket: Endpoint, name: str) -> None:
        """Note that a STUN request to ``socket`` asked for the ICE user ``name`` (RFC 8445, 7.2.2)."""
        for announced in self._by_name.get(name, ()):
            mine = self._by_socket.setdefault(socket, [])
            if announced not in mine:
                mine.append(announced)

    def at(self, socket: Endpoint, frame: int | None = None) -> Announced | None:
        """Return the description that holds for a socket at a frame: the last before it, else the first."""
        known = self._by_socket.get(socket, ())
        before = [announced for announced in known if frame is None or announced.frame <= frame]
        return before[-1] if before else next(iter(known), None)

    def of(self, call_id: str) -> list[Announced]:
        """Return the descriptions of a call."""
        return [announced for announced in self.all if announced.call_id == call_id]


def read(events: Iterable[SipEvent], warnings: list[str]) -> Announcements:
    """Return what the descriptions in ``events`` say; the same one on a later hop is said once."""
    found: list[Announced] = []
    seen: set[tuple[str, bytes]] = set()
    for event in events:
        call_id, body = view(event.message, "call_id") or "", description(event)
        if not body or (call_id, body) in seen:
            continue
        seen.add((call_id, body))
        try:
            session = SessionDescription.parse(body)
        except Malformed as error:
            warnings.append(f"frame {event.frame}: SDP, but {error}")
            continue
        for media, sockets in _transports(session):
            found.append(Announced(event.frame, event.at, call_id, event.source, session, media, sockets))
    return Announcements(found)


def description(event: SipEvent) -> bytes:
    """Return the session description that a message carries, alone or as a part of its body; else b""."""
    kind = (event.message.get("Content-Type") or "").lower()
    body = event.message.body
    start = _BODY.search(body) if "sdp" in kind or "multipart" in kind else None
    if start is None:
        return b""
    end = _PART_END.search(body, start.start()) if "multipart" in kind else None
    return body[start.start() : end.start() if end else len(body)]


def _maps(attribute: Attribute, payload_type: int) -> bool:
    return attribute.name == "rtpmap" and (attribute.value or "").startswith(f"{payload_type} ")


def _transports(session: SessionDescription) -> Iterator[tuple[tuple[Media, ...], tuple[Endpoint, ...]]]:
    """Yield the sections that share a transport, and the sockets of it."""
    bundled = {name for text in session.all("group") for name in _bundle(text)}
    together = [media for media in session.media if media.get("mid") in bundled]
    alone = [(media,) for media in session.media if media not in together]
    for media in (*([tuple(together)] if together else []), *alone):
        sockets = dict.fromkeys(socket for one in media for socket in _sockets(session, one))
        yield media, tuple(sockets)


def _bundle(group: str) -> list[str]:
    semantics, _, names = group.partition(" ")
    return names.split() if semantics.upper() == "BUNDLE" else []


def _sockets(session: SessionDescription, media: Media) -> Iterator[Endpoint]:
    connection = session.connection_of(media)
    if connection is not None and media.port not in _NO_PORT and "RTP" in media.protocol.upper():
        yield from _socket(connection.address, str(media.port))
    for text in media.all("candidate")[:_MOST_CANDIDATES]:
        # foundation component transport priority address port typ ... (RFC 8839, 5.1)
        words = text.split()
        if len(words) >= 6 and words[1] == "1" and words[2].lower() == "udp":
            yield from _socket(words[4], words[5])


def _socket(host: str, port: str) -> Iterator[Endpoint]:
    """Yield a socket, or nothing for a name, for the unspecified address, and for what is no port."""
    address = _address(host)
    if address and port.isascii() and port.isdecimal() and len(port) <= 5:
        yield address, int(port)


def _address(text: str) -> str:
    """Return an address as `index` writes it; "" for a name, and for the unspecified address."""
    try:
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return ""
    return "" if address.is_unspecified else str(address)
