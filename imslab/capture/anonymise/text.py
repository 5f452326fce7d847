"""Text with other names in it: words, numbers, hosts, URIs and the values of headers, each as long as before.

Spec: RFC 3261, 25.1 (URIs, quoted strings), RFC 3966 (tel), RFC 3986, 2.1 (percent escapes), TS 23.003, 2.2
(IMSI), 13 and 19 (domains with MNC and MCC). Nothing here parses: what stands on the wire may be broken, and
whatever is not known to be a word of the protocol is replaced.

Text is ``str`` in which an octet that is no UTF-8 is a surrogate, so that every octet comes back.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Set

from imslab.capture.anonymise.addresses import Addresses
from imslab.capture.anonymise.numbers import NETWORK, Numbers
from imslab.capture.anonymise.pseudonyms import Pseudonyms
from imslab.capture.anonymise.vocabulary import LABELS, SHARED_SECOND, TOP_LEVEL, WORDS

NONE: frozenset[str] = frozenset()

_V4 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)"
_GROUP, _DOTTED = r"[0-9A-Fa-f]{1,4}", r"(?:\.\d{1,3}){0,3}"
_V6 = "|".join(
    rf"(?<![\w:]){form}(?![\w:])"
    for form in (
        rf"(?:{_GROUP}:){{1,7}}(?::{_GROUP}){{1,7}}{_DOTTED}",
        rf"(?:{_GROUP}:){{2,7}}(?:{_GROUP}|:)?{_DOTTED}",
        rf"::(?:{_GROUP}:){{0,6}}{_GROUP}{_DOTTED}",
    )
)
_WORD = r"(?:[A-Za-z0-9]|[^\x00-\x7f]|%[0-9A-Fa-f]{2})+"
_DOMAIN = r"(?<![\w.%-])(?:[\w-]{1,63}\.)+[A-Za-z]{2,20}(?![\w-]|\.\w)"
_SCHEMES = r"(?:sips?|tel|urn|mailto|im|pres|xmpp|https?|wss?|cid|msrps?|aaas?)"
_URI = rf"(?<![\w+.-])(?i:{_SCHEMES}):[^\s<>\",;?]*"
_BTID = r"(?<![\w+/])[A-Za-z0-9+/]{22}==(?![\w=])"  # base64 of 16 octets: a RAND, or a key
_SCAN = re.compile(
    rf"(?P<btid>{_BTID})|(?P<uri>{_URI})|(?P<ip>{_V4}|{_V6})|(?P<domain>{_DOMAIN})|(?P<word>{_WORD})"
)
_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})|(.)", re.DOTALL)
_LABEL = re.compile(r"[^.]+")
_NUMBER = re.compile(r"\+?\d[\d().\-]*")
_ANONYMOUS = "anonymous@anonymous.invalid"  # RFC 3323, 4.1.1.3
_DIALOG = frozenset(("to", "from", "tag", "early", "only"))  # RFC 3891, 6.1, in the header part of a URI
_MOST_DIGITS = 10  # of a number of 32 bits: an SPI, a time in seconds
_COOKIE = "z9hG4bK"  # RFC 3261, 8.1.1.7


class Texts:
    """Replaces what names somebody in a text."""

    def __init__(self, pseudonyms: Pseudonyms, numbers: Numbers, addresses: Addresses) -> None:
        self.pseudonyms, self.numbers, self.addresses = pseudonyms, numbers, addresses
        self.seen: set[str] = set()  # what was replaced somewhere
        self.kept: set[str] = set()  # what stays where it is a word of a language, of XML for example
        self.people: set[str] = set()  # what users are called

    # -- words -----------------------------------------------------------------------------------

    def words(self, text: str, keep: Set[str] = NONE, *, numbers: int = 0) -> str:
        """Replace every word that is not in ``keep``; URIs, addresses and domains as what they are.

        ``numbers``  leave words of up to so many digits; of longer ones the last three, so that they count
        """
        if text in self.pseudonyms.known:
            return self.pseudonyms.known[text]
        return _SCAN.sub(lambda match: self._found(match, keep, numbers), text)

    def _found(self, match: "re.Match[str]", keep: Set[str], numbers: int) -> str:
        text = match.group()
        if match.lastgroup == "btid":
            return self.pseudonyms.known.get(text) or self.base64(text)
        if match.lastgroup == "uri":
            return self.uri(text)
        if match.lastgroup == "ip":
            return self.ip(text)
        if match.lastgroup == "domain":
            top = text.rpartition(".")[2].lower()
            return self.host(text) if top in TOP_LEVEL else self._words_of(text, keep, numbers)
        return self.word(text, keep, numbers=numbers)

    def _words_of(self, text: str, keep: Set[str] = NONE, numbers: int = 0) -> str:
        return _WORDS.sub(lambda match: self.word(match.group(), keep, numbers=numbers), text)

    def word(self, word: str, keep: Set[str] = NONE, *, numbers: int = 0) -> str:
        """Replace one word, in which some letters may stand as percent escapes."""
        if "%" in word:
            return self._escaped(word, keep, numbers)
        if word.lower() in keep:
            return word
        if numbers and word.isdecimal() and word.isascii():
            return word if len(word) <= numbers else self.numbers.counter(word)
        if word in self.pseudonyms.known:
            return self.pseudonyms.known[word]
        if word.startswith(_COOKIE):
            return _COOKIE + self.word(word[len(_COOKIE) :]) if word != _COOKIE else word
        if word.isdecimal() and word.isascii():
            return self.numbers.number(word)
        return self._noted(word, self.pseudonyms.word(word))

    def _escaped(self, word: str, keep: Set[str], numbers: int) -> str:
        """Undo the escapes, replace the words, and escape the same octets again."""
        octets, escapes = bytearray(), dict[int, str]()
        for digits, octet in _OCTET.findall(word.encode("utf-8", "surrogateescape")):
            if digits:
                escapes[len(octets)] = digits.decode()
            octets += bytes.fromhex(digits.decode()) or octet
        text = bytes(octets).decode("utf-8", "surrogateescape")
        moved = self.words(text, keep, numbers=numbers).encode("utf-8", "surrogateescape")
        parts = [
            (f"%{octet:02x}" if escapes[i] == escapes[i].lower() else f"%{octet:02X}").encode()
            if i in escapes
            else bytes((octet,))
            for i, octet in enumerate(moved)
        ]
        return b"".join(parts).decode("utf-8", "surrogateescape")

    def base64(self, text: str) -> str:
        """Replace what base64 text says; text that is none becomes words."""
        digits = text.rstrip("=")
        try:
            octets = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
        except (binascii.Error, ValueError):
            return self.words(text)
        return base64.b64encode(self.pseudonyms.octets(octets)).decode()[: len(digits)] + text[len(digits) :]

    def hex(self, text: str) -> str:
        """Replace octets that are written in hex, in the same case; text that is none becomes words."""
        try:
            moved = self.pseudonyms.octets(bytes.fromhex(text)).hex()
        except ValueError:
            return self.words(text)
        return moved.upper() if text != text.lower() else moved

    # -- hosts and URIs --------------------------------------------------------------------------

    def ip(self, text: str) -> str:
        """Replace an address; what only looks like one becomes words."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return self._words_of(text)
        return self._noted(text, self._written(text, address.packed))

    def _written(self, text: str, packed: bytes) -> str:
        """Write the other address in the form that ``text`` has."""
        if "." not in text:
            return _like(text, self.addresses.ip(packed))
        head, last, dotted = text.rpartition(":")  # IPv4, alone or at the end of IPv6
        head = head if head.lower().strip(":0") in ("", "ffff") else self._words_of(head)
        v4 = self.addresses.ip(ipaddress.IPv4Address(dotted).packed)
        return head + last + str(ipaddress.IPv4Address(v4))

    def _noted(self, old: str, new: str) -> str:
        """Remember what was replaced, for the search at the end."""
        if new != old:
            self.seen.add(old)
        return new

    def host(self, host: str) -> str:
        """Replace a host: an address, with brackets or without, or a domain name."""
        bare = host.strip("[]")
        if bare and (bare[-1] == ":" or ":" in bare or re.fullmatch(_V4, bare)):
            return host.replace(bare, self.ip(bare))
        if "%" in host:
            return self._escaped(host, NONE, False)
        return self._noted(host, self._domain(host))

    def _domain(self, name: str) -> str:
        parts: list[str] = []
        at = 0
        for match in NETWORK.finditer(name):
            mcc, mnc = self.numbers.network(match[4], match[2])
            parts += [self._labels(name[at : match.start()], name), match[1] + mnc + match[3] + mcc]
            at = match.end()
        return "".join([*parts, self._labels(name[at:], name)])

    def _labels(self, text: str, name: str) -> str:
        """Replace the labels in a part of a domain name that do not say what it is for."""
        owned = _owned(name)
        return _LABEL.sub(
            lambda match: match[0] if match[0].lower() in LABELS - owned else self._words_of(match[0]), text
        )

    def user(self, user: str) -> str:
        """Replace a user part, with its password and what follows it: ``alice:secret;phone-context=...``."""
        name, *params = re.split(r"(;)", user)
        self.people.update(_WORDS.findall(name))
        moved = self.numbers.digits(name) if _NUMBER.fullmatch(name) and name.isascii() else self.words(name)
        return moved + "".join(self.params(piece) for piece in params)

    def uri(self, uri: str) -> str:
        """Replace what a URI names, whatever its scheme; parameters and headers too."""
        scheme, colon, rest = uri.partition(":")
        kind = scheme.lower()
        if kind == "urn":
            return scheme + colon + self._urn(rest)
        if kind == "tel":
            number, *params = re.split(r"(;)", rest)
            return (
                scheme + colon + self.numbers.digits(number) + "".join(self.params(piece) for piece in params)
            )
        slashes = "//" if rest.startswith("//") else ""
        rest = rest[len(slashes) :]
        authority = re.split(r"([/?#;])" if slashes else r"(\?)", rest, maxsplit=1)
        head, tail = authority[0], "".join(authority[1:])
        moved = self._authority(head)
        return scheme + colon + slashes + moved + self._tail(tail, bool(slashes))

    def _authority(self, text: str) -> str:
        """Replace ``user@host:port;params``."""
        if text.lower().startswith(_ANONYMOUS):
            return text[: len(_ANONYMOUS)] + self.params(text[len(_ANONYMOUS) :])
        user, at, rest = text.rpartition("@")
        match = re.match(r"(\[[^\]]*\]|[^:;/]*)(:\d+)?", rest)
        assert match is not None  # it matches nothing, too
        host, port = match[1], match[2] or ""
        params = "".join(self.params(piece) for piece in re.split(r"(;)", rest[match.end() :]))
        return (self.user(user) if at else "") + at + self.host(host) + port + params

    def _tail(self, text: str, is_path: bool) -> str:
        if is_path:
            return self.words(text)
        return _PAIR.sub(lambda match: self.pair(match), text) if text else ""

    def _urn(self, rest: str) -> str:
        kind = rest.lower()
        if kind.startswith(("gsma:imei", "3gpp:imei")):
            name, colon, number = rest.partition("imei")
            label, mark, digits = number.partition(":")
            return name + colon + label + mark + self.numbers.digits(digits)
        return self.words(rest, WORDS, numbers=0 if kind.startswith("uuid") else 2)

    # -- parameters ------------------------------------------------------------------------------

    def params(self, text: str) -> str:
        """Replace the values of ``;name=value`` pairs that do not belong to the protocol."""
        return _PAIR.sub(self.pair, text)

    def pair(self, match: "re.Match[str]") -> str:
        """Replace one ``name=value``, or a word alone."""
        name, equals, value = match["name"], match["equals"] or "", match["value"] or ""
        shown = self.words(name, WORDS, numbers=2) if equals or name.lower() not in WORDS else name
        return shown + equals + self._value(name.lower(), value)

    def _value(self, name: str, value: str) -> str:
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        if quoted:
            return '"' + self._value(name, value[1:-1]) + '"'
        if value.startswith("<"):
            return "<" + self.uri_or_words(value.strip("<>")) + (">" if value.endswith(">") else "")
        if name in ("replaces", "join", "target-dialog"):
            return self.words(value, _DIALOG)
        if name in KEPT:
            return self.words(value, WORDS, numbers=_MOST_DIGITS)
        if name in HOSTS:
            return self.host(value) if not value.startswith("+") else self.numbers.digits(value)
        if name.startswith("+"):  # a feature tag (RFC 3840)
            return self.words(value, WORDS, numbers=_MOST_DIGITS)
        return self.words(value)

    def name(self, text: str) -> str:
        """Replace an identity: a URI, ``user@host``, a host, or words."""
        user, at, host = text.rpartition("@")
        if _IS_URI.match(text):
            return self.uri(text)
        if at and not re.search(r"[^\w.:\[\]-]", host):
            return self.user(user) + at + self.host(host)
        return self.words(text) if re.search(r"[^\w.:\[\]-]", text) else self.host(text)

    def uri_or_words(self, text: str) -> str:
        """Replace a whole URI, or words where it is none."""
        return self.uri(text) if _IS_URI.match(text) else self.words(text)


# Parameters whose values are words and numbers of the protocol, and those that name a host.
_KEPT = """
q expires rport ttl port port-c port-s spi-c spi-s spi-uc spi-us alg ealg mod prot cause reg-id method
purpose handling transport comp user refresher qop algorithm stale nc charset duration retry-after lr ob np
mp rc index seq integrity-protected rate delta version cpi min-se protocol mode st
"""
_HOSTS = """
received maddr host orig-ioi term-ioi transit-ioi icid-generated-at related-icid-generated-at realm domain
phone-context trunk-context raddr ccf ecf addr
"""
KEPT, HOSTS = frozenset(_KEPT.split()), frozenset(_HOSTS.split())
_WORDS = re.compile(_WORD)
_IS_URI = re.compile(rf"(?i){_SCHEMES}:")
_VALUE = r"\"(?:[^\"\\]|\\.)*\"?|<[^>]*>?|[^\s;,\"<>&?]*"
_PAIR = re.compile(rf"(?P<name>[\w+.!*'`~%-]+)(?:(?P<equals>\s*=\s*)(?P<value>{_VALUE}))?")


def _like(text: str, packed: bytes) -> str:
    """Write an IPv6 address in the form that ``text`` has: as many digits, ``::`` in the same place."""
    values = [int.from_bytes(packed[i : i + 2]) for i in range(0, 16, 2)]
    left, gap, right = text.partition("::")
    before, after = (
        [piece for piece in left.split(":") if piece],
        [piece for piece in right.split(":") if piece],
    )
    tail = values[len(values) - len(after) :]
    return ":".join(_pieces(before, values[: len(before)])) + gap + ":".join(_pieces(after, tail))


def _pieces(like: list[str], values: list[int]) -> list[str]:
    return [
        (f"{value:0{len(piece)}X}" if piece != piece.lower() else f"{value:0{len(piece)}x}")[-len(piece) :]
        for piece, value in zip(like, values, strict=True)
    ]


def _owned(name: str) -> frozenset[str]:
    """Return the label that says whose the name is: the last but one, or the only one."""
    labels = name.lower().split(".")
    if ".".join(labels[-2:]) in SHARED_SECOND or labels[-1] in ("invalid", "localhost"):
        return NONE
    return frozenset((labels[max(len(labels) - 2, 0)],))
