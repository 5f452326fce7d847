"""SDES: the keys of SRTP in a session description.

Spec: RFC 4568, sections 4, 5.1 (offer and answer), 6.1 (key parameters), 6.3 (session parameters) and 9
(grammar); RFC 7714, section 14.1 (AES-GCM). Each end announces the key of what it sends:

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 KDR=16

Everybody who handles the session description reads them. A line that breaks a rule is invalid as a whole.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from imslab.errors import Malformed, SrtpError
from imslab.srtp.context import LONGEST_MKI, Parameters
from imslab.srtp.index import LARGEST_WINDOW, SMALLEST_WINDOW
from imslab.srtp.profiles import MOST_PACKETS, NAMES, Profile
from imslab.srtp.session import Session

_FLAGS = ("UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP")
_FEC_ORDERS = ("FEC_SRTP", "SRTP_FEC")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_MOST_DIGITS = 400  # an MKI of 128 octets has 309
_MOST_KEYS = 64
_LONGEST_LINE = 16_384


@dataclass(frozen=True, slots=True)
class InlineKey:
    """One master key with its salt, as ``inline:`` writes it.

    ``key``       master key and master salt, one after the other
    ``lifetime``  how many packets may be protected with it; None: as many as the suite allows
    ``mki``       master key identifier, which packets then carry; empty: none
    """

    key: bytes = field(repr=False)
    lifetime: int | None = None
    mki: bytes = b""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``inline:KEY||SALT|lifetime|MKI:length``, or raise Malformed without repeating the key."""
        method, colon, rest = text.partition(":")
        if method.lower() != "inline" or not colon:
            raise Malformed("a key method other than inline", expected="inline:")
        written, *options = rest.split("|")
        key = _unbase64(written)
        lifetime, mki = None, b""
        if options and ":" not in options[0]:
            lifetime = _lifetime(options.pop(0))
        if options:
            mki = _mki(options.pop(0))
        if options:
            raise Malformed(f"{len(options)} more values after lifetime and MKI")
        return cls(key, lifetime, mki)

    def __str__(self) -> str:
        """The key in clear, for the line that is sent; ``repr`` hides it."""
        pieces = [f"inline:{base64.b64encode(self.key).decode()}"]
        if self.lifetime is not None:
            power = self.lifetime.bit_length() - 1
            pieces.append(f"2^{power}" if power and self.lifetime == 1 << power else str(self.lifetime))
        if self.mki:
            pieces.append(f"{int.from_bytes(self.mki)}:{len(self.mki)}")
        return "|".join(pieces)


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """What a line says beyond suite and keys (section 6.3).

    ``kdr``        key derivation rate: 0, or a power of two up to 2^24
    ``window``     WSH, the size of the replay window that the sender suggests; None: its own choice
    ``fec_order``  FEC_SRTP (the default: error correction first, then SRTP) or SRTP_FEC; None: not said
    ``fec_keys``   keys of the stream of error correction, where it has its own
    ``others``     extensions; those with a leading "-" may be ignored by who does not know them
    """

    kdr: int = 0
    unencrypted_srtp: bool = False
    unencrypted_srtcp: bool = False
    unauthenticated_srtp: bool = False
    window: int | None = None
    fec_order: str | None = None
    fec_keys: tuple[InlineKey, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> Self:
        """Read session parameters, or raise Malformed when one is wrong or stands twice."""
        found: dict[str, Any] = {}
        others: list[str] = []
        for word in words:
            name, value = _parameter(word)
            if name is None:
                others.append(word)
            elif name in found:
                raise Malformed(f"the session parameter {word.partition('=')[0]} stands twice")
            else:
                found[name] = value
        return cls(**found, others=tuple(others))

    def __str__(self) -> str:
        words = [f"KDR={self.kdr.bit_length() - 1}"] if self.kdr else []
        flags = (self.unencrypted_srtp, self.unencrypted_srtcp, self.unauthenticated_srtp)
        words += [name for name, on in zip(_FLAGS, flags, strict=True) if on]
        words += [f"FEC_ORDER={self.fec_order}"] if self.fec_order else []
        words += [f"FEC_KEY={';'.join(map(str, self.fec_keys))}"] if self.fec_keys else []
        words += [f"WSH={self.window}"] if self.window else []
        return " ".join((*words, *self.others))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The extensions that must be understood: a line with one cannot be taken (section 6.3.7)."""
        return tuple(other for other in self.others if not other.startswith("-"))


@dataclass(frozen=True, slots=True)
class Crypto:
    """One ``a=crypto`` line.

    ``tag``         the number by which an answer refers to it, up to 9 digits
    ``suite``       its name; ``profile`` is what it means, None when this end does not know it
    ``keys``        one or more master keys; several have MKIs
    ``parameters``  session parameters

    Raises Malformed when a key does not have the suite's length, or several keys cannot be told apart.
    """

    tag: int
    suite: str
    keys: tuple[InlineKey, ...]
    parameters: SessionParameters = field(default_factory=SessionParameters)

    def __post_init__(self) -> None:
        if not 0 <= self.tag < 10**9 or not self.keys:
            raise Malformed("a crypto line needs a tag of at most 9 digits, and a key")
        profile = self.profile
        if profile is not None:
            self._check_lengths(profile)
        identifiers = [key.mki for key in self.keys]
        if len(self.keys) > 1 and (b"" in identifiers or len(set(identifiers)) < len(identifiers)):
            raise Malformed("several keys in a crypto line: each needs an MKI of its own")
        if len({len(mki) for mki in identifiers}) > 1:
            raise Malformed("the MKIs of a crypto line must have the same length")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of ``a=crypto``, or raise Malformed."""
        if len(text) > _LONGEST_LINE:
            raise Malformed(f"a crypto line of {len(text)} characters", expected=f"at most {_LONGEST_LINE}")
        words = text.split()
        if len(words) < 3:
            raise Malformed("bad a=crypto", expected="tag, crypto suite, key parameters")
        tag, suite, keys, *parameters = words
        if not re.fullmatch("[0-9]{1,9}", tag):
            raise Malformed("bad tag of a=crypto", expected="1 to 9 digits")
        if not re.fullmatch("[A-Za-z0-9_]+", suite):
            raise Malformed("bad crypto suite", expected="letters, digits and _")
        return cls(int(tag), suite, _keys(keys), SessionParameters.parse(parameters))

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} {';'.join(map(str, self.keys))} {self.parameters}".rstrip()

    @property
    def profile(self) -> Profile | None:
        """The suite's protection profile, or None when this end does not know it."""
        return Profile.named(self.suite) if self.suite.upper() in NAMES else None

    def session(self, mki: bytes | None = None, **options: Any) -> Session:
        """Return a session with the key of this line: the sender's to protect, the receiver's to open.

        ``mki`` chooses among several keys; ``options`` are a session's. Raises SrtpError when the suite or a
        session parameter is not known here, or no key has this MKI.
        """
        profile = self.profile
        if profile is None or self.parameters.unknown:
            unknown = self.parameters.unknown[0] if profile else self.suite
            raise SrtpError(f"{unknown[:60]} is not known here: take another line of the offer")
        key = next((one for one in self.keys if mki in (None, one.mki)), None)
        if key is None:
            raise SrtpError("no key of this crypto line has that MKI")
        master, salt = key.key[: profile.key_length], key.key[profile.key_length :]
        said = {"lifetime": key.lifetime or MOST_PACKETS, **self._parameters(key)}
        return Session(profile, master, salt, **{**said, **options})

    def _parameters(self, key: InlineKey) -> Parameters:
        said = self.parameters
        found: Parameters = {
            "mki": key.mki,
            "kdr": said.kdr,
            "unencrypted_srtp": said.unencrypted_srtp,
            "unencrypted_srtcp": said.unencrypted_srtcp,
            "unauthenticated_srtp": said.unauthenticated_srtp,
            "negotiated_e_bit": True,
        }
        if said.window:
            found["window"] = min(said.window, LARGEST_WINDOW)
        return found

    def _check_lengths(self, profile: Profile) -> None:
        for key in (*self.keys, *self.parameters.fec_keys):
            if len(key.key) != profile.master_length:
                raise Malformed(
                    f"key and salt of {len(key.key)} octets for {profile}",
                    expected=f"{profile.master_length}",
                )
            if key.lifetime is not None and key.lifetime > MOST_PACKETS:
                raise Malformed(f"a lifetime beyond that of {profile}", expected="at most 2^48 packets")


def choose(offered: Iterable[Crypto], known: Iterable[str | Profile] = NAMES) -> Crypto:
    """Return the line of an offer to take: the first that this end knows whole (RFC 4568, section 5.1.2).

    Raises SrtpError when there is none.
    """
    profiles = [Profile.named(one) for one in known]
    for crypto in offered:
        if crypto.profile in profiles and not crypto.parameters.unknown:
            return crypto
    raise SrtpError(f"no crypto suite in common: this end knows {', '.join(map(str, profiles))}")


def answer(taken: Crypto, key: InlineKey, parameters: SessionParameters | None = None) -> Crypto:
    """Return the line of an answer: tag and suite of the line that was taken, and a key of one's own.

    Declarative session parameters (UNENCRYPTED_SRTP and its like) are those of the offer unless given.
    """
    if key.key in [one.key for one in taken.keys]:
        raise SrtpError("an answer needs a key of its own: with the offer's, two streams share a key stream")
    return Crypto(taken.tag, taken.suite, (key,), taken.parameters if parameters is None else parameters)


def check_answer(offered: Iterable[Crypto], answered: Crypto) -> Crypto:
    """Return the line of an offer that an answer takes; raise SrtpError when it is none of them."""
    for crypto in offered:
        if (crypto.tag, crypto.suite) == (answered.tag, answered.suite):
            return crypto
    raise SrtpError("the answer takes no crypto line of the offer: its tag and suite must be offered ones")


def _keys(text: str) -> tuple[InlineKey, ...]:
    written = text.split(";")
    if len(written) > _MOST_KEYS:
        raise Malformed(f"{len(written)} keys in a crypto line", expected=f"at most {_MOST_KEYS}")
    return tuple(InlineKey.parse(one) for one in written)


def _parameter(word: str) -> tuple[str | None, Any]:
    """Return field and value of a session parameter; no field for an extension."""
    name, equals, value = word.partition("=")
    if name in _FLAGS and not equals:
        return name.lower(), True
    if name == "KDR":
        return "kdr", 1 << _decimal("KDR", value, 1, 24)
    if name == "WSH":
        return "window", _decimal("WSH", value, SMALLEST_WINDOW, 1 << 31)
    if name == "FEC_ORDER" and value in _FEC_ORDERS:
        return "fec_order", value
    if name == "FEC_KEY":
        return "fec_keys", _keys(value)
    if name in (*_FLAGS, "FEC_ORDER") or not re.fullmatch("-?[A-Za-z0-9_]+", name):
        raise Malformed(f"bad session parameter {name[:40]!r}")
    return None, word


def _unbase64(text: str) -> bytes:
    bare = text.rstrip("=")  # some leave the padding out
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("the key of a crypto line is not base64") from None


def _lifetime(text: str) -> int:
    power = text.startswith("2^")
    number = _decimal("lifetime", text.removeprefix("2^"), 1, 64 if power else MOST_PACKETS)
    return 1 << number if power else number


def _mki(text: str) -> bytes:
    value, _, length = text.partition(":")
    octets = _decimal("MKI length", length, 1, LONGEST_MKI)
    return _decimal("MKI", value, 0, (1 << 8 * octets) - 1).to_bytes(octets)


def _decimal(name: str, text: str, least: int, most: int) -> int:
    """Return a decimal number without leading zeros, or raise Malformed."""
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        raise Malformed(f"bad {name} in a crypto line", expected="a decimal number without leading zeros")
    if not least <= int(text) <= most:
        raise Malformed(f"bad {name} in a crypto line", expected=f"{least} to {most}")
    return int(text)
