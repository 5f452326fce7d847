"""Security agreements in a capture: the associations that a 401 and its REGISTER set up, with their keys.

Spec: RFC 3329, 2.3; 3GPP TS 33.203, 7.2 and annex I. The REGISTER says in Security-Client at which ports and
SPIs the terminal receives, the 401 says in Security-Server at which the P-CSCF does, and its nonce gives CK
and IK. Which of the algorithms they use, the packets tell: all that both named are candidates.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imslab.aka.digest import aka_version, session_keys
from imslab.capture.registrations import Challenge, Login
from imslab.capture.sip import SipEvent, view
from imslab.errors import Malformed
from imslab.ipsec import Associations
from imslab.ipsec.associations import MECHANISM
from imslab.sip import SecurityMechanism

_CHALLENGES = (401, 407)
_KEY = 16  # octets
_MOST_PAIRS = 32  # of Security-Client and Security-Server, in one agreement


@dataclass(frozen=True, slots=True)
class Agreement:
    """One candidate: the four associations, and at which addresses.

    ``frame``  of the 401;  ``source``: where CK and IK come from ("key", "Cx", "card", "401")
    """

    ue: str
    pcscf: str
    associations: Associations
    frame: int
    source: str


def agreements(logins: Iterable[Login]) -> list[Agreement]:
    """Return the agreements of registrations whose CK and IK are known, each once."""
    found: dict[object, Agreement] = {}
    for login in logins:
        for event in login.events:
            for one in _of_challenge(login, event):
                found.setdefault((one.ue, one.pcscf, one.associations), one)
    return list(found.values())


def keys(challenge: Challenge) -> Iterator[tuple[bytes, bytes]]:
    """Yield CK and IK of an opened challenge, 16 octets each; with AKAv2 first CK' and IK' (RFC 4169, 2.2).

    IPsec takes no other length: neither CK and IK of a longer TUAK, nor CK' and IK' of AKAv2 with SHA-256.
    """
    opened = challenge.opened
    if opened is None or not len(opened.ck) == len(opened.ik) == _KEY:
        return
    if is_akav2(challenge.algorithm):
        derived = session_keys(challenge.algorithm, opened.ck, opened.ik)
        yield from [derived] if len(derived[0]) == _KEY else []
    yield opened.ck, opened.ik


def is_akav2(algorithm: str) -> bool:
    """Tell whether this is AKAv2; what nobody knows is not."""
    try:
        return aka_version(algorithm) == 2
    except Malformed:
        return False


def mechanisms(event: SipEvent, name: str) -> list[SecurityMechanism]:
    """Return the ipsec-3gpp mechanisms in one of the Security headers, by its view's name."""
    return [one for one in view(event.message, name) or () if one.name.lower() == MECHANISM]


def _of_challenge(login: Login, event: SipEvent) -> Iterator[Agreement]:
    """Yield what one 401 sets up."""
    message = event.message
    if message.is_request or message.status not in _CHALLENGES:
        return
    servers = mechanisms(event, "security_server")
    pairs = [(client, server) for server in servers for client in _clients(login, event)][:_MOST_PAIRS]
    nonces = {offer.nonce for offer in view(message, "www_authenticate") or ()}
    for challenge in login.challenges:
        if challenge.nonce not in nonces or challenge.opened is None:
            continue
        for ck, ik in keys(challenge):
            for client, server in pairs:
                associations = _agreed(client, server, ck, ik)
                if associations is not None:
                    ends = event.destination[0], event.source[0]
                    yield Agreement(*ends, associations, event.frame, challenge.opened.source)


def _clients(login: Login, answer: SipEvent) -> list[SecurityMechanism]:
    """Return what the REGISTER that is answered offered, each once."""
    cseq = view(answer.message, "cseq")
    asked = [
        event for event in login.events if event.message.is_request and view(event.message, "cseq") == cseq
    ]
    return list({str(one): one for event in asked for one in mechanisms(event, "security_client")}.values())


def _agreed(
    client: SecurityMechanism, server: SecurityMechanism, ck: bytes, ik: bytes
) -> Associations | None:
    try:
        return Associations.agree(client, server, ck, ik)
    except Malformed:  # what is no agreement opens nothing; `findings` says what is wrong with it
        return None
