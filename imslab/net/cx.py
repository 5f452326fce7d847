"""The Cx questions and answers of `imslab.ims.cx` as Diameter octets.

Spec: 3GPP TS 29.228 and TS 29.229 (Cx): UAR/UAA 300, SAR/SAA 301, LIR/LIA 302, MAR/MAA 303, and what an HSS
asks of itself, RTR 304 and PPR 305; vendor 10415, application 16777216. The AVPs are those that a Kamailio
S-CSCF asks for.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping
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
    Request,
    Result,
    ServerAssignmentAnswer,
    ServerAssignmentRequest,
    UserAuthorizationAnswer,
    UserAuthorizationRequest,
)
from imslab.net import diameter
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
    "encode_request",
    "encode_termination",
]

UAR, SAR, LIR, MAR, RTR, PPR = 300, 301, 302, 303, 304, 305  # the answer has the code of its request
NAMES = {UAR: "UA", SAR: "SA", LIR: "LI", MAR: "MA", RTR: "RT", PPR: "PP", 257: "CE", 280: "DW", 282: "DP"}
APPLICATION = 16_777_216
_IDENTITY = re.compile(r"<Identity>([^<>]{1,1000})</Identity>")

# AVP codes of TS 29.229, table 6.3.1
_VISITED, _IMPU, _SERVER, _USER_DATA, _ITEM_COUNT = 600, 601, 602, 606, 607
_SCHEME, _CHALLENGE, _AUTHORIZATION, _ITEM, _ITEM_NUMBER = 608, 609, 610, 612, 613
_DIGEST, _REALM_AVP, _QOP, _ALGORITHM, _HA1 = 635, 104, 110, 111, 121  # SIP Digest: RFC 4590's within 635
_ASSIGNMENT, _REASON, _REASON_CODE, _REASON_INFO, _HAS_DATA, _CK, _IK = 614, 615, 616, 617, 624, 625, 626

# These stand in an Experimental-Result, with the vendor (TS 29.229, 6.2); the others in a Result-Code.
_OF_3GPP = {Result.USER_UNKNOWN, Result.IDENTITIES_DONT_MATCH, Result.AUTH_SCHEME_NOT_SUPPORTED}
_FIRST_REGISTRATION, _SUBSEQUENT_REGISTRATION = 2001, 2002  # the two successes of a UAA (6.2.1)
_NOT_REGISTERED = 5003  # in an Experimental-Result, of a LIA (6.2.2.3)


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
    ``value``       the question or answer of `imslab.ims.cx`; None for a command that is not Cx, or not whole
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
    value: Request | Answer | None = field(repr=False)

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
        asked = [(diameter.DESTINATION_REALM, peers.realm.encode()), (_IMPU, request.impu)]
        return _request(LIR, identifier, [*_opening(session, peers.scscf, peers.realm), *asked])
    impi = request.impi or request.impu.partition(":")[2]
    avps = [*_opening(session, peers.scscf, peers.realm), (diameter.DESTINATION_REALM, peers.realm.encode())]
    avps += present([(diameter.USER_NAME, impi), (_IMPU, request.impu)])
    if isinstance(request, UserAuthorizationRequest):
        return _request(UAR, identifier, [*avps, (_VISITED, request.visited_network.encode())])
    avps += present([(_SERVER, request.server)])  # a BSF has neither a public identity nor a SIP name
    if isinstance(request, MultimediaAuthRequest):
        item = [(_SCHEME, request.scheme)]
        extra = [(_AUTHORIZATION, request.authorization)] if request.authorization else []
        return _request(MAR, identifier, [*avps, (_ITEM_COUNT, 1), (_ITEM, [*item, *extra])])
    assignment = [(_ASSIGNMENT, int(request.assignment)), (_HAS_DATA, 0)]
    return _request(SAR, identifier, [*avps, *assignment])


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
    avps = _opening(session, peers.hss, peers.realm)
    if isinstance(request, LocationInfoRequest):
        return LIR, [*avps, *_location(answer)]
    if isinstance(answer, UserAuthorizationAnswer):
        success = _SUBSEQUENT_REGISTRATION if answer.server else _FIRST_REGISTRATION
        code = success if answer.result is Result.SUCCESS else int(answer.result)
        named = [(diameter.USER_NAME, answer.impi), (_SERVER, answer.server)]
        of_3gpp = answer.result is Result.SUCCESS or answer.result in _OF_3GPP
        return UAR, [*avps, _result(code, of_3gpp), *present(named)]
    avps.append(_result(int(answer.result), answer.result in _OF_3GPP))
    avps.append((diameter.USER_NAME, request.impi or ""))
    if isinstance(answer, MultimediaAuthAnswer):
        asked = request.scheme if isinstance(request, MultimediaAuthRequest) else SCHEME
        scheme = SCHEME if asked == HSS_SELECTED else asked
        if answer.ha1:
            password = _password(answer.ha1, peers.realm)
            return MAR, [*avps, *present([(_IMPU, request.impu)]), *password]
        return MAR, [*avps, *present([(_IMPU, request.impu)]), *_vector(answer.vector, scheme)]
    assert isinstance(answer, ServerAssignmentAnswer)
    data = [(_USER_DATA, _subscription(request.impi or "", answer.impus))] if answer.impus else []
    return SAR, [*avps, *data]


def encode_termination(impi: str, impus: Iterable[str], peers: Peers, *, identifier: int) -> bytes:
    """Return an RTR: the S-CSCF shall let this user go (TS 29.228, 6.1.3); no ``impus`` means all."""
    reason = [(_REASON_CODE, 0), (_REASON_INFO, "taken out by the operator")]  # PERMANENT_TERMINATION
    pairs = [*_pushed(impi, peers, identifier), *((_IMPU, impu) for impu in impus), (_REASON, reason)]
    return _request(RTR, identifier, pairs)


def encode_profile(impi: str, impus: Iterable[str], peers: Peers, *, identifier: int) -> bytes:
    """Return a PPR: what the subscription says now (TS 29.228, 6.6)."""
    pairs = [*_pushed(impi, peers, identifier), (_USER_DATA, _subscription(impi, impus))]
    return _request(PPR, identifier, pairs)


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
        avps.text(_IMPU),
        None if is_request else result,
        _value(command, is_request, avps, result) if header.application == APPLICATION else None,
    )


def _value(command: int, is_request: bool, avps: Avps, result: int | None) -> Request | Answer | None:
    reader = _READERS.get((command, is_request))
    try:
        return reader(avps, result) if reader else None
    except Malformed:
        return None  # a vector with a wrong length: the message is shown, its value is not


def _read_uar(avps: Avps, _: int | None) -> Request:
    return UserAuthorizationRequest(
        avps.text(_IMPU), avps.text(diameter.USER_NAME) or None, avps.text(_VISITED)
    )


def _read_mar(avps: Avps, _: int | None) -> Request:
    item = avps.group(_ITEM)
    names = avps.text(_IMPU), avps.text(diameter.USER_NAME), avps.text(_SERVER)
    return MultimediaAuthRequest(*names, item.octets(_AUTHORIZATION), item.text(_SCHEME) or SCHEME)


def _read_sar(avps: Avps, _: int | None) -> Request | None:
    try:
        assignment = Assignment(avps.number(_ASSIGNMENT))
    except ValueError:
        return None
    return ServerAssignmentRequest(
        avps.text(_IMPU), avps.text(diameter.USER_NAME), avps.text(_SERVER), assignment
    )


def _read_lir(avps: Avps, _: int | None) -> Request:
    return LocationInfoRequest(avps.text(_IMPU))


def _read_lia(avps: Avps, code: int | None) -> Answer | None:
    result = _known(Result.SUCCESS if code == _NOT_REGISTERED else code)
    return None if result is None else LocationInfoAnswer(result, avps.text(_SERVER))


def _read_uaa(avps: Avps, code: int | None) -> Answer | None:
    result = _known(_FIRST_REGISTRATION if code == _SUBSEQUENT_REGISTRATION else code)
    return (
        None
        if result is None
        else UserAuthorizationAnswer(result, avps.text(diameter.USER_NAME), avps.text(_SERVER))
    )


def _read_maa(avps: Avps, code: int | None) -> Answer | None:
    result, item = _known(code), avps.group(_ITEM)
    if result is None:
        return None
    challenge, ha1 = item.octets(_CHALLENGE), item.group(_DIGEST).text(_HA1)
    if ha1:
        return MultimediaAuthAnswer(result, ha1=ha1)
    if result is not Result.SUCCESS or not challenge:
        return MultimediaAuthAnswer(result)
    if len(challenge) != 32:
        raise Malformed(
            f"SIP-Authenticate holds {len(challenge)} octets", expected="RAND and AUTN, 32 octets"
        )
    keys = item.octets(_AUTHORIZATION), item.octets(_CK), item.octets(_IK)
    return MultimediaAuthAnswer(result, AuthenticationVector(challenge[:16], challenge[16:], *keys))


def _read_saa(avps: Avps, code: int | None) -> Answer | None:
    result = _known(code)
    if result is None:
        return None
    impus = _IDENTITY.findall(avps.text(_USER_DATA))
    return ServerAssignmentAnswer(result, tuple(html.unescape(impu) for impu in impus))


_READERS: Mapping[tuple[int, bool], Callable[[Avps, int | None], Request | Answer | None]] = {
    (UAR, True): _read_uar,
    (UAR, False): _read_uaa,
    (MAR, True): _read_mar,
    (MAR, False): _read_maa,
    (LIR, True): _read_lir,
    (LIR, False): _read_lia,
    (SAR, True): _read_sar,
    (SAR, False): _read_saa,
}


def _known(code: int | None) -> Result | None:
    return next((result for result in Result if result == code), None)


def _opening(session: str, origin: str, realm: str) -> list[Pair]:
    application = [(diameter.VENDOR, diameter.VENDOR_3GPP), (diameter.AUTH_APPLICATION, APPLICATION)]
    return [
        (diameter.SESSION, session),
        (diameter.VENDOR_APPLICATION, application),
        (diameter.SESSION_STATE, 1),  # NO_STATE_MAINTAINED (RFC 6733, 8.11; TS 29.229, 5.1)
        (diameter.ORIGIN_HOST, origin.encode()),
        (diameter.ORIGIN_REALM, realm.encode()),
    ]


def _result(code: int, of_3gpp: bool) -> Pair:
    if of_3gpp:
        return diameter.EXPERIMENTAL, [
            (diameter.VENDOR, diameter.VENDOR_3GPP),
            (diameter.EXPERIMENTAL_CODE, code),
        ]
    return diameter.RESULT, code


def _location(answer: Answer) -> list[Pair]:
    assert isinstance(answer, LocationInfoAnswer)
    if answer.result is Result.SUCCESS and not answer.server:
        return [_result(_NOT_REGISTERED, True)]
    named = present([(_SERVER, answer.server)])
    return [_result(int(answer.result), answer.result in _OF_3GPP), *named]


def _vector(vector: AuthenticationVector | None, scheme: str) -> list[Pair]:
    """Return the AVPs of a vector.

    A core that asks for AKAv2 by name compares the answer with what stands in SIP-Authorization, and computes
    no RFC 4169 itself: it gets the password of AKAv2 there, and XRES only for AKAv1.
    """
    if vector is None:
        return []
    item = [
        (_ITEM_NUMBER, 1),
        (_SCHEME, scheme),
        (_CHALLENGE, vector.rand + vector.autn),
        (_AUTHORIZATION, _expected(vector, scheme)),
        (_CK, vector.ck),
        (_IK, vector.ik),
    ]
    return [(_ITEM_COUNT, 1), (_ITEM, item)]


def _password(ha1: str, realm: str) -> list[Pair]:
    """Return the AVPs of SIP Digest (TS 29.229, 6.3.36)."""
    known = [(_REALM_AVP, realm), (_ALGORITHM, "MD5"), (_QOP, "auth"), (_HA1, ha1)]
    item = [(_ITEM_NUMBER, 1), (_SCHEME, PASSWORD_SCHEME), (_DIGEST, known)]
    return [(_ITEM_COUNT, 1), (_ITEM, item)]


def _expected(vector: AuthenticationVector, scheme: str) -> bytes:
    algorithm = scheme.removeprefix("Digest-")
    if digest.aka_version(algorithm) != 2:
        return vector.xres
    return digest.password(algorithm, vector.xres, vector.ck, vector.ik)


def _subscription(impi: str, impus: Iterable[str]) -> bytes:
    """Return the user profile (TS 29.228, annex B and D): the identities, without filter criteria."""
    identities = "".join(
        f"<PublicIdentity><Identity>{html.escape(impu)}</Identity></PublicIdentity>" for impu in impus
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><IMSSubscription>'
        f"<PrivateID>{html.escape(impi)}</PrivateID><ServiceProfile>{identities}</ServiceProfile>"
        "</IMSSubscription>"
    )
    return text.encode()


def _pushed(impi: str, peers: Peers, identifier: int) -> list[Pair]:
    """Return the AVPs that open what an HSS says by itself."""
    to = [
        (diameter.DESTINATION_HOST, peers.scscf.encode()),
        (diameter.DESTINATION_REALM, peers.realm.encode()),
    ]
    session = f"{peers.hss};0;{identifier}"
    return [*_opening(session, peers.hss, peers.realm), *to, (diameter.USER_NAME, impi)]


def _request(command: int, identifier: int, pairs: Iterable[Pair]) -> bytes:
    flags = diameter.REQUEST | diameter.PROXIABLE
    return diameter.message(Header(command, flags, APPLICATION, identifier, identifier), pairs)
