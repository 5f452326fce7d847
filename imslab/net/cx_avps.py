"""The AVPs that the Cx messages have in common: codes, what opens a message, results, the user profile.

Spec: 3GPP TS 29.229, 6.2 (results) and table 6.3.1 (codes), TS 29.228, annex B (user profile), RFC 6733.
"""

import html
import re
from collections.abc import Iterable
from functools import lru_cache

from imslab.ims.cx import Result
from imslab.net import diameter
from imslab.net.diameter import Header, Pair

UAR, SAR, LIR, MAR, RTR, PPR = 300, 301, 302, 303, 304, 305  # the answer has the code of its request
APPLICATION = 16_777_216

VISITED, IMPU, SERVER, USER_DATA, ITEM_COUNT = 600, 601, 602, 606, 607
SCHEME, CHALLENGE, AUTHORIZATION, ITEM, ITEM_NUMBER = 608, 609, 610, 612, 613
DIGEST, REALM, QOP, ALGORITHM, HA1 = 635, 104, 110, 111, 121  # SIP Digest: RFC 4590's within 635
ASSIGNMENT, REASON, REASON_CODE, REASON_INFO, HAS_DATA, CK, IK = 614, 615, 616, 617, 624, 625, 626

# These stand in an Experimental-Result, with the vendor (TS 29.229, 6.2); the others in a Result-Code.
_OF_3GPP = {
    Result.USER_UNKNOWN,
    Result.IDENTITIES_DONT_MATCH,
    Result.ROAMING_NOT_ALLOWED,
    Result.AUTH_SCHEME_NOT_SUPPORTED,
}
_IDENTITY = re.compile(r"<Identity>\s*([^<>]{1,1000}?)\s*</Identity>")


def opening(session: str, origin: str, realm: str) -> list[Pair]:
    """Return the AVPs that each Cx message begins with."""
    return [(diameter.SESSION, session), *_of_each_message(origin, realm)]


@lru_cache(maxsize=64)
def _of_each_message(origin: str, realm: str) -> list[Pair]:
    application = [(diameter.VENDOR, diameter.VENDOR_3GPP), (diameter.AUTH_APPLICATION, APPLICATION)]
    return diameter.prepared(
        [
            (diameter.VENDOR_APPLICATION, application),
            (diameter.SESSION_STATE, 1),  # NO_STATE_MAINTAINED (RFC 6733, 8.11; TS 29.229, 5.1)
            (diameter.ORIGIN_HOST, origin.encode()),
            (diameter.ORIGIN_REALM, realm.encode()),
        ]
    )


def request(command: int, identifier: int, pairs: Iterable[Pair]) -> bytes:
    """Return the octets of a Cx request."""
    flags = diameter.REQUEST | diameter.PROXIABLE
    return diameter.message(Header(command, flags, APPLICATION, identifier, identifier), pairs)


def result_of(result: Result) -> Pair:
    """Return the AVP of a result, in the form that its code has."""
    return experimental(int(result)) if result in _OF_3GPP else (diameter.RESULT, int(result))


def experimental(code: int) -> Pair:
    """Return an Experimental-Result of 3GPP."""
    return diameter.EXPERIMENTAL, [
        (diameter.VENDOR, diameter.VENDOR_3GPP),
        (diameter.EXPERIMENTAL_CODE, code),
    ]


def subscription(impi: str, impus: Iterable[str]) -> bytes:
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


def identities(user_data: str) -> tuple[str, ...]:
    """Return the public identities that a user profile names, in its order."""
    return tuple(html.unescape(impu) for impu in _IDENTITY.findall(user_data))
