"""What a subscriber's key says about a capture: is the network's MAC right, is the answer right?

Spec: 3GPP TS 33.102, 6.3.3 (AUTN), 6.3.5 (AUTS); RFC 3310 and RFC 4169 (the digest response). Where no key
was given, what the capture itself tells of a challenge will do (`imslab.capture.vectors`). Nothing here
guesses: `imslab.aka.doctor` searches for the cause when numbers do not match.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from os import PathLike

from imslab.aka import AkaFunctions, functions_for, open_autn, open_auts
from imslab.aka.digest import parse_auts, parse_nonce, verify
from imslab.errors import AkaError, MacFailure, Malformed
from imslab.octets import unhex
from imslab.sip import Credentials

Octets = str | bytes

_PASSWORDS = (24, 44)  # octets of base64 of 16 and 32 octets (RFC 4169, 2.1)


@dataclass(frozen=True, slots=True)
class Key:
    """One subscriber's functions; ``impi`` says whose they are, "" when they are to be tried on anybody."""

    functions: AkaFunctions = field(repr=False)
    impi: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge whose answer is known.

    ``sqn``        6 octets; empty when no key opened the challenge
    ``res``        empty when the capture tells CK and IK alone
    ``functions``  of the key; None when no key opened it
    ``source``     who told: "key", or where in the capture it stands: "Cx", "card", "401"
    ``password``   of the digest, where it does not come from ``res``
    """

    sqn: bytes
    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    functions: AkaFunctions | None = field(default=None, repr=False)
    source: str = "key"
    password: str | None = field(default=None, repr=False)

    def judges(self, given: Credentials) -> bool:
        """Tell whether this is enough to say if an answer is right."""
        known = self.functions is not None or (bool(self.res) and not given.auts)
        return known and bool(given.response)


Told = Callable[[bytes, bytes], Opened | None]  # RAND and AUTN -> what the capture itself tells of them


class Keyring:
    """The keys that were given for a capture; with none of them, what the capture tells is all."""

    def __init__(self, keys: Iterable[Key] = (), told: Told | None = None) -> None:
        self.keys, self._told = tuple(keys), told

    def knowing(self, told: Told) -> "Keyring":
        """Return a keyring with the same keys, which asks ``told`` when none of them is for a subscriber."""
        return Keyring(self.keys, told)

    def open(self, impi: str, rand: bytes, autn: bytes) -> Opened | None:
        """Open a challenge of ``impi``; None when nothing is known of it.

        Raises MacFailure when there is a key for ``impi`` and it does not fit.
        """
        candidates = [key for key in self.keys if key.impi == impi] or [
            key for key in self.keys if not key.impi
        ]
        for key in candidates:
            try:
                sqn = open_autn(key.functions, rand, autn)
            except MacFailure:
                continue
            m = key.functions
            return Opened(sqn, m.f2(rand), m.f3(rand), m.f4(rand), m)
        if candidates:
            raise MacFailure("no key that was given made this AUTN")
        return self.told(rand, autn)

    def told(self, rand: bytes, autn: bytes) -> Opened | None:
        """Return what the capture itself tells of a challenge; None when it tells nothing."""
        return self._told(rand, autn) if self._told and autn else None


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
    """Check what a UE answered to a challenge that it ``judges``.

    Raises WrongResponse, MacFailure (AUTS) or Malformed.
    """
    if given.auts and opened.functions is not None:  # the password is empty then (RFC 3310, 3.2)
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
        password="" if given.auts else opened.password,
        qop=given.qop,
        nc=given.nc,
        cnonce=given.cnonce,
        body=body,
    )


def holds(opened: Opened, algorithm: str, method: str, given: Credentials, body: bytes = b"") -> bool:
    """Tell whether the answer is right: for a table, where one wrong row must not end the view."""
    return any(_holds(one, algorithm, method, given, body) for one in (opened, *_password_for_res(opened)))


def _holds(opened: Opened, algorithm: str, method: str, given: Credentials, body: bytes) -> bool:
    try:
        verify_response(opened, algorithm, method, given, body)
    except (AkaError, Malformed):
        return False
    return True


def _password_for_res(opened: Opened) -> Iterator[Opened]:
    """Yield what else an HSS may mean by XRES: the password of RFC 4169, for a core that computes none."""
    if opened.source == "Cx" and len(opened.res) in _PASSWORDS:
        yield replace(opened, password=opened.res.decode("ascii", "replace"))


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
