"""The client of a card: reads the IMS profile, lets the card answer a challenge.

Spec: 3GPP TS 31.103 (ISIM), TS 31.102 (USIM), TS 24.229, section 5.1.1.1A (which of them to use),
TS 23.003, section 13 (identities that follow from the IMSI). Any ``Link`` will do.
"""

import html
from dataclasses import dataclass, field, fields
from typing import NoReturn, TypeVar

from imslab.aka import Answer
from imslab.errors import CardError, MacFailure, Malformed, SyncFailure
from imslab.octets import exactly
from imslab.uicc import apdu, identity, status, verification
from imslab.uicc.fcp import Fcp
from imslab.uicc.files import isim, uicc, usim
from imslab.uicc.files.base import ElementaryFile, Structure, is_empty
from imslab.uicc.gba_commands import GbaCommands
from imslab.uicc.link import Link, exchange
from imslab.uicc.verification import PIN1

ISIM, USIM = bytes.fromhex("a0000000871004"), bytes.fromhex("a0000000871002")
_MOST_RECORDS, _MOST_OCTETS = 254, 0x7FFF
F = TypeVar("F", bound=ElementaryFile)


@dataclass(frozen=True, slots=True)
class IsimProfile:
    """Who the card says the user is, and where the IMS is.

    ``source``    "ISIM", or "USIM" when the identities follow from the IMSI
    ``imsi``      None when the card has an ISIM: it was not asked for
    ``impu``      the default identity first
    ``pcscf``     the first is tried first
    ``ist``       numbers of the ISIM's services
    ``warnings``  what was odd on the card and was passed over
    """

    source: str
    impi: str
    impu: tuple[str, ...]
    domain: str
    iccid: str | None = None
    imsi: str | None = None
    pcscf: tuple[str, ...] = ()
    ist: frozenset[int] = frozenset()
    webrtc_uri: tuple[str, ...] = ()
    aid: bytes = b""
    warnings: tuple[str, ...] = field(default=())

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return a title and its values in words, for each thing that the card says."""
        return [
            (_TITLES[one.name], _shown(getattr(self, one.name)))
            for one in fields(self)
            if getattr(self, one.name)
        ]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{title}</th>"
            f"<td style='text-align:left'>{'<br>'.join(map(html.escape, values))}</td></tr>"
            for title, values in self.rows()
        )
        return f"<table>{rows}</table>"


_TITLES = {
    "source": "Read from",
    "impi": "Private identity (IMPI)",
    "impu": "Public identities (IMPU)",
    "domain": "Home domain",
    "iccid": "ICCID",
    "imsi": "IMSI",
    "pcscf": "P-CSCF",
    "ist": "ISIM services",
    "webrtc_uri": "WebRTC URI",
    "aid": "AID",
    "warnings": "Warnings",
}


def _shown(value: object) -> list[str]:
    if isinstance(value, bytes):
        return [value.hex()]
    if isinstance(value, frozenset):
        return [", ".join(map(str, sorted(value)))]
    return [str(one) for one in value] if isinstance(value, tuple) else [str(value)]


class IsimClient(GbaCommands):
    """A terminal's view of one card, over logical channel 0."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._selected = b""
        self._warnings: list[str] = []

    def read_profile(self) -> IsimProfile:
        """Read the IMS identities: from the ISIM, or else from the USIM's IMSI.

        Raises CardError when there is neither, or a PIN is needed (it says how many tries remain; no PIN is
        ever tried), CardGone when the card goes away, Malformed when an identity cannot be read.
        """
        self._warnings = []
        iccid = self._iccid()
        aids = self._applications()
        found = None
        if aid := self._select_application(ISIM, aids):
            found = self._from_isim(iccid, aid)
        if found is None and (aid := self._select_application(USIM, aids)):
            found = self._from_usim(iccid, aid)
        if found is not None:
            return found
        if aid:
            raise Malformed(f"the card holds no identity that can be read: {'; '.join(self._warnings)}")
        raise _no_application()

    def authenticate(self, rand: bytes, autn: bytes) -> Answer:
        """Let the card answer a challenge (RAND and AUTN, 16 octets each).

        Raises MacFailure when the network has not proved itself, SyncFailure with the card's AUTS (14 octets)
        when the SQN is not fresh, CardError for any other refusal, CardGone when there is no answer.
        """
        return read_answer(self._authenticate(apdu.authenticate(rand, autn)))

    def verify_pin(self, pin: str, reference: int = PIN1, *, even_the_last: bool = False) -> None:
        """Present a PIN of 4 to 8 digits, once; with one try left only when told ``even_the_last``.

        A wrong one raises CardError, with the tries that remain.
        """
        verification.verify_pin(self._link, pin, reference, even_the_last=even_the_last)

    def _authenticate(self, command: bytes) -> bytes:
        if not self._selected:
            self._select_any()
        data, sw = exchange(self._link, command)
        if sw == status.WRONG_MAC:
            raise MacFailure("the card found a wrong MAC in AUTN: the network has not proved that it knows K")
        if sw == status.SECURITY_NOT_SATISFIED:
            self._pin_needed("AUTHENTICATE")
        if not status.is_success(sw):
            raise status.refused("AUTHENTICATE", sw)
        return data

    def _select_any(self) -> None:
        aids = self._applications()
        if not self._select_application(ISIM, aids) and not self._select_application(USIM, aids):
            raise _no_application()

    def _iccid(self) -> str | None:
        found = self._read(uicc.Iccid, 0x3F00)
        return found.iccid if found else None

    def _applications(self) -> list[bytes]:
        """Return the AIDs in EF.DIR; none when the file is missing, as on some cards."""
        return [application.aid for application in self._read_records(uicc.Application, 0x3F00)]

    def _select_application(self, wanted: bytes, aids: list[bytes]) -> bytes:
        """Select an application by the AID in EF.DIR, or else by its beginning; return what was selected."""
        self._selected = b""
        listed = next((aid for aid in aids if aid.startswith(wanted)), wanted)
        for aid in dict.fromkeys((wanted, listed)):
            data, sw = exchange(self._link, apdu.select_aid(aid))
            if status.is_success(sw):
                self._selected = aid
                return _aid_of(data) or listed
            if sw not in _ABSENT:
                raise status.refused(f"SELECT of application {aid.hex()}", sw)
        return b""

    def _from_isim(self, iccid: str | None, aid: bytes) -> IsimProfile | None:
        """Return what the ISIM says; None when it has no private identity, so that the USIM is asked."""
        services, impi, domain = self._read(isim.IsimServices), self._read(isim.Impi), self._read(isim.Domain)
        impu = tuple(one.text for one in self._read_records(isim.Impu) if one.text)
        if impi is None or not impi.text:
            self._warnings.append("the ISIM has no private identity: the USIM is asked")
            return None
        if not impu:
            self._warnings.append("the ISIM has no public identity: taken from the private one")
        if domain is None or not domain.text:
            self._warnings.append("the ISIM has no domain: taken from the private identity")
        ist = services.services if services else frozenset()
        pcscf = self._read_records(isim.PCscf) if ist & {1, 5} else []
        uris = self._read_records(isim.WebRtcUri) if 20 in ist else []
        return IsimProfile(
            "ISIM",
            impi.text,
            impu or (f"sip:{impi.text}",),
            (domain.text if domain else "") or impi.text.rpartition("@")[2],
            iccid,
            pcscf=tuple(one.address for one in pcscf if one.address),
            ist=ist,
            webrtc_uri=tuple(one.text for one in uris if one.text),
            aid=aid,
            warnings=tuple(self._warnings),
        )

    def _from_usim(self, iccid: str | None, aid: bytes) -> IsimProfile | None:
        """Return the identities that follow from the IMSI; None when it cannot be read."""
        found, data = self._read(usim.Imsi), self._read(usim.UsimAdministrativeData)
        if found is None:
            return None
        mnc_length = data.mnc_length if data else None
        if mnc_length not in (2, 3):
            self._warnings.append("EF.AD does not say how long the MNC is: taken as 2 digits")
            mnc_length = 2
        try:
            domain = identity.home_domain(found.imsi, mnc_length)
        except Malformed as fault:
            self._warnings.append(f"EF.IMSI: {fault}")
            return None
        return IsimProfile(
            "USIM",
            identity.private_identity(found.imsi, mnc_length),
            (identity.public_identity(found.imsi, mnc_length),),
            domain,
            iccid,
            found.imsi,
            aid=aid,
            warnings=tuple(self._warnings),
        )

    def _read(self, kind: type[F], parent: int | None = None) -> F | None:
        """Read a transparent file; None, with a warning, when it is missing or broken."""
        parameters = self._select(kind, parent)
        if parameters is None:
            return None
        if parameters.structure not in (Structure.TRANSPARENT, None):
            self._warnings.append(f"{kind.NAME} is not a transparent file")
            return None
        try:
            return kind.decode(self._contents(kind, parameters.size or 0))
        except Malformed as fault:
            self._warnings.append(f"{kind.NAME}: {fault}")
            return None

    def _read_records(self, kind: type[F], parent: int | None = None) -> list[F]:
        """Read the records of a file that are not empty; a broken one is a warning."""
        parameters = self._select(kind, parent)
        if parameters is None:
            return []
        found = []
        length = min(parameters.record_length or 256, 256)
        for number in range(1, (parameters.records or _MOST_RECORDS) + 1):
            data, sw = exchange(self._link, apdu.read_record(number, length))
            if sw == status.RECORD_NOT_FOUND:
                break
            self._accept(sw, f"READ RECORD {number} of {kind.NAME}")
            if is_empty(data):
                continue
            try:
                found.append(kind.decode(data))
            except Malformed as fault:
                self._warnings.append(f"{kind.NAME}, record {number}: {fault}")
        return found

    def _select(self, kind: type[F], parent: int | None) -> Fcp | None:
        if parent is not None:
            self._selected = b""
            self._accept(exchange(self._link, apdu.select_file(parent))[1], f"SELECT {parent:04X}")
        data, sw = exchange(self._link, apdu.select_file(kind.FID))
        if sw in _ABSENT:
            self._warnings.append(f"{kind.NAME} is not on the card")
            return None
        self._accept(sw, f"SELECT {kind.NAME}")
        try:
            return Fcp.parse(data)
        except Malformed as fault:
            self._warnings.append(f"FCP of {kind.NAME}: {fault}")
            return Fcp(())

    def _contents(self, kind: type[F], size: int) -> bytes:
        """Read ``size`` octets, or all that the card gives when it did not say how many there are."""
        contents = b""
        while not contents or len(contents) < min(size, _MOST_OCTETS):
            # What the FCP announces, 256 octets at most in one turn; an open Le where it says nothing.
            wanted = min(size - len(contents), 256) if size else 256
            data, sw = exchange(self._link, apdu.read_binary(len(contents), wanted))
            if contents and (sw == status.WRONG_OFFSET or not data):
                self._warnings.append(f"{kind.NAME} ends after {len(contents)} octets of {size}")
                break
            self._accept(sw, f"READ BINARY of {kind.NAME}")
            if not data:
                break
            contents += data
        return contents

    def _accept(self, sw: int, what: str) -> None:
        if sw == status.SECURITY_NOT_SATISFIED:
            self._pin_needed(what)
        if not status.is_success(sw) and sw >> 8 != 0x62:
            raise status.refused(what, sw)

    def _pin_needed(self, what: str) -> NoReturn:
        """Ask how many tries remain (that costs none), and say so."""
        _, sw = exchange(self._link, apdu.verify_pin(PIN1))
        if sw & 0xFFF0 == 0x63C0:
            left = status.tries(sw & 0xF)
            raise CardError(
                f"{what}: PIN1 is needed, {left}", sw1=0x69, sw2=0x82, meaning=f"PIN1 is needed, {left}"
            )
        if sw == status.BLOCKED:
            meaning = "PIN1 is blocked; UNBLOCK PIN is needed"
            raise CardError(f"{what}: {meaning}", sw1=0x69, sw2=0x83, meaning=meaning)
        raise status.refused(what, status.SECURITY_NOT_SATISFIED)


def _no_application() -> CardError:
    return CardError("the card has neither an ISIM nor a USIM", sw1=0x6A, sw2=0x82, meaning="file not found")


_ABSENT = (status.FILE_NOT_FOUND, 0x6A88, 0x6283)


def _aid_of(data: bytes) -> bytes:
    try:
        return Fcp.parse(data).aid or b""
    except Malformed:
        return b""


def read_answer(data: bytes) -> Answer:
    """Read the data of a successful AUTHENTICATE (TS 31.102, section 7.1.2.1).

    Returns RES, CK, IK and, from a USIM with service 27, Kc. Raises SyncFailure when the card gave AUTS,
    Malformed when the data are neither.
    """
    parts = dict(split_answer(data))
    if "AUTS" in parts:
        raise SyncFailure("the card says that the SQN is not fresh", auts=exactly("AUTS", parts["AUTS"], 14))
    if not parts.keys() >= {"RES", "CK", "IK"}:
        raise Malformed("the answer to AUTHENTICATE lacks CK or IK")
    return Answer(parts["RES"], parts["CK"], parts["IK"], parts.get("Kc"))


def split_answer(data: bytes) -> list[tuple[str, bytes]]:
    """Divide the data of a successful AUTHENTICATE into its named parts; raise Malformed when it is cut."""
    names = {0xDB: ("RES", "CK", "IK", "Kc"), 0xDC: ("AUTS",)}.get(data[0] if data else -1)
    if names is None:
        raise Malformed("the answer to AUTHENTICATE has another tag", offset=0, expected="DB or DC")
    parts, at = [], 1
    for name in names:
        if at == len(data) and name not in (names[0],):
            break
        end = at + 1 + data[at] if at < len(data) else len(data) + 1
        if end > len(data):
            raise Malformed(f"{name} in the answer to AUTHENTICATE is cut", offset=at)
        parts.append((name, data[at + 1 : end]))
        at = end
    return parts
