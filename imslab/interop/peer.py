"""What the peers of the interop kit share: where they connect, what limits them, what is written for them.

A peer is a program, or a card, that imslab did not write. It gets what it needs from one profile, or a reason
why it cannot take that profile.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from imslab.errors import Malformed
from imslab.octets import exactly
from imslab.sip.sec_agree import SecurityMechanism
from imslab.uicc.profile import Profile

_URI = re.compile(r"(?:sips?|tel):[!#-:=?-Z^-~]+")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")
_MANY = 1000  # letters of a URI


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that a peer cannot do; ``blocks`` when the profile is of no use to it for that reason."""

    why: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Agreement:
    """One challenge and its security agreement: with K they give the keys of four IPsec associations.

    ``rand``    16 octets, of the challenge
    ``client``  the terminal's Security-Client;  ``server``: the P-CSCF's Security-Server (RFC 3329, 2.2)
    ``ue``      address of the terminal
    """

    rand: bytes
    client: SecurityMechanism
    server: SecurityMechanism
    ue: str

    def __post_init__(self) -> None:
        exactly("rand", self.rand, 16)
        _address("ue", self.ue)


@dataclass(frozen=True, slots=True)
class Target:
    """The network that the peers shall meet: a P-CSCF, the AMF of its AUTN, and whom to call.

    ``local``      address of a peer that is a terminal;  ``amf``: 2 octets
    ``algorithm``  the digest that the network shall ask for
    ``callee``     a URI; "" for bob of the same domain (and alice, where bob calls)

    Raises Malformed for what is no address, port, AMF or URI.
    """

    pcscf: str = "127.0.0.21"
    port: int = 5060
    local: str = "127.0.0.71"
    amf: bytes = b"\0\0"
    algorithm: str = "AKAv1-MD5"
    callee: str = ""
    agreement: Agreement | None = None

    def __post_init__(self) -> None:
        _address("pcscf", self.pcscf)
        _address("local", self.local)
        exactly("amf", self.amf, 2)
        if not 1 <= self.port <= 65535:
            raise Malformed(f"port {self.port}", expected="1 to 65535")
        if self.callee and not is_plain_uri(self.callee):
            raise Malformed("the callee is no SIP or tel URI", expected="sip:user@domain without parameters")


Limits = Callable[[Profile, Target], Sequence[Limit]]
Files = Callable[[Profile, Target, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer.

    ``about``   what it is, with the version that was looked at
    ``source``  where the format and the limits are from
    ``limits``  says what stands against a profile;  ``files``: name -> text, for a folder of that name;
    ``usage``   says what to do with them
    """

    name: str
    about: str
    source: str
    limits: Limits = field(repr=False)
    files: Files = field(repr=False)
    usage: Callable[[Profile, Target], str] = field(repr=False)


def is_plain_uri(text: str) -> bool:
    """Tell whether a SIP or tel URI can stand in any file of the kit: no parameters, blanks or quotes."""
    return len(text) <= _MANY and _URI.fullmatch(text) is not None


def public_identity(profile: Profile) -> str:
    """Return the first public identity that is a plain SIP URI; "" when there is none."""
    return next((impu for impu in profile.impu if impu.startswith("sip:") and is_plain_uri(impu)), "")


def odd_names(profile: Profile) -> Iterable[str]:
    """Yield why the names of a profile cannot stand in a scenario, a table or a script."""
    if not public_identity(profile):
        yield "no public identity is a plain SIP URI"
    if _DOMAIN.fullmatch(profile.domain) is None:
        yield "the domain is no domain name"


def callee(profile: Profile, target: Target) -> str:
    """Return whom a peer with this profile calls."""
    bob = f"sip:bob@{profile.domain}"
    return target.callee or (bob if public_identity(profile) != bob else f"sip:alice@{profile.domain}")


def _address(name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise Malformed(f"{name}: {text[:60]!r} is no address", expected="an IP address") from None
