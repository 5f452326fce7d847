"""ESP with another SIP inside: opened with the keys of the capture, rewritten, and sealed with those that
follow.

Spec: RFC 4303; RFC 3329 and 3GPP TS 33.203, 7 and annexes H and I (associations from Security-Client,
Security-Server, CK and IK); RFC 2410 (NULL). Padding and length stay. A packet that no key opens, and that
is not in clear, becomes noise behind its numbers.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.pseudonyms import Pseudonyms
from imslab.errors import EspError, Malformed
from imslab.ipsec import Associations, SecurityAssociation
from imslab.ipsec.esp import without_trailer
from imslab.sip import SecurityMechanism
from imslab.sip.syntax import split_list

_CALL_ID = re.compile(r"(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)")
_OFFER = re.compile(r"(?im)^security-(client|server)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)")
_NONCE = re.compile(r"(?i)\bnonce=\"([^\"]+)\"")
_KEY = re.compile(r"(?i)\b(ck|ik)=\"([0-9a-f]{32})\"")
_HEADER = 8
_UDP, _TCP = 17, 6
_CLEAR = ((0, 12), (0, 16), (8, 16), (0, 32), (0, 0))  # octets of IV and of ICV with NULL encryption
_MOST = 64  # agreements of one Call-ID that are combined

Inside = Callable[[int, bytes], bytes]
_Pair = tuple[SecurityAssociation, SecurityAssociation]


@dataclass(slots=True)
class _Agreement:
    """What the messages of one Call-ID say of security."""

    clients: dict[str, SecurityMechanism] = field(default_factory=dict)
    servers: dict[str, SecurityMechanism] = field(default_factory=dict)
    keys: set[tuple[bytes, bytes]] = field(default_factory=set)


class Sealed:
    """Rewrites ESP packets."""

    def __init__(self, pseudonyms: Pseudonyms, challenges: Challenges) -> None:
        self._pseudonyms, self._challenges = pseudonyms, challenges
        self._agreements: dict[str, _Agreement] = {}
        self._known: dict[int, list[_Pair]] = {}
        self._tried: set[tuple[str, str, bytes]] = set()
        self.opened = self.clear = self.closed = 0

    def survey(self, head: str) -> None:
        """Take in what a SIP message announces, and the keys that belong to it."""
        call_id = _CALL_ID.search(head)
        offers = _OFFER.findall(head)
        nonces, keys = _NONCE.findall(head), dict(_KEY.findall(head))
        if call_id is None or not (offers or nonces or keys):
            return
        here = self._agreements.setdefault(call_id[1], _Agreement())
        for side, value in offers:
            known = here.clients if side.lower() == "client" else here.servers
            known.update((str(one), one) for one in _mechanisms(value) if len(known) < _MOST)
        if {"ck", "ik"} <= keys.keys():
            here.keys.add((bytes.fromhex(keys["ck"]), bytes.fromhex(keys["ik"])))
        for nonce in nonces:
            secrets = self._challenges.secrets(nonce)
            if secrets is not None and {"ck", "ik"} <= secrets[0].keys():
                here.keys.add((secrets[0]["ck"], secrets[0]["ik"]))
        self._agree(here)

    def _agree(self, here: _Agreement) -> None:
        for ck, ik in here.keys:
            for client_text, client in here.clients.items():
                for server_text, server in here.servers.items():
                    place = client_text, server_text, ck + ik
                    if place not in self._tried and len(ck) == len(ik) == 16:
                        self._tried.add(place)
                        self._derive(client, server, ck, ik)

    def _derive(self, client: SecurityMechanism, server: SecurityMechanism, ck: bytes, ik: bytes) -> None:
        try:
            old = Associations.agree(client, server, ck, ik)
            new = Associations.agree(client, server, self._pseudonyms.octets(ck), self._pseudonyms.octets(ik))
        except Malformed:
            return
        for before, after in zip(old, new, strict=True):
            self._known.setdefault(before.sa.spi, []).append((before.sa, after.sa))

    @property
    def count(self) -> int:
        """How many associations are known: more may become so with a second look."""
        return sum(len(pairs) for pairs in self._known.values())

    def rewrite(self, octets: bytes, inside: Inside) -> bytes:
        """Return an ESP packet whose payload went through ``inside`` (next header, octets)."""
        for old, new in self._known.get(int.from_bytes(octets[:4]), []):
            try:
                plain = old.transform.open(octets[:_HEADER], octets[_HEADER:])
                kind, payload = without_trailer(plain)
            except EspError:
                continue
            self.opened += 1
            other = inside(kind, payload) + plain[len(payload) :]
            iv = self._iv(octets, old.transform.iv_length)
            return octets[:_HEADER] + new.transform.seal(octets[:_HEADER], iv, other)
        return self._in_clear(octets, inside)

    def _iv(self, octets: bytes, length: int) -> bytes:
        return self._pseudonyms.noise(b"iv" + octets[:_HEADER], length)

    def _in_clear(self, octets: bytes, inside: Inside) -> bytes:
        """Rewrite a packet with NULL encryption, which its trailer gives away; its check is noise then."""
        for iv, icv in _CLEAR:
            start, end = _HEADER + iv, len(octets) - icv
            try:
                kind, payload = without_trailer(octets[start:end])
            except EspError:
                continue
            if _fits(kind, payload):
                self.clear += 1
                head = octets[:_HEADER] + self._iv(octets, iv)
                body = inside(kind, payload) + octets[start + len(payload) : end]
                return head + body + self._pseudonyms.noise(b"icv" + octets[:_HEADER], icv)
        self.closed += 1
        noise = self._pseudonyms.noise(b"esp" + octets[:_HEADER], len(octets) - _HEADER)
        return octets[:_HEADER] + noise[: len(octets) - _HEADER]


def _mechanisms(value: str) -> Iterator[SecurityMechanism]:
    for text in split_list(value):
        try:
            yield SecurityMechanism.parse(text.strip())
        except Malformed:
            continue


def _fits(kind: int, payload: bytes) -> bool:
    """Tell whether octets in clear may be a datagram or a segment: of chance they would not be."""
    if kind == _UDP and len(payload) >= 8:
        return int.from_bytes(payload[4:6]) == len(payload)
    if kind == _TCP and len(payload) >= 20:
        start, flags = (payload[12] >> 4) * 4, payload[13]
        return 20 <= start <= len(payload) and not payload[12] & 0x0E and flags & 0x3F != 0 and flags & 3 != 3
    return False
