"""SIP: messages, headers, URIs, framing, SDP and transactions, without clock or socket.

Spec: RFC 3261 and what IMS adds to it (RFC 3329, RFC 3455/7315, RFC 3608, RFC 7118, 3GPP TS 24.229).
"""

from imslab.sip.authentication import AuthenticationInfo, Challenge, Credentials
from imslab.sip.framing import StreamFramer, datagram
from imslab.sip.headers import (
    STAR,
    AccessNetworkInfo,
    ChargingVector,
    CSeq,
    Event,
    MediaType,
    NameAddr,
    RAck,
    SessionExpires,
    Via,
    WithParameters,
)
from imslab.sip.limits import BadMessage, Limits
from imslab.sip.message import Header, Message
from imslab.sip.names import REASONS
from imslab.sip.sec_agree import SecurityMechanism
from imslab.sip.syntax import Params, Quoted
from imslab.sip.uri import Uri

__all__ = [
    "REASONS",
    "STAR",
    "AccessNetworkInfo",
    "AuthenticationInfo",
    "BadMessage",
    "CSeq",
    "Challenge",
    "ChargingVector",
    "Credentials",
    "Event",
    "Header",
    "Limits",
    "MediaType",
    "Message",
    "NameAddr",
    "Params",
    "Quoted",
    "RAck",
    "SecurityMechanism",
    "SessionExpires",
    "StreamFramer",
    "Uri",
    "Via",
    "WithParameters",
    "datagram",
]
