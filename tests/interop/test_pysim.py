"""pySim's script: its JSON holds what is in the profile; the key files have the layout of pySim's tests."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from imslab.data import profile_path
from imslab.interop import Target, pysim
from imslab.uicc import Profile

ALICE, CAROL = (Profile.load(profile_path(name)) for name in ("alice", "carol"))
_UPDATE = re.compile(r"update_(?:binary_decoded|record_decoded (\d+)) '([^']*)'")


def written(profile: Profile) -> dict[tuple[str, str, int], Any]:
    """Return (application, file, record or 0) -> value, as the script writes them."""
    found: dict[tuple[str, str, int], Any] = {}
    application = file = ""
    for line in pysim.script(profile).splitlines():
        if line.startswith("select ADF"):
            application = line.split()[1]
        elif line.startswith("select"):
            file = line.split()[1]
        elif update := _UPDATE.fullmatch(line):
            found[application, file, int(update[1] or 0)] = json.loads(update[2])
    return found


def blocked(profile: Profile) -> list[str]:
    return [limit.why for limit in pysim.limits(profile, Target()) if limit.blocks]


def test_what_is_written_is_the_profile() -> None:
    files = written(ALICE)
    assert files["ADF.USIM", "EF.IMSI", 0] == {"imsi": ALICE.imsi}
    assert files["ADF.ISIM", "EF.IMPI", 0] == {"nai": ALICE.impi}
    assert files["ADF.ISIM", "EF.DOMAIN", 0] == {"domain": ALICE.domain}
    assert [files["ADF.ISIM", "EF.IMPU", n]["impu"] for n in (1, 2, 3)] == list(ALICE.impu)
    assert files["ADF.ISIM", "EF.P-CSCF", 1] == {
        "pcscf_address": {"type_of_address": "FQDN", "address": ALICE.pcscf[0]}
    }
    key = files["ADF.ISIM", "EF.ISIM_AUTH_KEY", 0]
    assert key == files["ADF.USIM", "EF.USIM_AUTH_KEY", 0]
    assert ALICE.opc is not None
    assert key == {
        "cfg": {
            "only_4bytes_res_in_3g": False, "sres_deriv_func_in_2g": 1, "use_opc_instead_of_op": True,
            "algorithm": "milenage",
        },
        "key": ALICE.k.hex(),
        "op_opc": ALICE.opc.hex(),
    }  # fmt: skip
    assert pysim.script(ALICE).endswith(
        "select EF.IST\nist_service_activate 1\nist_service_activate 5\nquit\n"
    )


def test_op_is_said_to_be_op() -> None:
    key = pysim.auth_key(replace(ALICE, op=bytes(range(16)), opc=None))
    assert key["cfg"]["use_opc_instead_of_op"] is False and key["op_opc"] == bytes(range(16)).hex()


def test_tuak_has_a_layout_of_its_own() -> None:
    files = written(CAROL)
    assert set(files) == {("ADF.USIM", "EF.IMSI", 0), ("ADF.USIM", "EF.USIM_AUTH_KEY", 0)}  # no ISIM
    assert CAROL.topc is not None
    assert files["ADF.USIM", "EF.USIM_AUTH_KEY", 0] == {
        "cfg": {
            "key_length": 256, "sres_deriv_func_in_2g": 1, "use_opc_instead_of_op": True, "algorithm": "tuak",
        },
        "tuak_cfg": {"ck_and_ik_size": 128, "mac_size": 64, "res_size": 128},
        "num_of_keccak_iterations": 1,
        "op_opc": CAROL.topc.hex(),
        "k": CAROL.k.hex(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"), [("192.0.2.1", "IPv4"), ("2001:db8::1", "IPv6"), ("pcscf.example", "FQDN")]
)
def test_a_p_cscf_by_name_or_address(name: str, kind: str) -> None:
    files = written(replace(ALICE, pcscf=(name,)))
    assert files["ADF.ISIM", "EF.P-CSCF", 1]["pcscf_address"] == {"type_of_address": kind, "address": name}


def test_no_adm_of_ours_reaches_a_real_card() -> None:
    assert ALICE.adm not in pysim.script(ALICE)
    assert "\nverify_adm\n" in pysim.script(ALICE)


def test_what_the_card_has_not() -> None:
    assert blocked(ALICE) == blocked(CAROL) == []
    assert blocked(replace(CAROL, ck_length=32)) == [
        "TUAK with CK and IK of different lengths: the card has one for both"
    ]
    assert blocked(replace(CAROL, ck_length=32, ik_length=32, mac_length=32, res_length=4)) == []
    said = [limit.why for limit in pysim.limits(replace(ALICE, algorithm="xor", opc=None), Target())]
    assert any("not tried with XOR" in why for why in said)
    assert any("SJA5 alone" in limit.why for limit in pysim.limits(CAROL, Target()))
