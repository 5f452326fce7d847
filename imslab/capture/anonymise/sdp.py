"""Session descriptions with other names, addresses and keys.

Spec: RFC 8866 (SDP), RFC 4568 (crypto), RFC 8839 (ICE), RFC 8122 (fingerprint). What says how media are
coded, and ports, stay: RTP is read by them.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.vocabulary import SDP_WORDS

_LINE = re.compile(r"(?P<type>[A-Za-z])=(?P<value>[^\r\n]*)")
_INLINE = re.compile(r"(inline:)([A-Za-z0-9+/]+=*)")
_HASH = re.compile(r"(?i)([\w-]+\s+)((?:[0-9a-f]{2}:)+[0-9a-f]{2})\s*")
_NUMBERS = re.compile(r"[0-9A-Fa-f]{1,8}|[\d,/|:\[\]-]{1,12}|\d{1,5}\.\d{1,3}")
_LONGEST_SET = 80  # octets
_NEAR = 1000  # a version that is no further from the session's number counts from it
_PORT = re.compile(r"m=(\w+) (\d{1,5})(?:/(\d{1,3}))? ")
_CODECS = re.compile(r"(?i)a=rtpmap:(\d{1,3}) ([\w.-]+)/")

_Rule: TypeAlias = Callable[["Sdp", str], str]


class Sdp:
    """Rewrites SDP, line by line; what is no line of SDP becomes other words."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self.ports: set[int] = set()
        self.codecs: dict[int, str] = {}
        self.passwords: dict[str, str] = {}

    def survey(self, text: str) -> None:
        """Take in what the media need: ports, payload types of telephone events, passwords of ICE."""
        for _, port, count in _PORT.findall(text):
            first = int(port)
            self.ports.update(range(first, first + 2 * max(int(count or 1), 1)))
        self.codecs.update((int(number), name.lower()) for number, name in _CODECS.findall(text))
        names = re.findall(r"a=ice-ufrag:([^\s]+)", text)
        self.passwords.update(zip(names, re.findall(r"a=ice-pwd:([^\s]+)", text), strict=False))

    def rewrite(self, text: str) -> str:
        """Replace what names somebody."""
        return re.sub(r"[^\r\n]+", lambda match: self._line(match.group()), text)

    def _line(self, line: str) -> str:
        match = _LINE.fullmatch(line)
        if match is None:
            return self._texts.words(line)
        kind, value = match["type"], match["value"]
        if kind == "a":
            return "a=" + self._attribute(value)
        rule = _LINES.get(kind)
        return f"{kind}=" + (rule(self, value) if rule else self._texts.words(value))

    def _attribute(self, value: str) -> str:
        name, colon, rest = value.partition(":")
        key = name.lower()
        shown = self._texts.words(name, SDP_WORDS, numbers=10)
        rule = _ATTRIBUTES.get(key) or (Sdp.coded if key in _CODED else Sdp.named)
        return shown + colon + (rule(self, rest) if rest else "")

    # -- values ----------------------------------------------------------------------------------

    def named(self, value: str) -> str:
        """Replace every word."""
        return self._texts.words(value)

    def coded(self, value: str) -> str:
        """Replace every word that SDP does not know; numbers and short hex numbers stay."""
        return re.sub(r"[^\s;,=]+", self._coded_word, value)

    def _coded_word(self, match: "re.Match[str]") -> str:
        word = match.group()
        if _NUMBERS.fullmatch(word) or _is_parameter_set(word):
            return word
        return self._texts.words(word, SDP_WORDS, numbers=10)

    def origin(self, value: str) -> str:
        """Replace user, session and address; the version keeps its distance from the session's number."""
        parts = value.split(" ")
        if len(parts) != 6:
            return self._texts.words(value)
        user, session, version, net, family, host = parts
        number = self._texts.words(session)
        if session.isdecimal() and version.isdecimal() and len(version) == len(session) > 4:
            distance = int(version) - int(session)
            moved = f"{int(number) + distance}" if abs(distance) < _NEAR else self._texts.words(version)
            version = moved if len(moved) == len(version) else self._texts.words(version)
        elif len(version) > 4:
            version = self._texts.words(version)
        shown = user if user == "-" else self._texts.user(user)
        return " ".join([shown, number, version, *self._kept([net, family]), self._texts.host(host)])

    def _kept(self, words: list[str]) -> list[str]:
        return [self._texts.words(word, SDP_WORDS) for word in words]

    def connection(self, value: str) -> str:
        """Replace the address after "IN IP4", and around it what is no word of SDP."""
        match = re.fullmatch(r"(.*?\bIP[46]\s+)([^\s/]+)(.*)", value)
        if match is None:
            return self.coded(value)
        return self.coded(match[1]) + self._texts.host(match[2]) + self.coded(match[3])

    def crypto(self, value: str) -> str:
        """Replace the key after "inline:" by another of as many octets (RFC 4568, 6.1)."""
        parts = _INLINE.split(value)
        for place, part in enumerate(parts):
            if place % 3 == 0:
                parts[place] = self.coded(part)
            elif place % 3 == 2:
                parts[place] = self._texts.base64(part)
        return "".join(parts)

    def candidate(self, value: str) -> str:
        """Replace foundation, addresses and user name of a candidate (RFC 8839, 5.1)."""
        words = re.split(r"(\s+)", value)
        for place in range(0, len(words), 2):
            before = words[place - 2].lower() if place >= 2 else ""
            if place in (8, 0) or before in ("raddr", "ufrag"):
                words[place] = (
                    self._texts.host(words[place]) if place == 8 else self._texts.words(words[place])
                )
            else:
                words[place] = self.coded(words[place])
        return "".join(words)

    def fingerprint(self, value: str) -> str:
        """Replace the digest of a certificate."""
        match = _HASH.fullmatch(value)
        if match is None:
            return self._texts.words(value)
        digits = match[2].replace(":", "")
        moved = self._texts.hex(digits)
        pairs = ":".join(moved[i : i + 2] for i in range(0, len(moved), 2))
        return self.coded(match[1]) + pairs + value[match.end(2) :]

    def stream(self, value: str) -> str:
        """Keep the number of a stream (SSRC), as RTP has it, and the attribute's name; replace the rest."""
        match = re.fullmatch(r"(\d+)(\s+[\w-]+)?(.*)", value)
        if match is None:
            return self._texts.words(value)
        return match[1] + self.coded(match[2] or "") + self._texts.words(match[3])

    def path(self, value: str) -> str:
        """Replace URIs."""
        return self._texts.words(value)


def _is_parameter_set(word: str) -> bool:
    """Tell whether a word is a parameter set of H.264 or H.265 (RFC 6184, 8.1; RFC 7798, 7.1)."""
    try:
        octets = base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    if not 4 <= len(octets) <= _LONGEST_SET:
        return False
    first = octets[0]
    return first & 0x9F in (7, 8) or (first in (0x40, 0x42, 0x44) and octets[1] == 1)


_LINES: Mapping[str, _Rule] = {
    "v": Sdp.coded, "o": Sdp.origin, "c": Sdp.connection, "b": Sdp.coded, "t": Sdp.coded, "r": Sdp.coded,
    "z": Sdp.coded, "m": Sdp.coded,
}  # fmt: skip
_ATTRIBUTES: Mapping[str, _Rule] = {
    "crypto": Sdp.crypto, "candidate": Sdp.candidate, "remote-candidates": Sdp.connection,
    "fingerprint": Sdp.fingerprint, "ssrc": Sdp.stream, "rtcp": Sdp.connection, "path": Sdp.path,
}  # fmt: skip
_CODED_ATTRIBUTES = """
rtpmap fmtp rtcp-fb ptime maxptime framerate setup connection group mid extmap ssrc-group rtcp-mux
rtcp-rsize curr des conf sendrecv sendonly recvonly inactive imageattr framesize extmap-allow-mixed mptime
rtcp-xr quality ice-lite ice-options ice-pacing end-of-candidates sctp-port sctpmap max-message-size
msid-semantic simulcast rid t38faxversion t38maxbitrate t38faxfillbitremoval t38faxtranscodingmmr
t38faxtranscodingjbig t38faxratemanagement t38faxmaxbuffer t38faxmaxdatagram t38faxudpec nortpproxy
silencesupp content charset orient
"""
_CODED = frozenset(_CODED_ATTRIBUTES.split())
