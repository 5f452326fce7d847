"""Give a card the IMS values of a profile: compare, write with ADM, read back.

Spec: 3GPP TS 31.103, section 4.2 and TS 31.102, section 4.2 (the files and who may update them); ETSI TS
102 221, section 11.1 (commands). Pure over a ``Link``: nothing is written before all is known to fit. Keys
are not written: where K is kept, and how it is changed, is each manufacturer's own matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imslab.errors import CardError, Malformed
from imslab.uicc import apdu, pins, status
from imslab.uicc.apdu import UPDATE_BINARY, UPDATE_RECORD, Command
from imslab.uicc.fcp import Fcp
from imslab.uicc.files import isim, usim
from imslab.uicc.files.access import ADM1
from imslab.uicc.files.base import ElementaryFile, Structure
from imslab.uicc.link import Link, exchange, obtain
from imslab.uicc.profile import Profile
from imslab.uicc.verification import remaining_tries

ISIM, USIM = bytes.fromhex("a0000000871004"), bytes.fromhex("a0000000871002")
_MOST_DATA = 255  # octets of one UPDATE BINARY


@dataclass(frozen=True, slots=True)
class Difference:
    """One file, or one record of it, that holds something else than the profile says.

    ``name``    such as "ADF.ISIM EF.IMPU #1";  ``now``, ``wanted``: contents, filled to the file's size
    ``record``  from 1; 0 in a transparent file
    ``state``   "differs", "written" or, when reading back gives something else, "not kept"
    """

    name: str
    aid: bytes
    fid: int
    record: int
    now: bytes
    wanted: bytes
    kind: type[ElementaryFile]
    state: str = "differs"

    def __str__(self) -> str:
        return (
            f"{self.name}: {_shown(self.kind, self.now)} -> {_shown(self.kind, self.wanted)} ({self.state})"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What a card has against a profile: files that are the same, differences, files that it lacks."""

    same: tuple[str, ...]
    differences: tuple[Difference, ...]
    absent: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether the card now holds what was asked, as far as it has the files."""
        return all(one.state == "written" for one in self.differences)

    def __str__(self) -> str:
        lines = [f"same      {name}" for name in self.same]
        lines += [f"{one.state:9} {str(one).removesuffix(f' ({one.state})')}" for one in self.differences]
        lines += [f"absent    {name}: the card has no such file, it is left out" for name in self.absent]
        return "\n".join(lines) if lines else "nothing to compare"


def compare(link: Link, profile: Profile) -> Report:
    """Read the IMS files of the card and compare them with ``profile``; write nothing.

    Raises CardError when the card refuses (it names the file), CardGone when it is away, Malformed when a
    value of the profile does not fit the card's file.
    """
    same: list[str] = []
    different: list[Difference] = []
    absent: list[str] = []
    for aid, application, files in _wanted(profile):
        if not _select_application(link, aid):
            absent.append(application)
            continue
        for codings in files:
            place = f"{application} {codings[0].NAME}"
            found = _compare_file(link, aid, place, codings)
            if found is None:
                absent.append(place)
                continue
            different += found
            same += [] if found else [place]
    return Report(tuple(same), tuple(different), tuple(absent))


def provision(link: Link, profile: Profile, adm: str | bytes, *, even_the_last: bool = False) -> Report:
    """Write what differs with the key ADM1 and verify it by reading it back; return what was done.

    ``adm``            4 to 8 digits, or 8 octets as some manufacturers give them
    ``even_the_last``  present it though one try alone remains: a wrong one then blocks the card for ever

    Where nothing differs the key is not presented. Raises as ``compare``, and CardError when the key is wrong
    (with the tries that remain), is blocked, or has one try left and nobody said ``even_the_last``.
    """
    report = compare(link, profile)
    if not report.differences:
        return report
    _select_application(link, report.differences[0].aid)
    _verify(link, _adm_octets(adm), even_the_last)
    for number, one in enumerate(report.differences):
        _write(link, one, f"{number} of {len(report.differences)} values were written before")
    return replace(report, differences=tuple(_verified(link, one) for one in report.differences))


def _wanted(profile: Profile) -> list[tuple[bytes, str, list[Sequence[ElementaryFile]]]]:
    """Return, for each application, the codings of its files: several for a file with records."""
    identities: list[Sequence[ElementaryFile]] = [
        [isim.Impi(profile.impi)],
        [isim.Domain(profile.domain)],
        [isim.Impu(uri) for uri in profile.impu],
        [isim.IsimServices(profile.ist)],
    ]
    if profile.pcscf and profile.ist & {1, 5}:
        identities.append([isim.PCscf(host) for host in profile.pcscf])
    if profile.webrtc_uri and 20 in profile.ist:
        identities.append([isim.WebRtcUri(uri) for uri in profile.webrtc_uri])
    subscription: list[Sequence[ElementaryFile]] = [[usim.Imsi(profile.imsi)]]
    applications = [(USIM, "ADF.USIM", subscription)]
    return [(ISIM, "ADF.ISIM", identities), *applications] if profile.isim else applications


def _select_application(link: Link, aid: bytes) -> bool:
    _, sw = exchange(link, apdu.select_aid(aid))
    if sw == status.FILE_NOT_FOUND:
        return False
    if not status.is_success(sw):
        raise status.refused(f"SELECT of application {aid.hex()}", sw)
    return True


def _compare_file(
    link: Link, aid: bytes, place: str, codings: Sequence[ElementaryFile]
) -> list[Difference] | None:
    kind = type(codings[0])
    data, sw = exchange(link, apdu.select_file(kind.FID))
    if sw == status.FILE_NOT_FOUND:
        return None
    if not status.is_success(sw):
        raise status.refused(f"SELECT {place}", sw)
    parameters = Fcp.parse(data)
    if parameters.structure is not kind.STRUCTURE:
        raise Malformed(f"{place} has another structure on this card", expected=kind.STRUCTURE.value)
    if kind.STRUCTURE is Structure.TRANSPARENT:
        now = _read_binary(link, parameters.size or 0)
        contents = [(0, now, _fitted(place, codings[0], len(now)))]
    else:
        contents = _compare_records(link, place, codings, parameters)
    return [
        Difference(f"{place} #{record}" if record else place, aid, kind.FID, record, now, wanted, kind)
        for record, now, wanted in contents
        if now != wanted
    ]


def _compare_records(
    link: Link, place: str, codings: Sequence[ElementaryFile], parameters: Fcp
) -> list[tuple[int, bytes, bytes]]:
    count, length = parameters.records, parameters.record_length
    if len(codings) > count:
        raise Malformed(f"{place} has {count} records on this card, the profile has {len(codings)} values")
    # The records after the last value are emptied: an identity that is left over would still be used.
    wanted = [_fitted(f"{place} #{number}", one, length) for number, one in enumerate(codings, 1)]
    wanted += [b"\xff" * length] * (count - len(codings))
    return [
        (number, obtain(link, apdu.read_record(number, length)), octets)
        for number, octets in enumerate(wanted, 1)
    ]


def _fitted(place: str, coding: ElementaryFile, size: int) -> bytes:
    try:
        return coding.encode(size)
    except Malformed as fault:
        raise Malformed(f"{place} cannot hold the profile's value: {fault}") from None


def _read_binary(link: Link, size: int) -> bytes:
    contents = b""
    while len(contents) < size:
        more = obtain(link, apdu.read_binary(len(contents), min(size - len(contents), 256)))
        if not more:
            raise Malformed(f"the file ends after {len(contents)} octets of {size}")
        contents += more
    return contents


def _verify(link: Link, adm: bytes, even_the_last: bool) -> None:
    left = remaining_tries(link, ADM1)
    if left == 0:
        raise status.refused("VERIFY ADM1", status.BLOCKED, "the card can no longer be written")
    if left == 1 and not even_the_last:
        meaning = "1 try remains: a wrong key would block the card for ever"
        advice = "Say even_the_last=True if you are sure"
        raise CardError(f"VERIFY ADM1: not sent, {meaning}. {advice}", sw1=0x63, sw2=0xC1, meaning=meaning)
    _, sw = exchange(link, apdu.verify_pin(ADM1, adm))
    if not status.is_success(sw):
        raise status.refused("VERIFY ADM1", sw)


def _adm_octets(adm: str | bytes) -> bytes:
    if isinstance(adm, str):
        return pins.octets(adm)
    if len(adm) != pins.LENGTH:
        raise Malformed(f"ADM1 has {pins.LENGTH} octets, not {len(adm)}")
    return adm


def _write(link: Link, one: Difference, so_far: str) -> None:
    _select(link, one)
    if one.record:
        _update(link, one, Command(0, UPDATE_RECORD, one.record, 0x04, one.wanted), so_far)
        return
    for at in range(0, len(one.wanted), _MOST_DATA):
        part = one.wanted[at : at + _MOST_DATA]
        _update(link, one, Command(0, UPDATE_BINARY, at >> 8, at & 0xFF, part), so_far)


def _update(link: Link, one: Difference, command: Command, so_far: str) -> None:
    _, sw = exchange(link, bytes(command))
    if not status.is_success(sw):
        raise status.refused(f"UPDATE of {one.name}", sw, so_far)


def _verified(link: Link, one: Difference) -> Difference:
    _select(link, one)
    size = len(one.wanted)
    kept = obtain(link, apdu.read_record(one.record, size)) if one.record else _read_binary(link, size)
    return replace(one, state="written" if kept == one.wanted else "not kept")


def _select(link: Link, one: Difference) -> None:
    _select_application(link, one.aid)
    obtain(link, apdu.select_file(one.fid))


def _shown(kind: type[ElementaryFile], octets: bytes) -> str:
    """Return the contents in words: the text or the value that they stand for."""
    if not octets.strip(b"\xff"):
        return "empty"
    try:
        coding = kind.decode(octets)
    except Malformed:
        return octets.hex()
    values = (
        getattr(coding, name) for name in ("text", "address", "imsi", "services") if hasattr(coding, name)
    )
    value = next(values, octets.hex())
    return ", ".join(map(str, sorted(value))) if isinstance(value, frozenset) else str(value)
