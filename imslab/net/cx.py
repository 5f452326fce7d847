"""The Cx questions and answers of `imslab.ims.cx` as Diameter octets.

Spec: RFC 6733 (Diameter), 3GPP TS 29.228 and TS 29.229 (Cx): UAR/UAA 300, SAR/SAA 301, LIR/LIA
302, MAR/MAA 303, vendor 10415, application 16777216. The AVPs are those that a Kamailio S-CSCF asks for. The
library ``python-diameter`` writes and reads the AVPs; it is loaded when the first one is.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imslab.aka import AuthenticationVector
from imslab.errors import Malformed
from imslab.ims.cx import (
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

PORT = 3868
UAR, SAR, LIR, MAR = 300, 301, 302, 303  # command codes; the answer has the same as its request
NAMES = {UAR: "UA", SAR: "SA", LIR: "LI", MAR: "MA", 304: "RT", 305: "PP", 257: "CE", 280: "DW", 282: "DP"}
APPLICATION = 16_777_216
_3GPP = 10_415
_HEADER = 20  # octets
_MOST = 65_536  # octets in one message: a vector and a profile take a few thousand
_IDENTITY = re.compile(r"<Identity>([^<>]{1,1000})</Identity>")
_REQUEST, _PROXIABLE = 0x80, 0x40

# AVP codes of RFC 6733, and of TS 29.229, table 6.3.1
_USER_NAME, _SESSION, _ORIGIN_HOST, _ORIGIN_REALM, _DESTINATION_REALM = 1, 263, 264, 296, 283
_RESULT, _EXPERIMENTAL, _EXPERIMENTAL_CODE = 268, 297, 298
_VENDOR, _AUTH_APPLICATION, _VENDOR_APPLICATION, _SESSION_STATE = 266, 258, 260, 277
_VISITED, _IMPU, _SERVER, _USER_DATA, _ITEM_COUNT = 600, 601, 602, 606, 607
_SCHEME, _CHALLENGE, _AUTHORIZATION, _ITEM, _ITEM_NUMBER = 608, 609, 610, 612, 613
_ASSIGNMENT, _HAS_DATA, _CK, _IK = 614, 624, 625, 626

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

    ``command``     the command code;  ``identifier``: Hop-by-Hop, the same in request and answer
    ``result``      Result-Code or Experimental-Result-Code; None in a request
    ``value``       the question or answer of `imslab.ims.cx`; None for a command that is not Cx, or not whole
    """

    command: int
    is_request: bool
    identifier: int
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
        asked = [(_DESTINATION_REALM, peers.realm.encode()), (_IMPU, request.impu)]
        return _message(LIR, True, identifier, [*_opening(session, peers.scscf, peers.realm), *asked])
    impi = request.impi or request.impu.partition(":")[2]
    avps = [*_opening(session, peers.scscf, peers.realm), (_DESTINATION_REALM, peers.realm.encode())]
    avps += _present([(_USER_NAME, impi), (_IMPU, request.impu)])
    if isinstance(request, UserAuthorizationRequest):
        return _message(UAR, True, identifier, [*avps, (_VISITED, request.visited_network.encode())])
    avps += _present([(_SERVER, request.server)])  # a BSF has neither a public identity nor a SIP name
    if isinstance(request, MultimediaAuthRequest):
        item = [(_SCHEME, SCHEME)]
        extra = [(_AUTHORIZATION, request.authorization)] if request.authorization else []
        return _message(MAR, True, identifier, [*avps, (_ITEM_COUNT, 1), (_ITEM, [*item, *extra])])
    assignment = [(_ASSIGNMENT, int(request.assignment)), (_HAS_DATA, 0)]
    return _message(SAR, True, identifier, [*avps, *assignment])


def encode_answer(answer: Answer, request: Request, peers: Peers, *, session: str, identifier: int) -> bytes:
    """Return the Diameter octets of the answer to ``request``."""
    avps = _opening(session, peers.hss, peers.realm)
    if isinstance(request, LocationInfoRequest):
        return _message(LIR, False, identifier, [*avps, *_location(answer)])
    if isinstance(answer, UserAuthorizationAnswer):
        success = _SUBSEQUENT_REGISTRATION if answer.server else _FIRST_REGISTRATION
        code = success if answer.result is Result.SUCCESS else int(answer.result)
        named = [(_USER_NAME, answer.impi), (_SERVER, answer.server)]
        of_3gpp = answer.result is Result.SUCCESS or answer.result in _OF_3GPP
        return _message(UAR, False, identifier, [*avps, _result(code, of_3gpp), *_present(named)])
    avps.append(_result(int(answer.result), answer.result in _OF_3GPP))
    avps.append((_USER_NAME, request.impi or ""))
    if isinstance(answer, MultimediaAuthAnswer):
        return _message(
            MAR, False, identifier, [*avps, *_present([(_IMPU, request.impu)]), *_vector(answer.vector)]
        )
    assert isinstance(answer, ServerAssignmentAnswer)
    data = [(_USER_DATA, _subscription(request.impi or "", answer.impus))] if answer.impus else []
    return _message(SAR, False, identifier, [*avps, *data])


def decode(octets: bytes) -> CxMessage:
    """Read one Diameter message; Malformed when its length or an AVP in it is broken."""
    _check_length(octets)
    try:
        header, avps = _parsed(octets)
    except Exception as error:  # the library lets whatever it meets through: struct, OS and Unicode errors
        raise Malformed(f"a Diameter message that cannot be read ({type(error).__name__})") from None
    command, is_request = header.command_code, bool(header.command_flags & _REQUEST)
    result = avps.number(_RESULT) or avps.group(_EXPERIMENTAL).number(_EXPERIMENTAL_CODE) or None
    return CxMessage(
        command,
        is_request,
        header.hop_by_hop_identifier,
        avps.text(_SESSION),
        avps.text(_ORIGIN_HOST),
        avps.text(_USER_NAME),
        avps.text(_IMPU),
        None if is_request else result,
        _value(command, is_request, avps, result) if header.application_id == APPLICATION else None,
    )


class Framer:
    """Cuts a byte stream (RFC 6733, 2.1) into messages by their length."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, octets: bytes) -> list[bytes]:
        """Take octets, return the messages that they complete; Malformed when the stream is no Diameter."""
        self._buffer += octets
        found = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[1:4])
            if self._buffer[0] != 1 or not _HEADER <= length <= _MOST:
                raise Malformed("no Diameter message on this stream", expected="version 1 and a length")
            if len(self._buffer) < length:
                break
            found.append(bytes(self._buffer[:length]))
            del self._buffer[:length]
        return found


class _Avps:
    """The AVPs of a message or of a group; what is missing or of another type reads as nothing."""

    def __init__(self, avps: Iterable[Any]) -> None:
        self._avps: dict[int, list[Any]] = {}
        for avp in avps:
            self._avps.setdefault(avp.code, []).append(avp)

    def octets(self, code: int) -> bytes:
        return bytes(self._avps[code][0].payload) if code in self._avps else b""

    def text(self, code: int) -> str:
        return self.octets(code).decode("utf-8", "replace")

    def number(self, code: int) -> int:
        octets = self.octets(code)
        return int.from_bytes(octets) if len(octets) == 4 else 0

    def group(self, code: int) -> "_Avps":
        found = self._avps.get(code)
        try:
            return _Avps(found[0].value if found else [])
        except Exception:  # a group that cannot be read holds nothing for us
            return _Avps([])


def _parsed(octets: bytes) -> tuple[Any, _Avps]:
    from diameter.message import Message

    message = Message.from_bytes(octets, plain_msg=True)
    return message.header, _Avps(message.avps)


def _check_length(octets: bytes) -> None:
    if len(octets) < _HEADER or octets[0] != 1:
        raise Malformed("no Diameter message", offset=0, expected="version 1 and a header of 20 octets")
    claimed = int.from_bytes(octets[1:4])
    if claimed != len(octets):
        raise Malformed(f"a Diameter message of {claimed} octets in {len(octets)}", offset=1)


def _value(command: int, is_request: bool, avps: _Avps, result: int | None) -> Request | Answer | None:
    reader = _READERS.get((command, is_request))
    try:
        return reader(avps, result) if reader else None
    except Malformed:
        return None  # a vector with a wrong length: the message is shown, its value is not


def _read_uar(avps: _Avps, _: int | None) -> Request:
    return UserAuthorizationRequest(avps.text(_IMPU), avps.text(_USER_NAME) or None, avps.text(_VISITED))


def _read_mar(avps: _Avps, _: int | None) -> Request:
    authorization = avps.group(_ITEM).octets(_AUTHORIZATION)
    return MultimediaAuthRequest(avps.text(_IMPU), avps.text(_USER_NAME), avps.text(_SERVER), authorization)


def _read_sar(avps: _Avps, _: int | None) -> Request | None:
    try:
        assignment = Assignment(avps.number(_ASSIGNMENT))
    except ValueError:
        return None
    return ServerAssignmentRequest(avps.text(_IMPU), avps.text(_USER_NAME), avps.text(_SERVER), assignment)


def _read_lir(avps: _Avps, _: int | None) -> Request:
    return LocationInfoRequest(avps.text(_IMPU))


def _read_lia(avps: _Avps, code: int | None) -> Answer | None:
    result = _known(Result.SUCCESS if code == _NOT_REGISTERED else code)
    return None if result is None else LocationInfoAnswer(result, avps.text(_SERVER))


def _read_uaa(avps: _Avps, code: int | None) -> Answer | None:
    result = _known(_FIRST_REGISTRATION if code == _SUBSEQUENT_REGISTRATION else code)
    return (
        None if result is None else UserAuthorizationAnswer(result, avps.text(_USER_NAME), avps.text(_SERVER))
    )


def _read_maa(avps: _Avps, code: int | None) -> Answer | None:
    result, item = _known(code), avps.group(_ITEM)
    if result is None:
        return None
    challenge = item.octets(_CHALLENGE)
    if result is not Result.SUCCESS or not challenge:
        return MultimediaAuthAnswer(result)
    if len(challenge) != 32:
        raise Malformed(
            f"SIP-Authenticate holds {len(challenge)} octets", expected="RAND and AUTN, 32 octets"
        )
    keys = item.octets(_AUTHORIZATION), item.octets(_CK), item.octets(_IK)
    return MultimediaAuthAnswer(result, AuthenticationVector(challenge[:16], challenge[16:], *keys))


def _read_saa(avps: _Avps, code: int | None) -> Answer | None:
    result = _known(code)
    if result is None:
        return None
    impus = _IDENTITY.findall(avps.text(_USER_DATA))
    return ServerAssignmentAnswer(result, tuple(html.unescape(impu) for impu in impus))


_READERS: Mapping[tuple[int, bool], Callable[[_Avps, int | None], Request | Answer | None]] = {
    (UAR, True): _read_uar,
    (UAR, False): _read_uaa,
    (MAR, True): _read_mar,
    (MAR, False): _read_maa,
    (LIR, True): _read_lir,
    (LIR, False): _read_lia,
    (SAR, True): _read_sar,
    (SAR, False): _read_saa,
}

Pair = tuple[int, Any]


def _known(code: int | None) -> Result | None:
    return next((result for result in Result if result == code), None)


def _opening(session: str, origin: str, realm: str) -> list[Pair]:
    application = [(_VENDOR, _3GPP), (_AUTH_APPLICATION, APPLICATION)]
    return [
        (_SESSION, session),
        (_VENDOR_APPLICATION, application),
        (_SESSION_STATE, 1),  # NO_STATE_MAINTAINED (RFC 6733, 8.11; TS 29.229, 5.1)
        (_ORIGIN_HOST, origin.encode()),
        (_ORIGIN_REALM, realm.encode()),
    ]


def _result(code: int, of_3gpp: bool) -> Pair:
    if of_3gpp:
        return _EXPERIMENTAL, [(_VENDOR, _3GPP), (_EXPERIMENTAL_CODE, code)]
    return _RESULT, code


def _location(answer: Answer) -> list[Pair]:
    assert isinstance(answer, LocationInfoAnswer)
    if answer.result is Result.SUCCESS and not answer.server:
        return [_result(_NOT_REGISTERED, True)]
    named = _present([(_SERVER, answer.server)])
    return [_result(int(answer.result), answer.result in _OF_3GPP), *named]


def _vector(vector: AuthenticationVector | None) -> list[Pair]:
    if vector is None:
        return []
    item = [
        (_ITEM_NUMBER, 1),
        (_SCHEME, SCHEME),
        (_CHALLENGE, vector.rand + vector.autn),
        (_AUTHORIZATION, vector.xres),
        (_CK, vector.ck),
        (_IK, vector.ik),
    ]
    return [(_ITEM_COUNT, 1), (_ITEM, item)]


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


def _present(pairs: Iterable[Pair]) -> list[Pair]:
    return [(code, value) for code, value in pairs if value]


def _message(command: int, is_request: bool, identifier: int, pairs: Iterable[Pair]) -> bytes:
    from diameter.message import Message, MessageHeader

    if not 0 <= identifier < 2**32:
        raise Malformed(f"{identifier} is no identifier of 32 bits")
    flags = _PROXIABLE | (_REQUEST if is_request else 0)
    header = MessageHeader(
        command_flags=flags,
        command_code=command,
        application_id=APPLICATION,
        hop_by_hop_identifier=identifier,
        end_to_end_identifier=identifier,
    )
    return bytes(Message(header, [_avp(*pair) for pair in pairs]).as_bytes())


def _avp(code: int, value: Any) -> Any:
    from diameter.message.avp import Avp
    from diameter.message.avp.errors import AvpEncodeError

    vendor = _3GPP if code >= _VISITED else 0
    if isinstance(value, list):
        value = [_avp(*pair) for pair in value]
    try:
        return Avp.new(code, vendor, value=value, is_mandatory=True)
    except AvpEncodeError:  # its text repeats the value, which may be a key
        raise Malformed(f"AVP {code} cannot hold a {type(value).__name__}") from None
