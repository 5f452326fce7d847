"""Who may open a channel to an application of the card, and which commands pass.

Spec: GlobalPlatform, Secure Element Access Control 1.1, sections 3 (rules, conflicts) and 6 (data objects).
A rule names an application (AID) and a caller (a hash: of an application's certificate, or of a web origin)
and says never, always, or which commands. The card keeps the rules, the terminal enforces them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from imslab.errors import CardError, Malformed
from imslab.octets import exactly, unhex
from imslab.uicc import status, tlv
from imslab.uicc.apdu import AUTHENTICATE, GET_RESPONSE, MANAGE_CHANNEL, READ_BINARY, READ_RECORD, SELECT
from imslab.uicc.link import Link
from imslab.uicc.narrator import explain_apdu

_REF_AR, _REF, _AR = 0xE2, 0xE1, 0xE3
_AID_REF, _IMPLICIT_REF, _DEVICE_APP_REF = 0x4F, 0xC0, 0xC1
_APDU_AR, _NFC_AR, _PERM_AR = 0xD0, 0xD1, 0xDB
_BY_NAME, _WHOLE_HEADER = 0x04, b"\xff\xff\xff\xff"
ALL = b""
"""As an AID: every application without a rule of its own; as a caller: every caller without one."""


@dataclass(frozen=True, slots=True)
class Filter:
    """An APDU filter: ``header`` (CLA INS P1 P2) and ``mask``, 4 octets each; other bits are free."""

    header: bytes
    mask: bytes = _WHOLE_HEADER

    def __post_init__(self) -> None:
        exactly("the header of an APDU filter", self.header, 4)
        exactly("the mask of an APDU filter", self.mask, 4)

    def __bytes__(self) -> bytes:
        return self.header + self.mask

    def permits(self, command: bytes) -> bool:
        """Tell whether the header of ``command`` fits; the number of the logical channel does not count."""
        if len(command) < 4:
            return False
        header = bytes((_basic_class(command[0]),)) + command[1:4]
        return all(
            octet & mask == wanted for octet, mask, wanted in zip(header, self.mask, self.header, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule (REF-AR-DO).

    ``aid``      5 to 16 octets; ALL; or None for the application that is selected by default (C0)
    ``caller``   a hash of 20 or 32 octets (SHA-1, SHA-256); ALL
    ``apdu``     True always, False never, or the filters of which one must fit; None: the rule does not say
    ``nfc``      whether NFC events reach the caller; None: the rule does not say
    ``permissions``  8 octets, of what Android calls carrier privileges; None: the rule does not say
    """

    aid: bytes | None
    caller: bytes
    apdu: bool | tuple[Filter, ...] | None = None
    nfc: bool | None = None
    permissions: bytes | None = None

    def __post_init__(self) -> None:
        if self.aid:
            exactly("the AID of an access rule", self.aid, *range(5, 17))
        exactly("the caller of an access rule", self.caller, 0, 20, 32)
        if self.permissions is not None:
            exactly("the permissions of an access rule", self.permissions, 8)
        if self.apdu == ():
            raise Malformed(
                "an access rule with an empty list of filters", expected="never, always or filters"
            )

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read the value of one REF-AR-DO; raise Malformed when a part is missing or broken."""
        objects = tlv.parse(octets)
        reference, rule = tlv.first(objects, _REF), tlv.first(objects, _AR)
        if reference is None or rule is None:
            raise Malformed("an access rule lacks a part", expected="REF-DO (E1) and AR-DO (E3)")
        refers, says = tlv.parse(reference), tlv.parse(rule)
        aid, caller = tlv.first(refers, _AID_REF), tlv.first(refers, _DEVICE_APP_REF)
        if aid is None and tlv.first(refers, _IMPLICIT_REF) is None:
            aid = ALL  # only a caller is named: a rule for carrier privileges
        apdu, nfc = tlv.first(says, _APDU_AR), tlv.first(says, _NFC_AR)
        return cls(
            aid,
            ALL if caller is None else caller,
            None if apdu is None else _read_apdu_rule(apdu),
            None if nfc is None else _read_flag("NFC-AR-DO", nfc),
            tlv.first(says, _PERM_AR),
        )

    def __bytes__(self) -> bytes:
        return tlv.encode(_REF_AR, self.reference + self.says)

    @property
    def reference(self) -> bytes:
        """The REF-DO: the application and the caller."""
        aid = tlv.encode(_IMPLICIT_REF, b"") if self.aid is None else tlv.encode(_AID_REF, self.aid)
        return tlv.encode(_REF, aid + tlv.encode(_DEVICE_APP_REF, self.caller))

    @property
    def says(self) -> bytes:
        """The AR-DO: what is permitted."""
        apdu = b"" if self.apdu is None else tlv.encode(_APDU_AR, _write_apdu_rule(self.apdu))
        nfc = b"" if self.nfc is None else tlv.encode(_NFC_AR, bytes((self.nfc,)))
        permissions = b"" if self.permissions is None else tlv.encode(_PERM_AR, self.permissions)
        return tlv.encode(_AR, apdu + nfc + permissions)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say to one caller about one application.

    ``allowed``  whether a channel may be opened;  ``filters``: None when every command passes
    ``reason``   in words
    """

    allowed: bool
    reason: str
    filters: tuple[Filter, ...] | None = None

    def permits(self, command: bytes) -> bool:
        """Tell whether a command APDU passes: the channel is open and, with filters, one of them fits."""
        return self.allowed and (self.filters is None or any(one.permits(command) for one in self.filters))


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of one card, in its order. No rule at all allows nothing."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read REF-AR-DOs that stand one after the other; raise Malformed when one is broken."""
        objects = tlv.parse(octets)
        if strange := [tag for tag, _ in objects if tag != _REF_AR]:
            raise Malformed(f"access rules hold tag {strange[0]:X}", expected="REF-AR-DO (E2)")
        return cls(tuple(Rule.parse(value) for _, value in objects))

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.rules))

    def decide(self, aid: bytes | None, caller: bytes) -> Decision:
        """Return what the caller with this hash (20 or 32 octets) may do with the application ``aid``.

        The search goes from the special to the general (section 3.2): this application and this caller,
        this application and all callers, all applications and this caller, all and all. Where an
        application's rules name other callers only, they shut this one out.
        """
        exactly("the hash of a caller", caller, 20, 32)
        for scope, words in ((aid, "this application"), (ALL, "all applications")):
            mine = [rule for rule in self.rules if rule.aid == scope and rule.apdu is not None]
            for who, whom in ((caller, "this caller"), (ALL, "all callers")):
                if found := [rule for rule in mine if rule.caller == who]:
                    return _combined(found, f"{words} and {whom}")
                if who and any(rule.caller for rule in mine):
                    return Decision(False, f"the rules of {words} name other callers only")
        return Decision(False, "no rule speaks of this application and this caller")


class Guard:
    """A Link that passes on what a decision permits, on a channel where ``aid`` was selected.

    The caller's channel belongs to one application: others, and other channels, are out of reach, whatever
    the filters say. ``files`` are what SELECT may name, None for any file. GET RESPONSE always passes.
    """

    def __init__(
        self, link: Link, decision: Decision, aid: bytes, *, files: frozenset[int] | None = None
    ) -> None:
        self._link, self._decision, self._aid, self._files = link, decision, aid, files

    @property
    def protocol(self) -> str | None:
        """The transmission protocol of the link behind, where it says so."""
        return getattr(self._link, "protocol", None)

    def transmit(self, apdu: bytes, /) -> bytes:
        """Pass a permitted command on; raise CardError (6982), saying why, for any other."""
        if why := self.refusal(bytes(apdu)):
            meaning = status.meaning(status.SECURITY_NOT_SATISFIED)
            raise CardError(
                f"{explain_apdu(apdu)} is not permitted: {why}", sw1=0x69, sw2=0x82, meaning=meaning
            )
        return self._link.transmit(apdu)

    def reset(self) -> bytes:
        """Refuse: a caller that resets the card ends the sessions of all others. Raises CardError."""
        raise CardError("reset is not permitted", sw1=None, sw2=None, meaning="the card is shared")

    def refusal(self, command: bytes) -> str:
        """Return why ``command`` does not pass; "" when it does."""
        if not self._decision.allowed:
            return self._decision.reason
        if len(command) < 4:
            return "it is no command"
        ins, by_name = command[1], command[2] == _BY_NAME
        if ins == MANAGE_CHANNEL:
            return "the terminal opens and closes channels, not the caller"
        if ins == SELECT and by_name:
            mine = len(command) > 5 and self._aid.startswith(_data(command))
            return "" if mine and not command[3] & 0x03 else "it selects another application"
        if ins == GET_RESPONSE:
            return ""
        if not self._decision.permits(command):
            return f"no filter fits its header ({self._decision.reason})"
        return self._file_refusal(command) if ins == SELECT and self._files is not None else ""

    def _file_refusal(self, command: bytes) -> str:
        path = _data(command)
        named = {int.from_bytes(path[i : i + 2]) for i in range(0, len(path), 2)}
        return "" if named and self._files is not None and named <= self._files else "it selects another file"


def origin_hash(origin: str) -> bytes:
    """Return the 32 octets that stand for a web origin as a caller: SHA-256 of its ASCII serialisation."""
    try:
        return hashlib.sha256(origin.encode("ascii")).digest()
    except UnicodeEncodeError:
        raise Malformed(
            "a web origin is written in ASCII", expected="for example https://localhost:8443"
        ) from None


LAB_ORIGIN = "http://localhost:8080"
PROFILE_FILES = frozenset(
    (
        *(0x3F00, 0x7FFF, 0x2F00, 0x2FE2),  # MF, the ADF itself, EF.DIR, EF.ICCID
        *(0x6F02, 0x6F03, 0x6F04, 0x6F07, 0x6F09, 0x6FAD, 0x6FFA),  # the ISIM's identities and addresses
    )
)
"""What an IMS client selects; for ``Guard``, because a filter sees headers only, and no file identifier."""
LAB_FILTERS = (
    Filter(bytes((0x00, SELECT, 0x00, 0x04))),  # by identifier, FCP wanted
    Filter(bytes((0x00, READ_BINARY, 0x00, 0x00)), bytes.fromhex("ffff8000")),  # of the selected file, no SFI
    Filter(bytes((0x00, READ_RECORD, 0x00, 0x04)), bytes.fromhex("ffff00ff")),  # absolute, no SFI
    Filter(bytes((0x00, AUTHENTICATE, 0x00, 0x81))),
)


def lab_rules(aid: bytes, origin: str = LAB_ORIGIN) -> AccessRules:
    """Return the lab's default: pages of ``origin`` may authenticate and read with ``aid``, nothing else."""
    return AccessRules((Rule(aid, origin_hash(origin), LAB_FILTERS),))


def from_plain(values: Iterable[Mapping[str, Any]]) -> AccessRules:
    """Read the ``access`` table of a profile; raise Malformed naming the key that is wrong.

    Each row has ``aid`` and ``caller`` (hex; "" for all; ``origin`` may stand for ``caller``) and ``apdu``:
    "always", "never" or a list of filters, 8 octets each in hex.
    """
    return AccessRules(tuple(_rule_from_plain(row) for row in values))


def to_plain(rules: AccessRules) -> list[dict[str, Any]]:
    """Return the ``access`` table that ``from_plain`` reads."""
    return [_rule_to_plain(rule) for rule in rules.rules]


_KEYS = ("aid", "caller", "origin", "apdu", "nfc", "permissions")
_WORDS = {"always": True, "never": False}


def _rule_from_plain(row: Mapping[str, Any]) -> Rule:
    if not isinstance(row, Mapping):
        raise Malformed("access: each rule is a table of keys and values")
    if unknown := [key for key in row if key not in _KEYS]:
        raise Malformed(f"access: unknown key {unknown[0]!r}", expected=f"one of {', '.join(_KEYS)}")
    for key in ("aid", "caller", "origin", "permissions"):
        if not isinstance(row.get(key, ""), str) and (key, row[key]) != ("aid", None):
            raise Malformed(f"access: {key} must be text")
    origin, apdu, nfc = row.get("origin"), row.get("apdu"), row.get("nfc")
    if nfc is not None and not isinstance(nfc, bool):
        raise Malformed("access: nfc must be true or false")
    caller = unhex("access: caller", row.get("caller", "")) if origin is None else origin_hash(origin)
    aid, permissions = row.get("aid", ""), row.get("permissions")
    return Rule(
        None if aid is None else unhex("access: aid", aid),
        caller,
        _apdu_from_plain(apdu),
        nfc,
        None if permissions is None else unhex("access: permissions", permissions),
    )


def _apdu_from_plain(value: Any) -> bool | tuple[Filter, ...] | None:
    if value is None or (isinstance(value, str) and value in _WORDS):
        return None if value is None else _WORDS[value]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise Malformed("access: apdu is wrong", expected='"always", "never" or a list of filters in hex')
    octets = [exactly("access: a filter", unhex("access: apdu", one), 8) for one in value]
    return tuple(Filter(one[:4], one[4:]) for one in octets)


def _rule_to_plain(rule: Rule) -> dict[str, Any]:
    row: dict[str, Any] = {"aid": None if rule.aid is None else rule.aid.hex(), "caller": rule.caller.hex()}
    if isinstance(rule.apdu, tuple):
        row["apdu"] = [bytes(one).hex() for one in rule.apdu]
    elif rule.apdu is not None:
        row["apdu"] = "always" if rule.apdu else "never"
    if rule.nfc is not None:
        row["nfc"] = rule.nfc
    if rule.permissions is not None:
        row["permissions"] = rule.permissions.hex()
    return row


def _combined(rules: list[Rule], words: str) -> Decision:
    """Join rules for the same application and caller: never wins, then filters (any fits), then always."""
    if any(rule.apdu is False for rule in rules):
        return Decision(False, f"a rule for {words} says never")
    filters = tuple(one for rule in rules if isinstance(rule.apdu, tuple) for one in rule.apdu)
    if filters:
        return Decision(True, f"a rule for {words} has {len(filters)} filters", filters)
    return Decision(True, f"a rule for {words} says always")


def _read_apdu_rule(value: bytes) -> bool | tuple[Filter, ...]:
    if len(value) == 1:
        return _read_flag("APDU-AR-DO", value)
    if not value or len(value) % 8:
        raise Malformed(f"APDU-AR-DO has {len(value)} octets", expected="1, or 8 for each filter")
    return tuple(Filter(value[i : i + 4], value[i + 4 : i + 8]) for i in range(0, len(value), 8))


def _write_apdu_rule(apdu: bool | tuple[Filter, ...]) -> bytes:
    return bytes((apdu,)) if isinstance(apdu, bool) else b"".join(map(bytes, apdu))


def _read_flag(name: str, value: bytes) -> bool:
    if value not in (b"\x00", b"\x01"):
        raise Malformed(f"{name} is {value[:4].hex() or 'empty'}", expected="00 or 01")
    return value == b"\x01"


def _basic_class(cla: int) -> int:
    """Return a class octet as it would be on channel 0: a rule does not know the channel's number."""
    return cla & 0xB0 if cla & 0x40 else cla & 0xFC


def _data(command: bytes) -> bytes:
    return command[5 : 5 + command[4]] if len(command) > 5 else b""
