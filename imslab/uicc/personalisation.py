"""From a profile to the files of a new card.

Spec: ETSI TS 102 221, section 13 (MF); 3GPP TS 31.102, annex A and TS 31.103, section 4 (which files, which
access conditions); TS 101 220, annex E (AIDs). Text files leave room for a longer text.
"""

from collections.abc import Sequence

from imslab.errors import Malformed
from imslab.uicc import aram
from imslab.uicc.files import isim, network, uicc, usim
from imslab.uicc.files.access import ADM1, ALWAYS, PIN1, READ, UPDATE, AccessRules, Rule, needs
from imslab.uicc.files.base import ElementaryFile, Structure
from imslab.uicc.filesystem import MF_FID, Directory, File, FileSystem
from imslab.uicc.profile import Profile

USIM_AID = bytes.fromhex("a0000000871002ffffffff8907090000")
ISIM_AID = bytes.fromhex("a0000000871004ffffffff8907090000")
USIM_FID, ISIM_FID = 0x7FF0, 0x7FF1
_ROOM = 128  # octets of a file or record with text; more when the text is longer

# Records of every EF.ARR of the card, by who may read and who may update.
OPEN, PUBLIC, PRIVATE, OWN = 1, 2, 3, 4
_RULES = {
    OPEN: (ALWAYS, needs(PIN1)),
    PUBLIC: (ALWAYS, needs(ADM1)),
    PRIVATE: (needs(PIN1), needs(ADM1)),
    OWN: (needs(PIN1), needs(PIN1)),
}


def file_system(profile: Profile) -> FileSystem:
    """Return the files of a new card; raise Malformed when a value of the profile does not fit its file."""
    mf = Directory("MF", MF_FID, rules_fid=0x2F06, rule=PUBLIC)
    usim_adf = Directory("ADF.USIM", USIM_FID, rules_fid=0x6F06, rule=PUBLIC, aid=USIM_AID, label="USIM")
    applications = [usim_adf]
    if profile.isim:
        applications.append(
            Directory("ADF.ISIM", ISIM_FID, rules_fid=0x6F06, rule=PUBLIC, aid=ISIM_AID, label="ISIM")
        )
        _fill(applications[1], _isim_files(profile))
    _fill(usim_adf, _usim_files(profile))
    _fill(mf, _mf_files(profile, applications))
    if profile.access is not None:  # an applet is not listed in EF.DIR: whoever needs it knows its name
        applications.append(aram.directory())
    return FileSystem(mf, tuple(applications))


def _fill(directory: Directory, files: list[File]) -> None:
    for file in files:
        directory.add(file)


def _mf_files(profile: Profile, applications: list[Directory]) -> list[File]:
    listed = [uicc.Application(adf.aid, adf.label) for adf in applications]
    return [
        _records(PUBLIC, uicc.Application, listed, 38, 3),
        _transparent(PUBLIC, uicc.Iccid(profile.iccid)),
        _transparent(OPEN, uicc.PreferredLanguages(("en",)), size=4),
        _access_rules(AccessRules),
        _transparent(PUBLIC, uicc.PowerConsumption(60, 5), size=5, filling=b"\0"),
    ]


def _isim_files(profile: Profile) -> list[File]:
    files = [
        _transparent(PRIVATE, isim.Impi(profile.impi), size=_ROOM),
        _transparent(PRIVATE, isim.Domain(profile.domain), size=_ROOM),
        _records(PRIVATE, isim.Impu, [isim.Impu(uri) for uri in profile.impu], _ROOM, 3),
        _transparent(PUBLIC, isim.IsimAdministrativeData()),
        _access_rules(isim.IsimAccessRules),
        _transparent(PRIVATE, isim.IsimServices(profile.ist), size=3),
    ]
    if profile.ist & {1, 5}:
        files.append(_records(PRIVATE, isim.PCscf, [isim.PCscf(host) for host in profile.pcscf], _ROOM, 2))
    if 2 in profile.ist:
        files.append(_transparent(OWN, isim.GbaBootstrapping(), size=_ROOM))
        files.append(_records(PRIVATE, isim.GbaNaf, [], _ROOM, 3))
    if 20 in profile.ist:
        uris = [isim.WebRtcUri(uri) for uri in profile.webrtc_uri]
        files.append(_records(PRIVATE, isim.WebRtcUri, uris, _ROOM, 1))
    return files


def _usim_files(profile: Profile) -> list[File]:
    mnc = profile.imsi[3 : 3 + profile.mnc_length]
    home = f"{profile.imsi[:3]}-{mnc}"
    files = [
        _transparent(PUBLIC, usim.UsimAdministrativeData(mnc_length=profile.mnc_length)),
        _transparent(PRIVATE, usim.Imsi(profile.imsi)),
        _access_rules(usim.UsimAccessRules),
        _transparent(PRIVATE, usim.UsimServices(profile.ust), size=18),
        _transparent(OWN, usim.EnabledServices(frozenset()), size=1),
        _transparent(OPEN, usim.LanguageIndication(("en",)), size=4),
        _transparent(OWN, usim.Keys()),
        _transparent(OWN, usim.KeysPs()),
        _transparent(PRIVATE, usim.AccessControlClasses(frozenset((int(profile.imsi[-1]),)))),
        _records(PUBLIC, usim.EmergencyCode, [usim.EmergencyCode("112"), usim.EmergencyCode("911")], 4, 5),
        _transparent(PRIVATE, network.HomeSearchPeriod(5)),
        _transparent(OWN, network.ForbiddenNetworks(()), size=12),
        _transparent(OWN, network.Location()),
        _transparent(OWN, network.PacketLocation()),
        _transparent(OWN, network.StartHfn()),
        _transparent(PRIVATE, network.Threshold(0xF01000)),
    ]
    if 19 in profile.ust:
        files.append(_transparent(PUBLIC, usim.ServiceProviderName(profile.spn, 1)))
    if 21 in profile.ust:
        files.append(_records(OWN, usim.Msisdn, _numbers(profile.msisdn), 34, 2))
    if 68 in profile.ust:
        files.append(_transparent(OWN, usim.UsimGbaBootstrapping(), size=_ROOM))
        files.append(_records(PRIVATE, usim.UsimGbaNaf, [], _ROOM, 3))
    if 71 in profile.ust:
        files.append(_transparent(PRIVATE, network.EquivalentHomeNetworks((home,)), size=12))
    return files


def _numbers(msisdn: str) -> list[usim.Msisdn]:
    # 91: international, ISDN; 81: unknown, ISDN (TS 24.008, 10.5.4.7).
    if not msisdn:
        return []
    return [usim.Msisdn(msisdn.removeprefix("+"), 0x91 if msisdn.startswith("+") else 0x81)]


def _transparent(rule: int, coding: ElementaryFile, size: int = 0, filling: bytes = b"") -> File:
    contents = coding.encode()
    if filling:
        contents = contents.ljust(size, filling)
    if len(contents) < size:
        contents = coding.encode(size)
    return File(coding.NAME, coding.FID, Structure.TRANSPARENT, [contents], rule=rule, sfi=coding.SFI)


def _records(
    rule: int, kind: type[ElementaryFile], codings: Sequence[ElementaryFile], length: int, count: int
) -> File:
    """Return a file of ``count`` records or more; the codings fill the first ones, the rest is empty."""
    length = max([length, *(len(coding.encode()) for coding in codings)])
    if length > 255 or len(codings) > 254:
        raise Malformed(f"{kind.NAME}: a record holds at most 255 octets, a file 254 records")
    records = [coding.encode(length) for coding in codings]
    records += [b"\xff" * length] * (count - len(records))
    return File(kind.NAME, kind.FID, kind.STRUCTURE, records, rule=rule, sfi=kind.SFI)


def _access_rules(kind: type[AccessRules]) -> File:
    rules = [kind((Rule(READ, read), Rule(UPDATE, update))) for read, update in _RULES.values()]
    return _records(PUBLIC, kind, rules, 40, len(rules))
