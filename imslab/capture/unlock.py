"""What a subscriber's key says about a capture: is the network's MAC right, is the answer right?

Spec: 3GPP TS 33.102, 6.3.3 (AUTN), 6.3.5 (AUTS); RFC 3310 and RFC 4169 (the digest response).
Nothing here guesses: `imslab.aka.doctor` searches for the cause when numbers do not match.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike

from imslab.aka import AkaFunctions, functions_for, open_autn, open_auts
from imslab.aka.digest import parse_auts, parse_nonce, verify
from imslab.errors import AkaError, MacFailure, Malformed
from imslab.octets import unhex
from imslab.sip import Credentials

Octets = str | bytes


@dataclass(frozen=True, slots=True)
class Key:
    """One subscriber's functions; ``impi`` says whose they are, "" when they are to be tried on anybody."""

    functions: AkaFunctions = field(repr=False)
    impi: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge opened with the right key; ``sqn`` has 6 octets."""

    sqn: bytes
    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    functions: AkaFunctions = field(repr=False)


class Keyring:
    """The keys that were given for a capture; with none of them, nothing is verified."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys = tuple(keys)

    def open(self, impi: str, rand: bytes, autn: bytes) -> Opened | None:
        """Open a challenge of ``impi``; None when no key is for it, MacFailure when none of them fits."""
        candidates = [key for key in self.keys if key.impi == impi] or [
            key for key in self.keys if not key.impi
        ]
        if not candidates:
            return None
        for key in candidates:
            try:
                sqn = open_autn(key.functions, rand, autn)
            except MacFailure:
                continue
            m = key.functions
            return Opened(sqn, m.f2(rand), m.f3(rand), m.f4(rand), m)
        raise MacFailure("no key that was given made this AUTN")


def keyring(
    *,
    k: Octets | None = None,
    op: Octets | None = None,
    opc: Octets | None = None,
    profile: object = None,
) -> Keyring:
    """Gather keys: ``k`` with ``op`` or ``opc`` (16 octets, or hex), and profiles (values or files).

    Raises Malformed for a wrong length, for K without an operator value, and for a file that is no profile.
    """
    keys = [_from_profile(one) for one in _listed(profile)]
    if k is not None:
        functions = functions_for("milenage", _octets("k", k), op=_maybe("op", op), opc=_maybe("opc", opc))
        keys.append(Key(functions))
    elif op is not None or opc is not None:
        raise Malformed("op or opc without k opens nothing")
    return Keyring(keys)


def verify_response(
    opened: Opened, algorithm: str, method: str, given: Credentials, body: bytes = b""
) -> None:
    """Check what a UE answered to the challenge; raise WrongResponse, MacFailure (AUTS) or Malformed."""
    if given.auts:  # the password is empty then (RFC 3310, 3.2)
        open_auts(opened.functions, parse_nonce(given.nonce)[0], parse_auts(given.auts))
    verify(
        algorithm,
        given.response,
        method=method,
        uri=given.uri,
        username=given.username,
        realm=given.realm,
        nonce=given.nonce,
        res=opened.res,
        ck=opened.ck,
        ik=opened.ik,
        password="" if given.auts else None,
        qop=given.qop,
        nc=given.nc,
        cnonce=given.cnonce,
        body=body,
    )


def holds(opened: Opened, algorithm: str, method: str, given: Credentials, body: bytes = b"") -> bool:
    """Tell whether the answer is right: for a table, where one wrong row must not end the view."""
    try:
        verify_response(opened, algorithm, method, given, body)
    except (AkaError, Malformed):
        return False
    return True


def _listed(profile: object) -> list[object]:
    if profile is None:
        return []
    return list(profile) if isinstance(profile, list | tuple | set) else [profile]


def _from_profile(profile: object) -> Key:
    from imslab.uicc.profile import Profile

    if isinstance(profile, str | PathLike):
        profile = Profile.load(str(profile))
    if not isinstance(profile, Profile):
        raise Malformed(f"a profile is a Profile or the path of one, not {type(profile).__name__}")
    return Key(profile.functions, profile.impi)


def _maybe(name: str, value: Octets | None) -> bytes | None:
    return None if value is None else _octets(name, value)


def _octets(name: str, value: Octets) -> bytes:
    return unhex(name, value) if isinstance(value, str) else bytes(value)
