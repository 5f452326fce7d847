"""Offer and answer: which session descriptions fit each other, and who has to speak next.

Spec: RFC 3264, sections 5 (offer), 6 (answer), 8 (changes, hold); RFC 6337 (when an offer may be made);
RFC 8843, 7.2.1 (bundle-only). A description that breaks these rules is Malformed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from imslab.errors import CallFailed, Malformed
from imslab.sip.sdp import Attribute, Connection, Media, Origin, RtpMap, SessionDescription
from imslab.sip.syntax import number

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# What may be answered to an offered direction (RFC 3264, 6.1), the fullest first.
ANSWERS = {
    "sendrecv": ("sendrecv", "sendonly", "recvonly", "inactive"),
    "sendonly": ("recvonly", "inactive"),
    "recvonly": ("sendonly", "inactive"),
    "inactive": ("inactive",),
}
HELD = {"sendrecv": "sendonly", "recvonly": "inactive"}  # RFC 3264, 8.4
# Payload types that need no rtpmap: RFC 3551, table 4 and 5 (those that are still met).
STATIC = {
    "0": RtpMap("PCMU", 8000),
    "3": RtpMap("GSM", 8000),
    "8": RtpMap("PCMA", 8000),
    "9": RtpMap("G722", 8000),
    "18": RtpMap("G729", 8000),
    "26": RtpMap("JPEG", 90000),
    "31": RtpMap("H261", 90000),
    "34": RtpMap("H263", 90000),
}


def direction(session: SessionDescription, media: Media) -> str:
    """Return the direction of ``media``: its own, the session's, or sendrecv (RFC 8866, 6.7)."""
    return media.direction or session.direction or "sendrecv"


def check_offer(offer: SessionDescription, previous: SessionDescription | None = None) -> None:
    """Raise Malformed for an offer that cannot be one; ``previous`` is what its maker said last.

    Sections may be added, never taken away (RFC 3264, 8).
    """
    if previous is not None and len(offer.media) < len(previous.media):
        raise Malformed(
            f"an offer with {len(offer.media)} m= lines after one with {len(previous.media)}",
            expected="at least as many: a stream is ended by port 0",
        )
    for media in offer.media:
        _ = media.rtpmap


def check_answer(offer: SessionDescription, answer: SessionDescription) -> None:
    """Raise Malformed unless ``answer`` answers ``offer``, m= line by m= line (RFC 3264, 6)."""
    if len(answer.media) != len(offer.media):
        raise Malformed(
            f"an answer with {len(answer.media)} m= lines to an offer with {len(offer.media)}",
            expected="one for each, in the same order",
        )
    for place, (asked, given) in enumerate(zip(offer.media, answer.media, strict=True), 1):
        _check_media(place, asked, given)
        if given.port:
            _check_direction(place, direction(offer, asked), direction(answer, given))


def _check_media(place: int, asked: Media, given: Media) -> None:
    if (asked.kind, asked.protocol) != (given.kind, given.protocol):
        raise Malformed(
            f"m= line {place} answers {given.kind} {given.protocol}",
            expected=f"{asked.kind} {asked.protocol}",
        )
    if given.port == 0:
        return
    if asked.port == 0 and "bundle-only" not in {attribute.name for attribute in asked.attributes}:
        raise Malformed(f"m= line {place} accepts a stream that was not offered", expected="port 0")
    if "RTP" in asked.protocol and not set(codecs(asked)) & set(codecs(given)):
        raise Malformed(
            f"m= line {place} answers with no codec of the offer", expected="at least one of them"
        )


def _check_direction(place: int, asked: str, given: str) -> None:
    if given not in ANSWERS[asked]:
        raise Malformed(f"m= line {place} answers {given} to {asked}", expected=" or ".join(ANSWERS[asked]))


def codecs(media: Media) -> dict[tuple[str, int, int], str]:
    """Return (encoding in lower case, clock rate, channels) -> payload type of an RTP section.

    Payload types that nobody explains keep their number as a name.
    """
    known = {**STATIC, **media.rtpmap}
    found: dict[tuple[str, int, int], str] = {}
    for payload_type in media.formats:
        codec = known.get(payload_type, RtpMap(payload_type, 0))
        found.setdefault((codec.encoding.lower(), codec.clock_rate, codec.channels), payload_type)
    return found


# -- the answer of an endpoint: RFC 3264, 6 ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stream:
    """What an endpoint can do with one kind of media.

    ``port``       where it receives;  ``codecs``: in the order in which it likes them
    ``direction``  what it wants, as it sees it
    """

    port: int
    codecs: tuple[RtpMap, ...]
    direction: str = "sendrecv"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a plain RTP endpoint can do: ``streams`` by kind ("audio", "video")."""

    origin: Origin
    connection: Connection
    streams: Mapping[str, Stream]
    protocols: tuple[str, ...] = ("RTP/AVP",)


def answer(offer: SessionDescription, capabilities: Capabilities) -> SessionDescription:
    """Return the answer of an endpoint to ``offer``: the first stream of each kind that both can do.

    The others are refused with port 0. Raises CallFailed (488) when none is left, Malformed for an offer that
    cannot be one.
    """
    check_offer(offer)
    free = dict(capabilities.streams)
    media = tuple(_answer_media(offer, one, free, capabilities.protocols) for one in offer.media)
    if not any(one.port for one in media):
        raise CallFailed("no media in common", status=488, advice="offer a codec that the other side knows")
    return SessionDescription(
        capabilities.origin, connection=capabilities.connection, times=offer.times, media=media
    )


def _answer_media(
    offer: SessionDescription, asked: Media, free: dict[str, Stream], protocols: tuple[str, ...]
) -> Media:
    ours = free.get(asked.kind)
    common = _in_common(asked, ours) if ours is not None and asked.protocol in protocols else {}
    if ours is None or not common or not asked.port:
        return Media(asked.kind, 0, asked.protocol, asked.formats)
    del free[asked.kind]
    rows = [Attribute("rtpmap", f"{number} {_codec_text(codec)}") for number, codec in common.items()]
    way = narrowed(ours.direction, direction(offer, asked))
    return Media(asked.kind, ours.port, asked.protocol, tuple(common), attributes=(*rows, Attribute(way)))


def _in_common(asked: Media, ours: Stream) -> dict[str, RtpMap]:
    """Return payload type -> codec, in our order, with the offer's numbers (RFC 3264, 6.1)."""
    offered = codecs(asked)
    keys = ((codec.encoding.lower(), codec.clock_rate, codec.channels) for codec in ours.codecs)
    return {offered[key]: codec for key, codec in zip(keys, ours.codecs, strict=True) if key in offered}


def _codec_text(codec: RtpMap) -> str:
    channels = "" if codec.channels == 1 else f"/{codec.channels}"
    return f"{codec.encoding}/{codec.clock_rate}{channels}"


def narrowed(ours: str, offered: str) -> str:
    """Return the direction to answer: what we want, as far as the offer allows it (RFC 3264, 6.1)."""
    sends = ours in ("sendrecv", "sendonly") and offered in ("sendrecv", "recvonly")
    receives = ours in ("sendrecv", "recvonly") and offered in ("sendrecv", "sendonly")
    return DIRECTIONS[2 * (not sends) + (not receives)]


# -- hold: RFC 3264, 8.4 ---------------------------------------------------------------------------


def held(description: SessionDescription) -> SessionDescription:
    """Return the next offer of who said ``description``, with every stream on hold."""
    return _redirected(description, lambda way: HELD.get(way, way))


def resumed(description: SessionDescription) -> SessionDescription:
    """Return the next offer of who said ``description``, with every stream in both directions again."""
    return _redirected(description, lambda way: "sendrecv")


def is_held(offer: SessionDescription) -> bool:
    """Tell whether the maker of ``offer`` wants to hear nothing: each stream sendonly or inactive."""
    ways = [direction(offer, media) for media in offer.media if media.port]
    return bool(ways) and all(way in ("sendonly", "inactive") for way in ways)


def only_redirects(offer: SessionDescription, previous: SessionDescription) -> bool:
    """Tell whether ``offer`` changes nothing in ``previous`` but directions (and the version of o=)."""
    return _directionless(offer) == _directionless(previous)


def mirrored(description: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """Return ``description``, what we said last, as the answer to an offer that only changes directions."""
    if len(description.media) != len(offer.media):
        raise Malformed("the offer has other m= lines than the session", expected="the same ones")
    media = tuple(
        _with_direction(mine, ANSWERS[direction(offer, theirs)][0])
        for mine, theirs in zip(description.media, offer.media, strict=True)
    )
    return replace(_next(description), media=media)


def _redirected(description: SessionDescription, change: Callable[[str], str]) -> SessionDescription:
    media = tuple(_with_direction(one, change(direction(description, one))) for one in description.media)
    return replace(_next(description), media=media)


def _next(description: SessionDescription) -> SessionDescription:
    """Return the description as its maker's next one: the version of o= is one higher (RFC 3264, 8)."""
    origin = description.origin
    version = str(number("the version of o=", origin.session_version, 2**64) + 1)
    plain = tuple(a for a in description.attributes if a.name not in DIRECTIONS)
    return replace(description, origin=replace(origin, session_version=version), attributes=plain)


def _with_direction(media: Media, way: str) -> Media:
    attributes = tuple(a for a in media.attributes if a.name not in DIRECTIONS)
    return replace(media, attributes=(*attributes, Attribute(way)))


def _directionless(description: SessionDescription) -> SessionDescription:
    origin = replace(description.origin, session_version="0")
    plain = tuple(a for a in description.attributes if a.name not in DIRECTIONS)
    media = tuple(
        replace(one, attributes=tuple(a for a in one.attributes if a.name not in DIRECTIONS))
        for one in description.media
    )
    return replace(description, origin=origin, attributes=plain, media=media)


# -- the state of a session: RFC 3264, 4; RFC 6337, 2 -----------------------------------------------


class Negotiation:
    """The offers and answers of one dialog: what is agreed, and whose turn it is.

    ``local``, ``remote``  the descriptions that are in force, as octets; b"" while nothing is agreed
    ``offered``            our own offer that waits for its answer; b"" when none does
    ``asked``              the peer's offer that waits for our answer; b"" when none does
    """

    def __init__(self, *, offered: bytes = b"", asked: bytes = b"") -> None:
        self.local = self.remote = b""
        self.offered, self.asked = offered, asked
        for octets in (offered, asked):
            if octets:
                check_offer(SessionDescription.parse(octets))

    @property
    def is_pending(self) -> bool:
        """Whether an offer, of either side, waits for its answer: nobody may make another one."""
        return bool(self.offered or self.asked)

    def offer(self, octets: bytes) -> None:
        """Make an offer; Malformed when it is none, CallFailed (491) while another one is pending."""
        self._free()
        check_offer(SessionDescription.parse(octets), _parsed(self.local))
        self.offered = octets

    def take_offer(self, octets: bytes) -> None:
        """Take the peer's offer; Malformed when it is none, CallFailed (491) while another one is pending."""
        self._free()
        check_offer(SessionDescription.parse(octets), _parsed(self.remote))
        self.asked = octets

    def answer(self, octets: bytes) -> None:
        """Answer the peer's offer; Malformed when that is no answer to it."""
        if not self.asked:
            raise Malformed("an answer to no offer")
        check_answer(SessionDescription.parse(self.asked), SessionDescription.parse(octets))
        self.local, self.remote, self.asked = octets, self.asked, b""

    def take_answer(self, octets: bytes) -> None:
        """Take the peer's answer; Malformed when it does not answer our offer."""
        if not self.offered:
            raise Malformed("an answer to no offer")
        check_answer(SessionDescription.parse(self.offered), SessionDescription.parse(octets))
        self.local, self.remote, self.offered = self.offered, octets, b""

    def withdraw(self) -> None:
        """Forget an offer that was refused, of either side: what was agreed stays (RFC 3261, 14.1)."""
        self.offered = self.asked = b""

    def _free(self) -> None:
        if self.is_pending:
            raise CallFailed("an offer is pending", status=491, advice="wait for its answer")


def _parsed(octets: bytes) -> SessionDescription | None:
    return SessionDescription.parse(octets) if octets else None
