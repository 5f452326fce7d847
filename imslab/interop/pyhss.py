"""PyHSS: a script that provisions a subscriber through its REST API.

Source: PyHSS, lib/database.py (APN, AUC, SUBSCRIBER, IMS_SUBSCRIBER), services/apiService.py and
docs/provisioning.md; its limits from lib/diameter.py (Answer_16777216_300 to 303,
Get_IMS_Subscriber_Details_from_AVP), lib/database.py (Get_Vectors_AuC) and default_ifc.xml. What is written
was tried with PyHSS 47a3a16: a UE of ours registered through our S-CSCF, and through Kamailio's.
"""

import json
from functools import cache
from importlib.resources import files as resources
from typing import Any

from imslab.aka import Milenage, digest
from imslab.interop.peer import Limit, Peer, Target
from imslab.kamailio import Configuration
from imslab.uicc.identity import home_domain, private_identity
from imslab.uicc.profile import Profile

SCRIPT = "provision.py"
IFC = "default_ifc.xml"  # the template of the service profile that comes with PyHSS
_IMSI_LENGTHS = (15, 16)  # a user part of that length is taken for an IMSI, any other for a MSISDN
_APN = {"apn": "ims", "apn_ambr_dl": 999999, "apn_ambr_ul": 999999}


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between PyHSS and this profile."""
    found: list[Limit] = []
    if profile.algorithm.lower() != "milenage":
        found.append(Limit(f"it computes Milenage, not {profile.algorithm}"))
    if profile.impi != private_identity(profile.imsi, profile.mnc_length):
        found.append(
            Limit("it takes the user part of the private identity for the IMSI, and derives the domain")
        )
    if len(profile.imsi) not in _IMSI_LENGTHS:
        found.append(Limit(f"it knows an IMSI by its 15 digits; this one has {len(profile.imsi)}"))
    if len(msisdn(profile)) in _IMSI_LENGTHS:
        found.append(Limit(f"it takes a telephone number of {len(msisdn(profile))} digits for an IMSI"))
    if not _registers(profile):
        found.append(Limit("no public identity is one that it knows: its IMSI or telephone number"))
    unknown = [impu for impu in profile.impu if impu not in known(profile)]
    if unknown:
        found.append(
            Limit(f"it does not know {', '.join(unknown)}: register {_first(profile)}", blocks=False)
        )
    if digest.aka_version(target.algorithm) == 2:
        found.append(
            Limit("it gives XRES under the scheme Digest-AKAv1-MD5, whatever was asked", blocks=False)
        )
    return [*found, Limit("raises SQN by 100 each time, so that IND wanders", blocks=False)]


def msisdn(profile: Profile) -> str:
    """Return the telephone number as PyHSS keeps it, without +; the IMSI when there is none."""
    return profile.msisdn.removeprefix("+") or profile.imsi[:-1]


def known(profile: Profile) -> tuple[str, ...]:
    """Return the public identities that PyHSS gives the subscriber: those of its template, none with a +."""
    domain, number = home_domain(profile.imsi, profile.mnc_length), msisdn(profile)
    return f"sip:{profile.imsi}@{domain}", f"sip:{number}@{domain}", f"tel:{number}"


def _registers(profile: Profile) -> list[str]:
    return [impu for impu in profile.impu if impu in known(profile) and impu.startswith("sip:")]


def _first(profile: Profile) -> str:
    return next(iter(_registers(profile)), known(profile)[0])


def objects(profile: Profile, target: Target) -> dict[str, dict[str, Any]]:
    """Return the objects of the API in the order in which they are put: apn, auc, subscriber, ims_subscriber.

    The identifiers that PyHSS gives to the first two (apn_id, auc_id) belong into the third.
    """
    opc = profile.opc if profile.opc is not None else Milenage.from_op(profile.k, profile.op or b"").opc
    number = msisdn(profile)
    return {
        "apn": dict(_APN),
        "auc": {
            "ki": profile.k.hex(), "opc": opc.hex(), "amf": target.amf.hex(), "sqn": next_sqn(profile),
            "imsi": profile.imsi, "iccid": profile.iccid,
        },
        "subscriber": {"imsi": profile.imsi, "enabled": True, "msisdn": number},
        "ims_subscriber": {
            "imsi": profile.imsi, "msisdn": number, "msisdn_list": number, "ifc_path": IFC, "sh_profile": "",
        },
    }  # fmt: skip


def next_sqn(profile: Profile) -> int:
    """Return the first SQN that the card will accept: SEQ is one higher than the highest (TS 33.102, C.1)."""
    return ((int.from_bytes(profile.sqn) >> profile.ind_length) + 1) << profile.ind_length


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return the script, which needs Python and nothing else."""
    values = json.dumps(objects(profile, target), indent=4).replace("true", "True")
    return {SCRIPT: _template().replace("@OBJECTS@", values)}


@cache
def _template() -> str:
    return (resources("imslab.interop") / "templates" / "pyhss.txt").read_text("utf-8")


def usage(profile: Profile, target: Target) -> str:
    """Return how the script is run, and what PyHSS itself must be told."""
    domain, mnc = home_domain(profile.imsi, profile.mnc_length), profile.imsi[3 : 3 + profile.mnc_length]
    there = Configuration(port=target.port)
    return (
        f"python3 {SCRIPT} http://127.0.0.1:8080\n"
        f"config.yaml: OriginRealm: {domain}, MCC: {profile.imsi[:3]!r}, MNC: {mnc!r}\n"
        f"for Kamailio: OriginHost: {there.hss!r} (so it calls its peer),"
        f" scscf_pool: ['sip:{there.scscf}:{there.port}']\n"
        f"a UE registers {_first(profile)}"
    )


PEER = Peer(
    "pyhss", "PyHSS: an HSS with Diameter Cx",
    "PyHSS: lib/database.py, lib/diameter.py, docs/provisioning.md", limits, files, usage,
)  # fmt: skip
