"""Elementary files with other contents: identities, numbers, networks and keys, each coded as before.

Spec: 3GPP TS 31.102, 4.2 and 4.4; TS 31.103, 4.2; ETSI TS 102 221, 13. Service tables, access rules and what
else says how a card works stays; a file that is not named here becomes other octets, its filling (FF) stays.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.text import Texts
from imslab.capture.anonymise.xml import DATE

_3GPP = bytes.fromhex("a000000087")  # a registered application provider (ETSI TS 101 220, annex D)
_STANDARD = (
    bytes.fromhex("a000000559"),
    bytes.fromhex("a000000151"),
)  # GSMA, GlobalPlatform: the same in all
_LABELS = frozenset((b"USIM", b"ISIM", b"SIM", b"CSIM"))
_FQDN = 0
_NUMBER_PART = 14  # octets at the end of a record with a number (TS 31.102, 4.2.26)

_Rule: TypeAlias = Callable[["Files", bytes], bytes]


class Files:
    """Rewrites the contents of elementary files, by name."""

    def __init__(self, texts: Texts, challenges: Challenges) -> None:
        self._texts, self._challenges = texts, challenges

    def rewrite(self, name: str, octets: bytes) -> bytes:
        """Return other contents of the file ``name`` ("EF.IMSI"), or of its beginning."""
        if name in _KEPT:
            return octets
        return _RULES.get(name, Files.opaque)(self, octets)

    def opaque(self, octets: bytes) -> bytes:
        """Return other octets before the filling."""
        used = octets.rstrip(b"\xff")
        return self._texts.pseudonyms.octets(used) + octets[len(used) :] if used else octets

    def aid(self, octets: bytes) -> bytes:
        """Return another application identifier: who registered it and what it is for stays."""
        if octets.startswith(_STANDARD):
            return octets
        kept = 7 if octets.startswith(_3GPP) else 5
        return octets[:kept] + self.opaque(octets[kept:])

    def text(self, octets: bytes) -> bytes:
        """Return another identity in UTF-8."""
        used = octets.rstrip(b"\xff\x00")
        other = self._texts.name(used.decode("utf-8", "surrogateescape"))
        return other.encode("utf-8", "surrogateescape") + octets[len(used) :]

    def objects(self, octets: bytes, rules: "Mapping[int, _Rule]") -> bytes:
        """Rewrite the values of data objects with tags and lengths of one octet each; the rest is filling."""
        result, at = bytearray(octets), 0
        while at + 2 <= len(octets) and octets[at] not in (0x00, 0xFF):
            end = min(at + 2 + octets[at + 1], len(octets))
            result[at + 2 : end] = rules.get(octets[at], Files.opaque)(self, octets[at + 2 : end])
            at = end
        result[at:] = self.opaque(octets[at:])
        return bytes(result)

    # -- files -----------------------------------------------------------------------------------

    def imsi(self, octets: bytes) -> bytes:
        """Return another EF.IMSI: its length, then parity and digits."""
        return octets[:1] + self._texts.numbers.semi_octets(octets[1:], 1)

    def iccid(self, octets: bytes) -> bytes:
        """Return another EF.ICCID."""
        return self._texts.numbers.semi_octets(octets)

    def identity(self, octets: bytes) -> bytes:
        """Return another identity in a data object."""
        return self.objects(octets, {0x80: Files.text})

    def pcscf(self, octets: bytes) -> bytes:
        """Return another EF.P-CSCF record."""
        return self.objects(octets, {0x80: Files.typed_address})

    def typed_address(self, octets: bytes) -> bytes:
        """Return another name or address behind its type (TS 31.103, 4.2.8)."""
        kind, rest = octets[:1], octets[1:]
        if kind == bytes((_FQDN,)):
            return kind + self.text(rest)
        return kind + (self._texts.addresses.ip(rest) if len(rest) in (4, 16) else self.opaque(rest))

    def directory(self, octets: bytes) -> bytes:
        """Return another EF.DIR record: application identifier and label."""
        inside: Mapping[int, _Rule] = {0x4F: Files.aid, 0x50: Files.label}
        return self.objects(octets, {0x61: lambda files, value: files.objects(value, inside)})

    def label(self, octets: bytes) -> bytes:
        """Return another label, where it is not the name of a standard."""
        return octets if octets in _LABELS else self.text(octets)

    def number_record(self, octets: bytes) -> bytes:
        """Return another record of name and number (EF.MSISDN, EF.ADN ...)."""
        if len(octets) < _NUMBER_PART or octets.strip(b"\xff") == b"":
            return octets if octets.strip(b"\xff") == b"" else self.opaque(octets)
        alpha, rest = octets[:-_NUMBER_PART], octets[-_NUMBER_PART:]
        number = self._texts.numbers.semi_octets(rest[2:12]) if rest[0] != 0xFF else rest[2:12]
        return self.text(alpha) + rest[:2] + number + rest[12:]

    def networks(self, octets: bytes) -> bytes:
        """Return other networks, 3 octets each."""
        return self._each_network(octets, 3)

    def networks_with_access(self, octets: bytes) -> bytes:
        """Return other networks, each with the access technologies as they were."""
        return self._each_network(octets, 5)

    def _each_network(self, octets: bytes, step: int) -> bytes:
        parts = [octets[at : at + step] for at in range(0, len(octets), step)]
        plmn = self._texts.numbers.plmn
        return b"".join(plmn(part[:3]) + part[3:] if len(part) >= 3 else part for part in parts)

    def provider(self, octets: bytes) -> bytes:
        """Return another provider's name behind its display condition."""
        return octets[:1] + self.text(octets[1:])

    def bootstrapping(self, octets: bytes) -> bytes:
        """Return another EF.GBABP: RAND, B-TID and key lifetime, each behind its length."""
        result, at = bytearray(octets), 0
        for rule in (Files.rand, Files.text, Files.lifetime):
            if at >= len(octets) or octets[at] == 0xFF:
                break
            end = min(at + 1 + octets[at], len(octets))
            result[at + 1 : end] = rule(self, octets[at + 1 : end])
            at = end
        result[at:] = self.opaque(octets[at:])
        return bytes(result)

    def rand(self, octets: bytes) -> bytes:
        """Return another RAND."""
        return self._challenges.rand(octets) if len(octets) == 16 else self.opaque(octets)

    def lifetime(self, octets: bytes) -> bytes:
        """Return a date as it is, other text as another."""
        text = octets.decode("utf-8", "replace")
        return octets if DATE.fullmatch(text.strip()) else self.text(octets)

    def naf_list(self, octets: bytes) -> bytes:
        """Return another EF.GBANL record: NAF_ID and B-TID."""
        return self.objects(octets, {0x80: Files.naf_id, 0x81: Files.text})

    def naf_id(self, octets: bytes) -> bytes:
        """Return another NAF_Id: the name is another, the protocol (5 octets) stays (TS 33.220, annex H)."""
        return self.text(octets[:-5]) + octets[-5:]


_RULES: Mapping[str, _Rule] = {
    "EF.IMSI": Files.imsi, "EF.ICCID": Files.iccid, "EF.IMPI": Files.identity, "EF.DOMAIN": Files.identity,
    "EF.IMPU": Files.identity, "EF.WebRTCURI": Files.identity, "EF.P-CSCF": Files.pcscf,
    "EF.DIR": Files.directory, "EF.MSISDN": Files.number_record, "EF.FDN": Files.number_record,
    "EF.SDN": Files.number_record, "EF.ADN": Files.number_record, "EF.SPN": Files.provider,
    "EF.FPLMN": Files.networks, "EF.EHPLMN": Files.networks, "EF.PLMNwAcT": Files.networks_with_access,
    "EF.OPLMNwAcT": Files.networks_with_access, "EF.HPLMNwAcT": Files.networks_with_access,
    "EF.GBABP": Files.bootstrapping, "EF.GBANL": Files.naf_list,
}  # fmt: skip
_KEPT_FILES = """
EF.AD EF.IST EF.UST EF.EST EF.ARR EF.PL EF.LI EF.LP EF.HPPLMN EF.ECC EF.UMPC EF.CBMI EF.CBMIR EF.EHPLMNPI
EF.PWS EF.THRESHOLD EF.FromPreferred EF.IMSDCI
"""
_KEPT = frozenset(_KEPT_FILES.split())
