"""A lab subscriber's card: what is written into it before it is given out.

Spec: 3GPP TS 31.102 and 31.103 (what a USIM and an ISIM hold); TS 33.102, annex C (sequence numbers).
A profile is a JSON or YAML file; octets are written in hex. Keys come from published test sets or from a
seed, never from a real subscriber.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from imslab.aka import AkaFunctions, SqnArray, functions_for
from imslab.errors import ImslabError, Malformed
from imslab.octets import exactly, unhex
from imslab.uicc.access import AccessRules, from_plain, to_plain
from imslab.uicc.identity import home_domain
from imslab.uicc.ota.keys import KeySet

ISIM_SERVICES = frozenset((1, 2, 5, 20))  # P-CSCF address, GBA, P-CSCF discovery, WebRTC URI
USIM_SERVICES = frozenset(
    (19, 21, 27, 33, 38, 68, 71)
)  # SPN, MSISDN, GSM access, 33, GSM context, GBA, EHPLMN


def _secret(default: Any = MISSING) -> Any:
    return field(repr=False) if default is MISSING else field(default=default, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One card: identities, keys, services and PINs. Everything but the IMSI and the keys has a default.

    ``imsi``          6 to 15 digits; ``mnc_length`` of them after the first three are the MNC
    ``isim``          whether there is an ISIM; without it the identities follow from the IMSI
    ``impi``, ``domain``  "" for those that follow from the IMSI (TS 23.003, section 13)
    ``impu``          public identities, the default one first; empty for the one that follows from the IMSI
    ``pcscf``         domain names or addresses, the first is tried first
    ``algorithm``     "milenage" (``op`` or ``opc``, 16 octets), "tuak" (``top`` or ``topc``, 32) or "xor"
    ``ind_length``, ``delta``, ``age_limit``  how the card judges SQN (TS 33.102, C.2); None: no limit
    ``sqn``           highest SQN that the card has accepted, 6 octets
    ``access``        who may use which application (ARA-M); None: the card has no such applet
    ``ota``           key sets for management over the air (TS 102 225), one for each version
    ``pin1`` ...      4 to 8 digits (PUKs and ``adm``: 8); ``pin1_enabled`` tells whether it is asked for
    """

    imsi: str
    k: bytes = _secret()
    name: str = ""
    source: str = ""
    mnc_length: int = 2
    iccid: str = ""
    msisdn: str = ""
    spn: str = "imslab"
    isim: bool = True
    impi: str = ""
    impu: tuple[str, ...] = ()
    domain: str = ""
    pcscf: tuple[str, ...] = ()
    webrtc_uri: tuple[str, ...] = ()
    algorithm: str = "milenage"
    op: bytes | None = _secret(None)
    opc: bytes | None = _secret(None)
    top: bytes | None = _secret(None)
    topc: bytes | None = _secret(None)
    mac_length: int = 8
    res_length: int | None = None
    ck_length: int = 16
    ik_length: int = 16
    iterations: int = 1
    ind_length: int = 5
    delta: int | None = None
    age_limit: int | None = None
    sqn: bytes = bytes(6)
    pin1: str = _secret("1234")
    puk1: str = _secret("12345678")
    pin1_enabled: bool = False
    pin2: str = _secret("5678")
    puk2: str = _secret("87654321")
    adm: str = _secret("88888888")
    ist: frozenset[int] = ISIM_SERVICES
    ust: frozenset[int] = USIM_SERVICES
    atr: bytes | None = None
    ota: tuple[KeySet, ...] = _secret(())
    access: AccessRules | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            _check_type(one.name, getattr(self, one.name))
        derived = home_domain(self.imsi, self.mnc_length)
        domain = self.domain or derived
        impi = self.impi or f"{self.imsi}@{derived}"
        self._fill(
            name=self.name or self.imsi,
            iccid=self.iccid or _default_iccid(self.imsi),
            domain=domain,
            impi=impi,
            impu=self.impu or (f"sip:{self.imsi}@{derived}",),
        )
        self._check()

    def _fill(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check(self) -> None:
        _ = self.functions, self.sqn_array
        for key, least in (("pin1", 4), ("pin2", 4), ("puk1", 8), ("puk2", 8), ("adm", 4)):
            digits = getattr(self, key)
            if not digits.isascii() or not digits.isdecimal() or not least <= len(digits) <= 8:
                raise Malformed(
                    f"{key} must have {least} to 8 digits" if least < 8 else f"{key} must have 8 digits"
                )
        if not self.iccid.isascii() or not self.iccid.isdecimal() or not 10 <= len(self.iccid) <= 20:
            raise Malformed("iccid must have 10 to 20 digits")
        if not set(self.msisdn.removeprefix("+")) <= set("0123456789*#") or len(self.msisdn) > 20:
            raise Malformed("msisdn must be a telephone number of at most 20 digits")
        if len({keys.version for keys in self.ota}) < len(self.ota):
            raise Malformed("ota: two key sets have the same version")
        for key in ("ist", "ust"):
            if any(not 1 <= service <= 255 for service in getattr(self, key)):
                raise Malformed(f"{key}: services are numbered 1 to 255")

    @property
    def functions(self) -> AkaFunctions:
        """The AKA functions of this subscriber."""
        operator = {"op": self.op, "opc": self.opc} if self.algorithm.lower() == "milenage" else {}
        if self.algorithm.lower() == "tuak":
            operator = {"top": self.top, "topc": self.topc}
        return functions_for(
            self.algorithm,
            self.k,
            **operator,
            mac_length=self.mac_length,
            res_length=self.res_length,
            ck_length=self.ck_length,
            ik_length=self.ik_length,
            iterations=self.iterations,
        )

    @property
    def sqn_array(self) -> SqnArray:
        """The card's array of sequence numbers when it is new."""
        return SqnArray.from_highest(exactly("sqn", self.sqn, 6), self.ind_length, self.delta, self.age_limit)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "profile") -> Self:
        """Build a profile from plain values (octets in hex); raise Malformed naming ``where`` and the key."""
        if not isinstance(values, Mapping):
            raise Malformed(f"{where}: a profile is a table of keys and values")
        unknown = sorted(str(key) for key in values if key not in _FIELDS)
        if unknown:
            raise Malformed(f"{where}: unknown key {unknown[0]!r}", expected=f"one of {', '.join(_FIELDS)}")
        missing = [key for key in ("imsi", "k") if values.get(key) is None]
        if missing:
            raise Malformed(f"{where}: key {missing[0]!r} is missing")
        try:
            return cls(**{key: _from_plain(key, value) for key, value in values.items() if value is not None})
        except ImslabError as error:
            raise Malformed(f"{where}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, secrets included, for JSON or YAML; what is None is left out."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {key: _to_plain(value) for key, value in values.items() if value is not None}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a profile file: YAML where its name ends with .yaml or .yml, else JSON.

        Raises Malformed, naming file and key, when it cannot be read or is no profile.
        """
        path = Path(path)
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise Malformed(
                f"{path.name}: cannot be read ({error.strerror or type(error).__name__})"
            ) from None
        except ValueError:
            raise Malformed(f"{path.name}: not UTF-8 text") from None
        return cls.from_dict(_parse(text, path), where=path.name)

    def save(self, path: str | Path) -> None:
        """Write the profile, secrets included, to a JSON (or YAML) file."""
        path = Path(path)
        values = self.to_dict()
        if path.suffix in _YAML:
            import yaml  # only here: a JSON profile needs no YAML

            text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        else:
            text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, "utf-8")


_YAML = (".yaml", ".yml")
_FIELDS = tuple(one.name for one in fields(Profile))
_OCTETS = ("k", "op", "opc", "top", "topc", "sqn", "atr")
_TUPLES = ("impu", "pcscf", "webrtc_uri")
_SETS = ("ist", "ust")
_BOOLEANS = ("isim", "pin1_enabled")
_INTEGERS = (
    *("mnc_length", "mac_length", "res_length", "ck_length", "ik_length", "iterations"),
    *("ind_length", "delta", "age_limit"),
)
_OPTIONAL = ("op", "opc", "top", "topc", "res_length", "delta", "age_limit", "atr", "access")


def _parse(text: str, path: Path) -> Any:
    if path.suffix in _YAML:
        import yaml  # only here: a JSON profile needs no YAML

        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise Malformed(f"{path.name}: not YAML") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"{path.name}: not JSON ({error.msg})", offset=error.pos) from None
    except (ValueError, RecursionError):
        raise Malformed(f"{path.name}: not JSON") from None


def _from_plain(key: str, value: Any) -> Any:
    if key in _OCTETS:
        if not isinstance(value, str):
            raise Malformed(f"{key} must be hex in quotes")
        return unhex(key, value)
    if key == "access":
        if not isinstance(value, list | tuple):
            raise Malformed("access must be a list of rules")
        return from_plain(value)
    if key == "ota":
        if not isinstance(value, list | tuple):
            raise Malformed("ota must be a list of key sets")
        return tuple(map(KeySet.from_dict, value))
    if key in _TUPLES + _SETS:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple | set | frozenset):
            raise Malformed(f"{key} must be a list")
        try:
            return tuple(values) if key in _TUPLES else frozenset(values)
        except TypeError:
            raise Malformed(f"{key}: services are numbers") from None
    return value


def _to_plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, AccessRules):
        return to_plain(value)
    if isinstance(value, tuple):
        return [one.to_dict() if isinstance(one, KeySet) else one for one in value]
    return sorted(value) if isinstance(value, frozenset) else value


def _check_type(key: str, value: Any) -> None:
    """Raise Malformed, without repeating the value, when it is not of the type that ``key`` has."""
    if value is None and key in _OPTIONAL:
        return
    if key in _OCTETS:
        good, wanted = isinstance(value, bytes), "octets"
    elif key in _TUPLES:
        good, wanted = (
            isinstance(value, tuple) and all(isinstance(one, str) and one for one in value),
            "texts",
        )
    elif key in _SETS:
        good, wanted = (
            isinstance(value, frozenset) and all(type(one) is int for one in value),
            "numbers of services",
        )
    elif key == "access":
        good, wanted = isinstance(value, AccessRules), "a list of rules"
    elif key == "ota":
        good = isinstance(value, tuple) and all(isinstance(one, KeySet) for one in value)
        wanted = "key sets"
    elif key in _BOOLEANS:
        good, wanted = isinstance(value, bool), "true or false"
    elif key in _INTEGERS:
        good, wanted = type(value) is int, "a number"
    else:
        good, wanted = isinstance(value, str), "text in quotes"
    if not good:
        raise Malformed(f"{key} must be {wanted}, not {type(value).__name__}")


def _default_iccid(imsi: str) -> str:
    # 89 (telecom), 001 (no country), the last digits of the IMSI, and the Luhn digit of ITU-T E.118.
    payload = "89001" + imsi[-13:].rjust(13, "0")
    doubled = (int(digit) * (2 - i % 2) for i, digit in enumerate(reversed(payload)))
    return payload + str(-sum(d // 10 + d % 10 for d in doubled) % 10)
