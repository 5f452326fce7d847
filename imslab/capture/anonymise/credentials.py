"""Authentication headers with other names and other nonces, and digests that fit again.

Spec: RFC 7616, 3.3 to 3.5; RFC 3310; RFC 4169; TS 24.229, 7.2A (ck, ik); TS 24.109, 5 (GBA). A digest that
was right under a known key is computed anew for what now stands in the message, one that was wrong becomes
other hex digits and stays wrong. An AKAv1 answer under the label of AKAv2 (a fault of real cores) stays one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from imslab.aka import digest, gba
from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.vocabulary import WORDS
from imslab.capture.timeline import is_aka_name
from imslab.errors import AkaError, Malformed
from imslab.sip import AuthenticationInfo, Credentials

HEADERS = frozenset(
    ("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info")
)
_PAIR = re.compile(r"(?P<name>[\w-]+)(?P<equals>\s*=\s*)(?P<value>\"(?:[^\"\\]|\\.)*\"?|[^\s,\"]+)|[^\s,=]+")
_DIGEST = re.compile(r"(?i)\b(response|rspauth)(\s*=\s*\"?)([0-9a-f]{32,128})")
_UB = re.compile(r"(?i)3gpp-bootstrapping(?:-uicc)?@")
Secrets = tuple[Mapping[str, Any], Mapping[str, Any]]  # arguments of a digest, before and after
_KEPT = frozenset(("algorithm", "qop", "nc", "stale", "integrity-protected", "charset", "userhash"))


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request says of itself: needed for the proof that comes with its answer."""

    old: Credentials
    new: Credentials
    secrets: "Secrets" = field(repr=False)
    algorithm: str | None

    def proof(self, which: int, info: AuthenticationInfo, body: bytes) -> str:
        """Return the rspauth of the message before (0) or after (1); Malformed when something is missing."""
        given = (self.old, self.new)[which]
        said = given.arguments | {
            "qop": info.qop,
            "nc": info.nc or given.nc,
            "cnonce": info.cnonce or given.cnonce,
        }
        return digest.rspauth(self.algorithm, **said, body=body, **self.secrets[which])


class Authentication:
    """Rewrites the authentication headers of SIP and HTTP."""

    def __init__(self, texts: Texts, challenges: Challenges) -> None:
        self._texts, self._challenges = texts, challenges
        self._answered: dict[str, Answered] = {}
        self._impis: dict[bytes, tuple[str, str]] = {}
        self._digests: set[str] = set()
        self.signed, self.unsigned = 0, 0

    # -- what the capture holds ------------------------------------------------------------------

    def survey(self, value: str) -> None:
        """Take in the challenges that an authentication header names."""
        for given in _parsed(value):  # a challenge reads as credentials, too
            if is_aka_name(given.algorithm):
                rand, autn, _ = self._challenges.split(given.nonce)
                self._challenges.note(rand, autn)
                self._survey_auts(rand, given.auts)
                if given.username and rand:
                    self._impis.setdefault(rand, (given.username, self._texts.name(given.username)))

    def _survey_auts(self, rand: bytes, auts: str | None) -> None:
        try:
            self._challenges.note_auts(rand, digest.parse_auts(auts or ""))
        except Malformed:
            return

    # -- the words -------------------------------------------------------------------------------

    def rewrite(self, value: str) -> str:
        """Replace what names somebody in a header value; digests become other hex digits."""
        return _PAIR.sub(self._pair, value)

    def _pair(self, match: "re.Match[str]") -> str:
        name, value = match["name"], match["value"]
        if name is None:
            return self._texts.words(match.group(), WORDS)  # the scheme, or what goes with Basic and Bearer
        mark = '"' if value.startswith('"') else ""
        end = '"' if len(value) > 1 and mark and value.endswith('"') else ""
        inner = value[len(mark) : len(value) - len(end)]
        shown = self._texts.words(name, WORDS, numbers=10)
        return shown + match["equals"] + mark + self._value(name.lower(), inner) + end

    def _value(self, name: str, value: str) -> str:
        texts = self._texts
        if name in _KEPT:
            return texts.words(value, WORDS, numbers=10)
        if name in ("nonce", "nextnonce"):
            return self._challenges.nonce(value) or texts.words(value)
        if name == "auts":
            return self._challenges.auts(value) or texts.words(value)
        if name in ("ck", "ik", "response", "rspauth"):
            return texts.hex(value)
        if name == "username":
            return self._texts.name(value)
        if name in ("realm", "domain"):
            return self._realm(value)
        return texts.uri_or_words(value)

    def _realm(self, realm: str) -> str:
        prefix = match.group() if (match := _UB.match(realm)) else ""
        return prefix + self._texts.name(realm[len(prefix) :])

    # -- the digests -----------------------------------------------------------------------------

    def sign(self, place: str, method: str, old: tuple[str, bytes], new: tuple[str, bytes]) -> str:
        """Return the new header value with the digests that fit it.

        ``old`` and ``new`` are the value and the body of the message, before and after; ``place`` ties
        an answer to its request: the transaction, or the connection.
        """
        if _DIGEST.search(old[0]) is None:
            return new[0]
        if "rspauth" in old[0].lower():
            return self._proof(place, old, new)
        givens = _parsed(old[0]), _parsed(new[0])
        if len(givens[0]) != 1 or len(givens[1]) != 1:
            return new[0]
        text = self._response(place, method, (givens[0][0], old[1]), (givens[1][0], new[1]))
        return new[0] if text is None else _replaced(new[0], text)

    def _response(
        self, place: str, method: str, old: tuple[Credentials, bytes], new: tuple[Credentials, bytes]
    ) -> str | None:
        for algorithm, secrets in self._attempts(old[0]):
            said = [{"method": method, "body": body, **given.arguments} for given, body in (old, new)]
            try:
                digest.verify(algorithm, old[0].response, **said[0], **secrets[0])
                response = digest.response(algorithm, **said[1], **secrets[1])
            except (AkaError, Malformed):
                continue
            self._done(old[0].response, response)
            answered = Answered(old[0], new[0], secrets, algorithm)
            self._answered[place] = self._answered[_counted(old[0]) or place] = answered
            return response
        # A UE may repeat its last response (TS 24.229, 5.1.1.4.1): that one has been replaced already.
        self.unsigned += old[0].response.lower() not in self._digests
        return None

    def _done(self, old: str, new: str) -> None:
        """Remember a digest, so that what repeats it is replaced by the same."""
        self.signed += 1
        self._digests.add(old.lower())
        self._texts.pseudonyms.known_octets[bytes.fromhex(old)] = bytes.fromhex(new)

    def _proof(self, place: str, old: tuple[str, bytes], new: tuple[str, bytes]) -> str:
        """Return an Authentication-Info whose proof is made anew, where it was right for its request."""
        infos = _info(old[0]), _info(new[0])
        if infos[0] is None or infos[1] is None:
            return new[0]
        answered = self._answered.get(_counted(infos[0])) or self._answered.get(place)
        if answered is None:
            return new[0]
        try:
            before = answered.proof(0, infos[0], old[1])
            after = answered.proof(1, infos[1], new[1])
        except Malformed:
            return new[0]
        right = before == (infos[0].rspauth or "").lower()
        self.signed, self.unsigned = self.signed + right, self.unsigned + (not right)
        return _replaced(new[0], after) if right else new[0]

    def _attempts(self, given: Credentials) -> Iterator[tuple[str | None, Secrets]]:
        """Yield (algorithm, secrets before and after) with which an answer may have been computed."""
        secrets = self._challenges.secrets(given.nonce)
        if secrets is None:
            yield from ((given.algorithm, passwords) for passwords in self._naf_passwords(given))
            return
        if given.auts:  # the password is empty then (RFC 3310, 3.2)
            yield given.algorithm, ({"password": ""}, {"password": ""})
        yield given.algorithm, secrets
        yield _other_version(given.algorithm or ""), secrets

    def _naf_passwords(self, given: Credentials) -> "Iterator[Secrets]":
        """Yield the passwords that GBA gives for a B-TID at the web application of the realm."""
        fqdn = given.realm.rpartition("@")[2]
        for rand, (impi, new_impi) in self._impis.items():
            if given.username.startswith(gba.b_tid(rand, "")):
                places = (impi, gba.naf_id(fqdn)), (new_impi, gba.naf_id(self._realm(fqdn)))
                for old, new in self._challenges.naf_keys(rand, *places):
                    yield {"password": gba.password(old)}, {"password": gba.password(new)}


def _parsed(value: str) -> list[Credentials]:
    try:
        return [given for given in Credentials.parse_all(value.strip()) if given.is_digest]
    except Malformed:
        return []


def _info(value: str) -> AuthenticationInfo | None:
    try:
        return AuthenticationInfo.parse(value.strip())
    except Malformed:
        return None


def _counted(given: Credentials | AuthenticationInfo) -> str:
    """Return what tells a digest from others: the client's nonce and the count; "" without the first."""
    return f"{given.cnonce} {given.nc}" if given.cnonce else ""


def _other_version(algorithm: str) -> str:
    return algorithm.replace("v2", "v1") if "v2" in algorithm.lower() else algorithm.replace("v1", "v2")


def _replaced(value: str, digits: str) -> str:
    """Put a digest into a header value, in the case of the digits that stand there."""

    def put(match: "re.Match[str]") -> str:
        return match[1] + match[2] + (digits if match[3] == match[3].lower() else digits.upper())

    return _DIGEST.sub(put, value, count=1)
