"""The Cx questions and answers of `imslab.ims.cx` as Diameter octets.

Spec: 3GPP TS 29.228 and TS 29.229 (Cx): UAR/UAA 300, SAR/SAA 301, LIR/LIA 302, MAR/MAA 303, and what an HSS
asks of itself, RTR 304 and PPR 305; vendor 10415, application 16777216. The AVPs are those that a Kamailio
S-CSCF asks for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imslab.aka import AuthenticationVector, digest
from imslab.errors import Malformed
from imslab.ims.cx import (
    HSS_SELECTED,
    PASSWORD_SCHEME,
    SCHEME,
    Answer,
    Assignment,
    LocationInfoAnswer,
    LocationInfoRequest,
    MultimediaAuthAnswer,
    MultimediaAuthRequest,
    Push,
    Request,
    Result,
    ServerAssignmentAnswer,
    ServerAssignmentRequest,
    UserAuthorizationAnswer,
    UserAuthorizationRequest,
)
from imslab.net import cx_avps as avp
from imslab.net import diameter
from imslab.net.cx_avps import APPLICATION, LIR, MAR, PPR, RTR, SAR, UAR, experimental, opening, result_of
from imslab.net.cx_push import (
    encode_profile,
    encode_push_answer,
    encode_termination,
    read_profile,
    read_termination,
)
from imslab.net.diameter import PORT, Avps, Framer, Header, Pair, present

__all__ = [
    "APPLICATION",
    "LAB",
    "PORT",
    "CxMessage",
    "Framer",
    "Peers",
    "decode",
    "encode",
    "encode_answer",
    "encode_profile",
    "encode_push_answer",
    "encode_request",
    "encode_termination",
]

NAMES = {UAR: "UA", SAR: "SA", LIR: "LI", MAR: "MA", RTR: "RT", PPR: "PP", 257: "CE", 280: "DW", 282: "DP"}

_FIRST_REGISTRATION, _SUBSEQUENT_REGISTRATION = 2001, 2002  # the two successes of a UAA (6.2.1)
_UNREGISTERED_SERVICE, _NOT_REGISTERED = 2003, 5003  # of a LIA: the user is known, but not here (6.2)


@dataclass(frozen=True, slots=True)
class Peers:
    """Who speaks on Cx: Diameter identities (FQDNs) of the S-CSCF and the HSS, and their realm."""

    scscf: str
    hss: str
    realm: str


_REALM = "ims.mnc001.mcc001.3gppnetwork.org"
LAB = Peers(f"scscf.{_REALM}", f"hss.{_REALM}", _REALM)


@dataclass(frozen=True, slots=True)
class CxMessage:
    """One Diameter message, read.

    ``command``     the command code;  ``identifier``: Hop-by-Hop, the same in request and answer, as
                    ``end_to_end`` is
    ``result``      Result-Code or Experimental-Result-Code; None in a request
    ``value``       the question, the answer or the push of `imslab.ims.cx`; None for a command that is no
                    Cx, or not whole
    """

    command: int
    is_request: bool
    identifier: int
    end_to_end: int
    session: str
    origin: str
    impi: str
    impu: str
    result: int | None
    value: Request | Answer | Push | None = field(repr=False)

    @property
    def name(self) -> str:
        """The command's usual abbreviation: "MAR", "MAA"; its code where it has none."""
        known = NAMES.get(self.command)
        return f"{known}{'R' if self.is_request else 'A'}" if known else f"command {self.command}"


def encode(request: Request, answer: Answer, identifier: int, peers: Peers = LAB) -> tuple[bytes, bytes]:
    """Return the octets of a question and of its answer.

    ``identifier`` (32 bits) ties the two together, and makes their Session-Id (RFC 6733, 8.8).
    """
    session = f"{peers.scscf};0;{identifier}"
    question = encode_request(request, peers, session=session, identifier=identifier)
    return question, encode_answer(answer, request, peers, session=session, identifier=identifier)


def encode_request(request: Request, peers: Peers, *, session: str, identifier: int) -> bytes:
    """Return the Diameter octets of a question; Malformed for a value that no AVP can hold.

    A UAR without a private identity names the one that follows from the public one (TS 29.228, 6.1.1).
    """
    if isinstance(request, LocationInfoRequest):
        asked = [(diameter.DESTINATION_REALM, peers.realm.encode()), (avp.IMPU, request.impu)]
        return avp.request(LIR, identifier, [*opening(session, peers.scscf, peers.realm), *asked])
    impi = request.impi or request.impu.partition(":")[2]
    avps = [*opening(session, peers.scscf, peers.realm), (diameter.DESTINATION_REALM, peers.realm.encode())]
    avps += present([(diameter.USER_NAME, impi), (avp.IMPU, request.impu)])
    if isinstance(request, UserAuthorizationRequest):
        return avp.request(UAR, identifier, [*avps, (avp.VISITED, request.visited_network.encode())])
    avps += present([(avp.SERVER, request.server)])  # a BSF has neither a public identity nor a SIP name
    if isinstance(request, MultimediaAuthRequest):
        item = [(avp.SCHEME, request.scheme)]
        extra = [(avp.AUTHORIZATION, request.authorization)] if request.authorization else []
        return avp.request(MAR, identifier, [*avps, (avp.ITEM_COUNT, 1), (avp.ITEM, [*item, *extra])])
    assignment = [(avp.ASSIGNMENT, int(request.assignment)), (avp.HAS_DATA, 0)]
    return avp.request(SAR, identifier, [*avps, *assignment])


def encode_answer(
    answer: Answer,
    request: Request,
    peers: Peers,
    *,
    session: str,
    identifier: int,
    end_to_end: int | None = None,
) -> bytes:
    """Return the Diameter octets of the answer to ``request``.

    ``end_to_end``  that of the request, where it is another than its Hop-by-Hop ``identifier``
    """
    command, pairs = _answered(answer, request, peers, session)
    other = identifier if end_to_end is None else end_to_end
    return diameter.message(Header(command, diameter.PROXIABLE, APPLICATION, identifier, other), pairs)


def _answered(answer: Answer, request: Request, peers: Peers, session: str) -> tuple[int, list[Pair]]:
    """Return the command code and the AVPs of an answer."""
    avps = opening(session, peers.hss, peers.realm)
    if isinstance(request, LocationInfoRequest):
        return LIR, [*avps, *_location(answer)]
    if isinstance(answer, UserAuthorizationAnswer):
        code = _SUBSEQUENT_REGISTRATION if answer.server else _FIRST_REGISTRATION
        named = [(diameter.USER_NAME, answer.impi), (avp.SERVER, answer.server)]
        result = experimental(code) if answer.result is Result.SUCCESS else result_of(answer.result)
        return UAR, [*avps, result, *present(named)]
    avps.append(result_of(answer.result))
    avps.append((diameter.USER_NAME, request.impi or ""))
    if isinstance(answer, MultimediaAuthAnswer):
        asked = request.scheme if isinstance(request, MultimediaAuthRequest) else SCHEME
        scheme = SCHEME if asked == HSS_SELECTED else asked
        if answer.ha1:
            password = _password(answer.ha1, peers.realm)
            return MAR, [*avps, *present([(avp.IMPU, request.impu)]), *password]
        return MAR, [*avps, *present([(avp.IMPU, request.impu)]), *_vector(answer.vector, scheme)]
    assert isinstance(answer, ServerAssignmentAnswer)
    data = [(avp.USER_DATA, avp.subscription(request.impi or "", answer.impus))] if answer.impus else []
    return SAR, [*avps, *data]


def decode(octets: bytes) -> CxMessage:
    """Read one Diameter message; Malformed when its length or an AVP in it is broken."""
    header, avps = diameter.parse(octets)
    command, is_request = header.command, header.is_request
    experimental = avps.group(diameter.EXPERIMENTAL).number(diameter.EXPERIMENTAL_CODE)
    result = avps.number(diameter.RESULT) or experimental or None
    return CxMessage(
        command,
        is_request,
        header.hop_by_hop,
        header.end_to_end,
        avps.text(diameter.SESSION),
        avps.text(diameter.ORIGIN_HOST),
        avps.text(diameter.USER_NAME),
        avps.text(avp.IMPU),
        None if is_request else result,
        _value(command, is_request, avps, result) if header.application == APPLICATION else None,
    )


def _value(command: int, is_request: bool, avps: Avps, result: int | None) -> Request | Answer | Push | None:
    reader = _READERS.get((command, is_request))
    try:
        return reader(avps, result) if reader else None
    except Malformed:
        return None  # a vector with a wrong length: the message is shown, its value is not


def _read_uar(avps: Avps, _: int | None) -> Request:
    return UserAuthorizationRequest(
        avps.text(avp.IMPU), avps.text(diameter.USER_NAME) or None, avps.text(avp.VISITED)
    )


def _read_mar(avps: Avps, _: int | None) -> Request:
    item = avps.group(avp.ITEM)
    names = avps.text(avp.IMPU), avps.text(diameter.USER_NAME), avps.text(avp.SERVER)
    return MultimediaAuthRequest(*names, item.octets(avp.AUTHORIZATION), item.text(avp.SCHEME) or SCHEME)


def _read_sar(avps: Avps, _: int | None) -> Request | None:
    try:
        assignment = Assignment(avps.number(avp.ASSIGNMENT))
    except ValueError:
        return None
    return ServerAssignmentRequest(
        avps.text(avp.IMPU), avps.text(diameter.USER_NAME), avps.text(avp.SERVER), assignment
    )


def _read_lir(avps: Avps, _: int | None) -> Request:
    return LocationInfoRequest(avps.text(avp.IMPU))


def _read_lia(avps: Avps, code: int | None) -> Answer | None:
    result = _known(Result.SUCCESS if code in (_UNREGISTERED_SERVICE, _NOT_REGISTERED) else code)
    return None if result is None else LocationInfoAnswer(result, avps.text(avp.SERVER))


def _read_uaa(avps: Avps, code: int | None) -> Answer | None:
    result = _known(_FIRST_REGISTRATION if code == _SUBSEQUENT_REGISTRATION else code)
    return (
        None
        if result is None
        else UserAuthorizationAnswer(result, avps.text(diameter.USER_NAME), avps.text(avp.SERVER))
    )


def _read_maa(avps: Avps, code: int | None) -> Answer | None:
    result, item = _known(code), avps.group(avp.ITEM)
    if result is None:
        return None
    challenge, ha1 = item.octets(avp.CHALLENGE), item.group(avp.DIGEST).text(avp.HA1)
    if ha1:
        return MultimediaAuthAnswer(result, ha1=ha1)
    if result is not Result.SUCCESS or not challenge:
        return MultimediaAuthAnswer(result)
    if len(challenge) != 32:
        raise Malformed(
            f"SIP-Authenticate holds {len(challenge)} octets", expected="RAND and AUTN, 32 octets"
        )
    keys = item.octets(avp.AUTHORIZATION), item.octets(avp.CK), item.octets(avp.IK)
    return MultimediaAuthAnswer(result, AuthenticationVector(challenge[:16], challenge[16:], *keys))


def _read_saa(avps: Avps, code: int | None) -> Answer | None:
    result = _known(code)
    if result is None:
        return None
    impus = avp.identities(avps.text(avp.USER_DATA))
    return ServerAssignmentAnswer(result, impus)


_READERS: Mapping[tuple[int, bool], Callable[[Avps, int | None], Request | Answer | Push | None]] = {
    (UAR, True): _read_uar,
    (UAR, False): _read_uaa,
    (MAR, True): _read_mar,
    (MAR, False): _read_maa,
    (LIR, True): _read_lir,
    (LIR, False): _read_lia,
    (SAR, True): _read_sar,
    (SAR, False): _read_saa,
    (RTR, True): read_termination,
    (PPR, True): read_profile,
}


def _known(code: int | None) -> Result | None:
    return next((result for result in Result if result == code), None)


def _location(answer: Answer) -> list[Pair]:
    assert isinstance(answer, LocationInfoAnswer)
    if answer.result is Result.SUCCESS and not answer.server:
        return [experimental(_NOT_REGISTERED)]
    named = present([(avp.SERVER, answer.server)])
    return [result_of(answer.result), *named]


def _vector(vector: AuthenticationVector | None, scheme: str) -> list[Pair]:
    """Return the AVPs of a vector.

    A core that asks for AKAv2 by name compares the answer with what stands in SIP-Authorization, and computes
    no RFC 4169 itself: it gets the password of AKAv2 there, and XRES only for AKAv1.
    """
    if vector is None:
        return []
    item = [
        (avp.ITEM_NUMBER, 1),
        (avp.SCHEME, scheme),
        (avp.CHALLENGE, vector.rand + vector.autn),
        (avp.AUTHORIZATION, _expected(vector, scheme)),
        (avp.CK, vector.ck),
        (avp.IK, vector.ik),
    ]
    return [(avp.ITEM_COUNT, 1), (avp.ITEM, item)]


def _password(ha1: str, realm: str) -> list[Pair]:
    """Return the AVPs of SIP Digest (TS 29.229, 6.3.36)."""
    known = [(avp.REALM, realm), (avp.ALGORITHM, "MD5"), (avp.QOP, "auth"), (avp.HA1, ha1)]
    item = [(avp.ITEM_NUMBER, 1), (avp.SCHEME, PASSWORD_SCHEME), (avp.DIGEST, known)]
    return [(avp.ITEM_COUNT, 1), (avp.ITEM, item)]


def _expected(vector: AuthenticationVector, scheme: str) -> bytes:
    algorithm = scheme.removeprefix("Digest-")
    if digest.aka_version(algorithm) != 2:
        return vector.xres
    return digest.password(algorithm, vector.xres, vector.ck, vector.ik)
