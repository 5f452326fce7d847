"""The second mode of the bridge: a page brings a challenge and gets the digest answer, never RES, CK or IK.

Spec: RFC 3310 and RFC 4169 (Digest AKA), RFC 7616; 3GPP TS 24.229, section 5.1.1.5. What a malicious script
can take away is one answer to one challenge for one registration, and not the keys that follow from it.

Teaching code: it is not constant time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imslab.aka import digest
from imslab.errors import BridgeRefused, MacFailure, Malformed, SyncFailure
from imslab.ims.node import RandomSource
from imslab.uicc import IsimClient, Link, apdu
from imslab.uicc.channels import open_channel
from imslab.web.element import SecureElement

METHODS = ("REGISTER",)  # what a page may have signed
_WORDS = ("algorithm", "realm", "nonce", "qop", "method", "uri")
_AUTHENTICATE = bytes((0x00, apdu.AUTHENTICATE, 0x00, 0x81))


@dataclass(frozen=True, slots=True)
class Question:
    """A challenge (WWW-Authenticate) and the request that answers it; qop is what was offered, or ""."""

    algorithm: str
    realm: str
    nonce: str
    qop: str
    method: str
    uri: str

    @classmethod
    def parse(cls, said: Mapping[str, object]) -> "Question":
        """Take the words that a page sent; raise BridgeRefused (BadRequest) when one is no text."""
        words = [said.get(name, "") for name in _WORDS]
        texts = [word for word in words if isinstance(word, str) and len(word) <= 512]
        if len(texts) != len(_WORDS):
            raise BridgeRefused("BadRequest", f"a challenge has {', '.join(_WORDS)}, each a text")
        return cls(*texts)


def answer(
    element: SecureElement, link: Link, origin: str, question: Question, random: RandomSource
) -> dict[str, str]:
    """Return the directives of Authorization, and ``rspauth`` as the network must prove itself with.

    With a stale SQN there is ``auts``, and the response to an empty password (RFC 3310, 3.4). Raises
    BridgeRefused: AccessDenied for another network than the card's, or when the card's rules shut this page
    out; MacFailure.
    """
    with open_channel(link) as channel:
        client = IsimClient(channel)
        profile = client.read_profile()
        if not element.decide(link, profile.aid, origin).permits(_AUTHENTICATE):
            raise BridgeRefused("AccessDenied", "the card's rules do not let this page authenticate")
        if question.realm != profile.domain or question.uri != f"sip:{profile.domain}":
            raise BridgeRefused("AccessDenied", "the challenge is not of this card's home network")
        if question.method not in METHODS:
            raise BridgeRefused("AccessDenied", f"only {', '.join(METHODS)} is answered")
        return _answered(client, profile.impi, question, random)


def _answered(client: IsimClient, impi: str, question: Question, random: RandomSource) -> dict[str, str]:
    try:
        if not digest.is_aka(question.algorithm):
            raise BridgeRefused("AccessDenied", "only AKA is answered: a card holds no password")
        rand, autn, _ = digest.parse_nonce(question.nonce)
        qop = digest.choose_qop(question.qop)
    except Malformed as error:
        raise BridgeRefused("BadRequest", str(error)) from None
    said: dict[str, Any] = {
        "username": impi,
        "realm": question.realm,
        "nonce": question.nonce,
        "uri": question.uri,
    }
    if qop:
        said |= {"qop": qop, "nc": "00000001", "cnonce": random(8).hex()}
    told = {**said, "algorithm": question.algorithm}
    try:
        keys = client.authenticate(rand, autn)
    except MacFailure as error:
        raise BridgeRefused("MacFailure", str(error)) from None
    except SyncFailure as failure:
        empty = digest.response(question.algorithm, method=question.method, password=b"", **said)
        return {**told, "response": empty, "auts": digest.auts_text(failure.auts)}
    return {
        **told,
        "response": digest.response(
            question.algorithm, method=question.method, res=keys.res, ck=keys.ck, ik=keys.ik, **said
        ),
        "rspauth": digest.rspauth(question.algorithm, res=keys.res, ck=keys.ck, ik=keys.ik, **said),
    }
