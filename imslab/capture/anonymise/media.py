"""RTP and RTCP with noise for media: headers and reports stay, so that every statistic is the same.

Spec: RFC 3550, 5.1 and 6 (RTP, RTCP); RFC 8285 (header extensions); RFC 4733 (telephone events); RFC 3611
(XR); RFC 4585 (feedback). A key that was pressed becomes another key, with its length and end as they
were.
"""

from collections.abc import Mapping

from imslab.capture.anonymise.text import Texts

_RTCP_TYPES = range(192, 224)
_EVENTS, _EVENT = "telephone-event", 4  # octets (RFC 4733, 2.3)
_SENDER, _RECEIVER, _DESCRIPTION, _BYE, _FEEDBACK, _PAYLOAD_FEEDBACK, _EXTENDED = (
    200,
    201,
    202,
    203,
    205,
    206,
    207,
)
_REPORT = 24  # octets of one report block
_REMB = b"REMB"
_SRTCP_CLEAR, _INDEX_ENDS, _MOST_PACKETS = (
    8,
    (10, 0, 4),
    1 << 20,
)  # octets; octets of the tag behind the index


class Media:
    """Rewrites RTP and RTCP packets; ``codecs`` are payload types with the names that SDP gives them."""

    def __init__(self, texts: Texts, codecs: Mapping[int, str]) -> None:
        self._texts, self._codecs = texts, codecs

    # -- RTP -------------------------------------------------------------------------------------

    @staticmethod
    def is_rtp(octets: bytes) -> bool:
        """Tell whether octets may be RTP: version 2, room for a header, a payload type that RTCP has not."""
        return len(octets) >= 12 and octets[0] >> 6 == 2 and not 64 <= octets[1] & 0x7F < 96

    def rtp(self, octets: bytes) -> bytes:
        """Return a packet with the same header and another payload; extensions become zeros."""
        start = 12 + 4 * (octets[0] & 0x0F)
        extension = b""
        if octets[0] & 0x10 and start + 4 <= len(octets):
            length = 4 * int.from_bytes(octets[start + 2 : start + 4])
            extension = octets[start : start + 4] + bytes(min(length, len(octets) - start - 4))
        end = start + len(extension)
        payload = octets[end:]
        return octets[:start] + extension + self._payload(octets[:12], payload, bool(octets[0] & 0x20))

    def _payload(self, header: bytes, payload: bytes, padded: bool) -> bytes:
        pseudonyms = self._texts.pseudonyms
        if self._codecs.get(header[1] & 0x7F) == _EVENTS and len(payload) == _EVENT:
            # The packets of one event have one timestamp: its key is the same in all of them.
            key = pseudonyms.number(b"event" + header[4:12], 10) if payload[0] < 16 else payload[0]
            return bytes((key,)) + payload[1:]
        head = payload[: _head(self._codecs.get(header[1] & 0x7F, ""), payload)]
        noise = head + pseudonyms.noise(b"rtp" + header, len(payload) - len(head))
        # The last octet of a padded payload counts the padding.
        return noise[:-1] + payload[-1:] if padded and payload and payload[-1] <= len(payload) else noise

    # -- RTCP ------------------------------------------------------------------------------------

    @staticmethod
    def is_rtcp(octets: bytes) -> bool:
        """Tell whether octets begin with an RTCP packet that is whole."""
        return (
            len(octets) >= 8
            and octets[0] >> 6 == 2
            and octets[1] in _RTCP_TYPES
            and 4 * (int.from_bytes(octets[2:4]) + 1) <= len(octets)
        )

    def rtcp(self, octets: bytes) -> bytes:
        """Return a compound packet with other names; an encrypted one becomes noise behind its source."""
        parts, at = [], 0
        while self.is_rtcp(octets[at:]):
            end = at + 4 * (int.from_bytes(octets[at + 2 : at + 4]) + 1)
            parts.append(octets[at:end])
            at = end
        if at == len(octets):
            return b"".join(self._report(packet) for packet in parts)
        # What is behind the last one belongs to SRTCP (RFC 3711, 3.4): index and tag.
        noise = self._texts.pseudonyms.noise(b"rtcp" + octets, len(octets) - _SRTCP_CLEAR)
        result = bytearray(octets[:_SRTCP_CLEAR] + noise)
        for end in _INDEX_ENDS:
            place = slice(len(octets) - end - 4, len(octets) - end)
            if place.start >= _SRTCP_CLEAR and _is_index(octets[place]):
                result[place] = octets[place]
                break
        return bytes(result)

    def _report(self, packet: bytes) -> bytes:
        kind, count = packet[1], packet[0] & 0x1F
        if kind in (_SENDER, _RECEIVER):
            known = (28 if kind == _SENDER else 8) + _REPORT * count
            return packet[:known] + bytes(len(packet[known:]))
        if kind == _DESCRIPTION:
            return packet[:4] + self._descriptions(packet[4:], count)
        if kind == _BYE:
            known = 4 + 4 * count
            return packet[:known] + self._reason(packet[known:])
        if kind in (_FEEDBACK, _EXTENDED) or (kind == _PAYLOAD_FEEDBACK and (count < 15 or _REMB in packet)):
            return packet
        return packet[:8] + self._texts.pseudonyms.octets(packet[8:]) if packet[8:] else packet

    def _descriptions(self, octets: bytes, count: int) -> bytes:
        """Rewrite CNAME and the other items of each source (RFC 3550, 6.5)."""
        result, at = bytearray(len(octets)), 0
        for _ in range(count):
            result[at : at + 4] = octets[at : at + 4]
            at += 4
            while at + 1 < len(octets) and octets[at]:
                end = min(at + 2 + octets[at + 1], len(octets))
                result[at : at + 2] = octets[at : at + 2]
                result[at + 2 : end] = self._words(octets[at + 2 : end])
                at = end
            at += 4 - at % 4
        return bytes(result[: len(octets)])

    def _reason(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        end = min(1 + octets[0], len(octets))
        return octets[:1] + self._words(octets[1:end]) + bytes(len(octets) - end)

    def _words(self, octets: bytes) -> bytes:
        other = self._texts.words(octets.decode("utf-8", "surrogateescape"))
        return other.encode("utf-8", "surrogateescape")


def _is_index(octets: bytes) -> bool:
    """Tell whether four octets are the index of SRTCP: the E bit, and a number that packets reach."""
    value = int.from_bytes(octets)
    return bool(value >> 31) and value & 0x7FFFFFFF < _MOST_PACKETS


def _head(codec: str, payload: bytes) -> int:
    """Return how many octets of a payload say only how it is divided: a codec's own header, which stays.

    RFC 6716, 3 (Opus), RFC 4867, 4 (AMR), RFC 6184, 5 (H.264), RFC 7741, 4.2 (VP8); for others nothing stays.
    """
    if codec == "opus":
        return _opus_head(payload)
    if codec in ("amr", "amr-wb"):
        return 2
    if codec.startswith(("h264", "h265", "vp8", "vp9", "evs")):
        return min(3, len(payload))
    return 0


def _opus_head(payload: bytes) -> int:
    """Return where the first frame of an Opus packet begins: behind the lengths of the frames."""
    code = payload[0] & 3 if payload else 0
    if code < 2 or len(payload) < 2:
        return 1
    if code == 2:
        return 2 if payload[1] < 252 else 3
    count, at = payload[1] & 0x3F, 2
    if payload[1] & 0x40:  # padding: its length, octet by octet
        while at < len(payload) and payload[at] == 255:
            at += 1
        at += 1
    if payload[1] & 0x80:
        for _ in range(count - 1):
            at += 1 if at < len(payload) and payload[at] < 252 else 2
    return min(at, len(payload))
