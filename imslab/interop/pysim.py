"""pySim: a script for pySim-shell that writes a profile to a programmable card.

Source: pySim (Osmocom), pySim/ts_31_103.py, ts_31_102.py, ts_51_011.py (files and their JSON) and
sysmocom_sja2.py (EF.USIM_AUTH_KEY of sysmocom's cards). The files are those of 3GPP TS 31.102 and 31.103;
where the keys are is a matter of the card: the script is for sysmoISIM-SJA2 and -SJA5. ADM1 is not in it.
"""

import ipaddress
import json
from collections.abc import Iterable
from typing import Any

from imslab.interop.peer import Limit, Peer, Target
from imslab.uicc.profile import Profile

_HEAD = """# pySim-shell.py -p 0 --script provision.script
# Give verify_adm the ADM1 of your card first: a wrong one, three times, and the card is lost.
set echo true
verify_adm
"""


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between a sysmoISIM-SJA2 or -SJA5 and this profile."""
    found = [Limit("ADM1 is the card's own; ICCID and the PINs stay what they are", blocks=False)]
    if not profile.isim:
        found.append(Limit("no ISIM: only the USIM is written", blocks=False))
    if profile.algorithm.lower() == "tuak":
        found.append(Limit("TUAK is in sysmoISIM-SJA5 alone, not in -SJA2", blocks=False))
        if profile.ck_length != profile.ik_length:
            found.append(Limit("TUAK with CK and IK of different lengths: the card has one for both"))
    if profile.algorithm.lower() == "xor":
        found.append(
            Limit("pySim was not tried with XOR: its key file has a place for OPc, left zero", blocks=False)
        )
    return found


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return the script."""
    return {"provision.script": script(profile)}


def script(profile: Profile) -> str:
    """Return the commands of pySim-shell: USIM, and ISIM where the profile has one."""
    lines = [*_usim(profile), *(_isim(profile) if profile.isim else [])]
    return _HEAD + "\n" + "\n".join(lines) + "\nquit\n"


def _usim(profile: Profile) -> Iterable[str]:
    yield "select ADF.USIM"
    yield from _binary("EF.IMSI", {"imsi": profile.imsi})
    yield from _binary("EF.USIM_AUTH_KEY", auth_key(profile))


def _isim(profile: Profile) -> Iterable[str]:
    yield "select ADF.ISIM"
    yield from _binary("EF.IMPI", {"nai": profile.impi})
    yield from _binary("EF.DOMAIN", {"domain": profile.domain})
    yield from _records("EF.IMPU", ({"impu": impu} for impu in profile.impu))
    yield from _records("EF.P-CSCF", ({"pcscf_address": _pcscf(name)} for name in profile.pcscf))
    yield from _binary("EF.ISIM_AUTH_KEY", auth_key(profile))
    if profile.pcscf:
        yield "select EF.IST"
        yield from (f"ist_service_activate {service}" for service in (1, 5) if service in profile.ist)


def auth_key(profile: Profile) -> dict[str, Any]:
    """Return what EF.USIM_AUTH_KEY and EF.ISIM_AUTH_KEY hold, as pySim writes it (octets in hex)."""
    algorithm = profile.algorithm.lower()
    if algorithm == "tuak":
        return _tuak(profile)
    bound = profile.op is None  # the profile has OPc
    cfg = {"only_4bytes_res_in_3g": False, "sres_deriv_func_in_2g": 1, "use_opc_instead_of_op": bound}
    operator = (profile.opc if bound else profile.op) or bytes(16)
    return {"cfg": {**cfg, "algorithm": algorithm}, "key": profile.k.hex(), "op_opc": operator.hex()}


def _tuak(profile: Profile) -> dict[str, Any]:
    bound = profile.top is None
    operator = (profile.topc if bound else profile.top) or b""
    return {
        "cfg": {
            "key_length": 8 * len(profile.k), "sres_deriv_func_in_2g": 1, "use_opc_instead_of_op": bound,
            "algorithm": "tuak",
        },
        "tuak_cfg": {
            "ck_and_ik_size": 8 * profile.ck_length, "mac_size": 8 * profile.mac_length,
            "res_size": 8 * _res(profile),
        },
        "num_of_keccak_iterations": profile.iterations,
        "op_opc": operator.hex(),
        "k": profile.k.hex(),
    }  # fmt: skip


def _res(profile: Profile) -> int:
    return 8 if profile.res_length is None else profile.res_length


def _pcscf(name: str) -> dict[str, str]:
    try:
        kind = f"IPv{ipaddress.ip_address(name).version}"
    except ValueError:
        kind = "FQDN"
    return {"type_of_address": kind, "address": name}


def _binary(name: str, value: dict[str, Any]) -> Iterable[str]:
    yield f"select {name}"
    yield f"update_binary_decoded '{_json(value)}'"


def _records(name: str, values: Iterable[dict[str, Any]]) -> Iterable[str]:
    for number, value in enumerate(values, 1):
        if number == 1:
            yield f"select {name}"
        yield f"update_record_decoded {number} '{_json(value)}'"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value).replace("'", "\\u0027")  # it stands in quotes


def usage(profile: Profile, target: Target) -> str:
    """Return how the script is run."""
    return "edit provision.script (ADM1), then: pySim-shell.py -p 0 --script provision.script"


PEER = Peer(
    "pysim", "pySim-shell: writes a sysmoISIM-SJA2 or -SJA5",
    "pySim: ts_31_103.py, ts_51_011.py, sysmocom_sja2.py", limits, files, usage,
)  # fmt: skip
