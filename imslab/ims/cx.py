"""The questions that the CSCFs ask the HSS, and the answers, as values.

Spec: 3GPP TS 29.228 (Cx procedures), TS 29.229 (names and values of the AVPs).
``imslab.net.cx`` writes these values as Diameter octets; here they are handed over as they
are, so that the whole core runs in one thread without a socket.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from imslab.aka import AuthenticationVector

# SIP-Authentication-Scheme towards the HSS: the version of the digest is a matter between the
# S-CSCF and the UE, so this name stays v1 also for AKAv2 (TS 29.229, 6.3.9).
SCHEME = "Digest-AKAv1-MD5"
PASSWORD_SCHEME = "SIP Digest"  # noqa: S105 -- the name of a scheme (TS 29.229, 6.3.9)
HSS_SELECTED = "Unknown"  # the scheme of an S-CSCF that leaves the choice to the HSS (TS 29.228, 6.3)


class Result(IntEnum):
    """Result-Code (RFC 6733, 7.1) or Experimental-Result-Code (TS 29.229, 6.2)."""

    SUCCESS = 2001
    UNABLE_TO_DELIVER = 3002  # nobody has answered: no connection, or no answer in time
    USER_UNKNOWN = 5001
    IDENTITIES_DONT_MATCH = 5002
    AUTHORIZATION_REJECTED = 5003
    ROAMING_NOT_ALLOWED = 5004
    AUTH_SCHEME_NOT_SUPPORTED = 5006
    UNABLE_TO_COMPLY = 5012


class Assignment(IntEnum):
    """Server-Assignment-Type (TS 29.229, 6.3.15)."""

    REGISTRATION = 1
    RE_REGISTRATION = 2
    TIMEOUT_DEREGISTRATION = 4
    USER_DEREGISTRATION = 5


@dataclass(frozen=True, slots=True)
class UserAuthorizationRequest:
    """UAR, command 300: may this user register here? ``impi`` is None when the UE gave none."""

    impu: str
    impi: str | None
    visited_network: str


@dataclass(frozen=True, slots=True)
class UserAuthorizationAnswer:
    """UAA: ``impi`` is the private identity that owns the public one."""

    result: Result
    impi: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class MultimediaAuthRequest:
    """MAR, command 303: give me a vector.

    ``authorization``  empty, or RAND || AUTS (30 octets) after a synchronisation failure
    ``scheme``         SIP-Authentication-Scheme: how the S-CSCF will authenticate the user
    """

    impu: str
    impi: str
    server: str
    authorization: bytes = b""
    scheme: str = SCHEME


@dataclass(frozen=True, slots=True)
class MultimediaAuthAnswer:
    """MAA: one authentication vector, and the digest algorithms that this subscriber may use.

    ``ha1``  for the scheme SIP Digest, in place of a vector: H(username ":" realm ":" password), in hex
    """

    result: Result
    vector: AuthenticationVector | None = None
    algorithms: tuple[str, ...] = ()
    ha1: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ServerAssignmentRequest:
    """SAR, command 301: this S-CSCF serves the user now (or no longer)."""

    impu: str
    impi: str
    server: str
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class ServerAssignmentAnswer:
    """SAA: the public identities of the implicit registration set, the default one first."""

    result: Result
    impus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LocationInfoRequest:
    """LIR, command 302: which S-CSCF serves the user who is called?"""

    impu: str


@dataclass(frozen=True, slots=True)
class LocationInfoAnswer:
    """LIA: ``server`` is the S-CSCF; "" when the user is not registered."""

    result: Result
    server: str = ""


@dataclass(frozen=True, slots=True)
class RegistrationTerminationRequest:
    """RTR, command 304: the HSS takes a user out of the network; no ``impus`` means all of them."""

    impi: str
    impus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushProfileRequest:
    """PPR, command 305: what the subscription says now, the default public identity first."""

    impi: str
    impus: tuple[str, ...]


Request = UserAuthorizationRequest | MultimediaAuthRequest | ServerAssignmentRequest | LocationInfoRequest
Answer = UserAuthorizationAnswer | MultimediaAuthAnswer | ServerAssignmentAnswer | LocationInfoAnswer
Push = RegistrationTerminationRequest | PushProfileRequest


def failure(request: Request, result: Result) -> Answer:
    """Return the answer to ``request`` that says nothing but ``result``."""
    if isinstance(request, UserAuthorizationRequest):
        return UserAuthorizationAnswer(result)
    if isinstance(request, MultimediaAuthRequest):
        return MultimediaAuthAnswer(result)
    if isinstance(request, ServerAssignmentRequest):
        return ServerAssignmentAnswer(result)
    return LocationInfoAnswer(result)
