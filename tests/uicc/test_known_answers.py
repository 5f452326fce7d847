"""Every case of data/vectors/isim_files.json: file codings, FCP, AUTHENTICATE, and the tables of files."""

from typing import Any

import pytest

from imslab.data import vectors
from imslab.uicc import Card, Fcp, Profile
from imslab.uicc.files import ALL_FILES, ISIM_FILES, MF_FILES, USIM_FILES, ElementaryFile, network
from imslab.uicc.filesystem import Directory
from imslab.uicc.personalisation import file_system

KNOWN = vectors("isim_files")
ISIM, USIM = "a0000000871004", "a0000000871002"


def entries(name: str) -> list[Any]:
    return [pytest.param(entry, id=entry.get("id") or entry["name"]) for entry in KNOWN[name]]


def coding_for(entry: dict[str, Any]) -> type[ElementaryFile]:
    """Find the class by name and identifier; where USIM and ISIM share both, by where the vector was read."""
    if entry["ef"] == "EF_xPLMNwAcT":
        return network.UserNetworks
    directory = ISIM_FILES if entry["read_at"].endswith("ts_31_103.py") else USIM_FILES
    for file in (*directory, *ALL_FILES):
        if entry["ef"] == file.NAME and f"{file.FID:04x}" in (
            entry["fid"],
            entry["fid"].replace("6f20", "4f20"),
        ):
            return file
    raise LookupError(entry["ef"])


@pytest.mark.parametrize("entry", entries("file_coding_kat"))
def test_file_coding_round_trips_octet_for_octet(entry: dict[str, Any]) -> None:
    raw = bytes.fromhex(entry["raw"])
    value = coding_for(entry).decode(raw)
    assert value.encode(len(raw)) == raw
    assert type(value).decode(value.encode(len(raw))) == value


DECODED = {
    "ef-ef_domain-3": "text",
    "ef-ef_impi-4": "text",
    "ef-ef_nafkca-6": "text",
    "ef-ef_imsi-41": "imsi",
    "ef-ef_iccid-75": "iccid",
    "ef-ef_acmmax-23": "maximum",
    "ef-ef_threshold-59": "maximum",
    "ef-ef_hnbn-39": "text",
}


@pytest.mark.parametrize("entry", [e for e in entries("file_coding_kat") if e.id in DECODED])
def test_file_coding_means_what_the_vector_says(entry: dict[str, Any]) -> None:
    value = coding_for(entry).decode(bytes.fromhex(entry["raw"]))
    (expected,) = entry["decoded"].values()
    assert getattr(value, DECODED[entry["id"]]) == expected


def test_more_meanings_of_the_vectors() -> None:
    by_id = {entry["id"]: entry for entry in KNOWN["file_coding_kat"]}

    def decoded(name: str) -> Any:
        return coding_for(by_id[name]).decode(bytes.fromhex(by_id[name]["raw"]))

    assert decoded("ef-ef_p-cscf-10").address == "fe80::42:d7ff:fe53:335"
    assert decoded("ef-ef_epdgid-65").address == "192.168.160.1"
    assert decoded("ef-ef_smsp-11").service_centre_number == "4915790109999"
    assert decoded("ef-ef_smsp-14").service_centre_number == "49301234567"
    assert decoded("ef-ef_acc-22").classes == {0, 1, 3, 5, 15}
    assert decoded("ef-ef_ecc-36").number == "913"
    assert decoded("ef-ef_ad-26").mnc_length == 2
    assert decoded("ef-ef_msisdn-47").number == "12345"
    assert decoded("ef-ef_loci-45").network == "262-02"
    assert decoded("ef-ef_epdgselection-69").entries == (("001-010", 160, 1),)
    assert decoded("ef-ef_csgt-30").text == "foo"
    assert decoded("ef-ef_dir-74").label == "ISim1"
    assert decoded("ef-ef_vgcs-61").groups == ("299",)
    flags = by_id["ef-ef_vgcss-62"]["decoded"]["flags"]
    assert decoded("ef-ef_vgcss-62").active == {n + 1 for n, flag in enumerate(flags) if flag}


@pytest.mark.parametrize("entry", entries("fcp_kat"))
def test_fcp_is_read_and_written_again(entry: dict[str, Any]) -> None:
    octets = bytes.fromhex(entry["fcp"])
    fcp = Fcp.parse(octets)
    assert bytes(fcp) == octets
    assert [{"tag": f"{tag:02x}", "value": value.hex()} for tag, value in fcp.objects] == entry["tlvs"]


def test_fcp_means_what_the_card_said() -> None:
    mf, isim, ecc = (Fcp.parse(bytes.fromhex(entry["fcp"])) for entry in KNOWN["fcp_kat"])
    assert (mf.fid, mf.is_directory, mf.structure) == (0x3F00, True, None)
    assert mf.pins == {0x01: False, 0x0A: True, 0x0B: True}
    assert isim.aid == bytes.fromhex("a0000000871004ff49ff0589")
    assert isim.pins == {0x01: False, 0x81: True, 0x0A: True, 0x0B: True}
    assert (ecc.record_length, ecc.records, ecc.size, ecc.sfi) == (14, 2, 28, 1)
    assert ecc.access_rule == (0x6F06, 8)
    assert not ecc.is_directory


def profile_for(entry: dict[str, Any], entries_: list[dict[str, Any]]) -> Profile:
    if "K" not in entry:  # the NAF derivation follows the bootstrap before it; the others need no key
        entry = {**next(e for e in entries_ if e["id"] == "auth-gba-bootstrap"), **entry}
    operator = {"op": entry["OP"]} if "OP" in entry else {"opc": entry["OPc"]}
    return Profile.from_dict(
        {"imsi": "001010000000001", "k": entry["K"], **operator, "sqn": entry.get("card_sqn_ms", "00" * 6)}
    )


def applications(entry: dict[str, Any]) -> list[str]:
    named = entry.get("app", "").split("/")
    return [{"ISIM": ISIM, "USIM": USIM}[name] for name in named]


AUTHENTICATE = [
    (entry, application) for entry in KNOWN["authenticate_kat"] for application in applications(entry)
]
IN_T0 = [(entry, application) for entry, application in AUTHENTICATE if "t0_sw" in entry]


def case_name(value: Any) -> str:
    return str(value["id"]) if isinstance(value, dict) else {ISIM: "isim", USIM: "usim"}[value]


@pytest.mark.parametrize(("entry", "application"), AUTHENTICATE, ids=case_name)
def test_authenticate_in_t1(entry: dict[str, Any], application: str) -> None:
    card = Card(profile_for(entry, KNOWN["authenticate_kat"]))
    select(card, application, "00")
    if entry["id"] == "auth-gba-nafderivation":
        bootstrap = next(e for e in KNOWN["authenticate_kat"] if e["id"] == "auth-gba-bootstrap")
        assert card.transmit(bytes.fromhex(entry["command"])).hex() == "6985"
        assert card.transmit(bytes.fromhex(bootstrap["command"])).hex() == bootstrap["response"] + "9000"
    expected = entry.get("response", "") + entry["sw"]
    assert card.transmit(bytes.fromhex(entry["command"])).hex() == expected


@pytest.mark.parametrize(("entry", "application"), IN_T0, ids=case_name)
def test_authenticate_in_t0(entry: dict[str, Any], application: str) -> None:
    card = Card(profile_for(entry, KNOWN["authenticate_kat"]), protocol="T=0")
    select(card, application)
    if entry["id"] == "auth-gba-nafderivation":
        bootstrap = next(e for e in KNOWN["authenticate_kat"] if e["id"] == "auth-gba-bootstrap")
        assert card.transmit(bytes.fromhex(bootstrap["command"])[:-1]).hex() == bootstrap["t0_sw"]
    command = bytes.fromhex(entry["command"])
    assert card.transmit(command).hex() == "6700"  # T=0 knows no Le after data
    assert card.transmit(command[:-1]).hex() == entry["t0_sw"]
    waiting = entry["t0_sw"][2:]
    assert card.transmit(bytes.fromhex("00c00000" + waiting)).hex() == entry["response"] + "9000"


def select(card: Card, application: str, le: str = "") -> None:
    answer = card.transmit(bytes.fromhex(f"00a4040407{application}{le}"))
    assert answer[-2:] == b"\x90\x00" or answer[:1] == b"\x61"


TABLES = {"MF": "mf_files", "ADF.USIM": "usim_files", "ADF.ISIM": "isim_files"}


def table(directory: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in KNOWN[TABLES[directory]]}


def sfi_of(entry: dict[str, Any]) -> int | None:
    sfi = entry.get("sfi")
    return int(sfi, 16) if isinstance(sfi, str) else sfi


@pytest.mark.parametrize("directory", TABLES)
def test_the_files_of_the_card_stand_in_the_table(alice: Profile, directory: str) -> None:
    files = file_system(alice)
    found: list[Directory] = [files.mf, *files.applications]
    (here,) = [one for one in found if one.name == directory]
    assert here.files
    for file in here.files:
        entry = table(directory)[file.name]
        assert (f"{file.fid:04x}", file.structure.value) == (entry["fid"], entry["structure"]), file.name
        assert file.sfi == sfi_of(entry), file.name
        least, most = (entry.get("record_or_size") or entry.get("size") or [1])[0], 255
        assert least <= (file.record_length or len(file.records[0])) <= most, file.name


@pytest.mark.parametrize(
    ("directory", "files"), [("MF", MF_FILES), ("ADF.USIM", USIM_FILES), ("ADF.ISIM", ISIM_FILES)]
)
def test_every_coding_stands_in_the_table(directory: str, files: tuple[type[ElementaryFile], ...]) -> None:
    for file in files:
        entry = table(directory)[file.NAME]
        assert (f"{file.FID:04x}", file.STRUCTURE.value, file.SFI) == (
            entry["fid"],
            entry["structure"],
            sfi_of(entry),
        ), file.NAME


@pytest.mark.parametrize("directory", ["MF", "ADF.ISIM"])
def test_every_file_of_the_table_has_a_coding(directory: str) -> None:
    files = {"MF": MF_FILES, "ADF.ISIM": ISIM_FILES}[directory]
    assert {file.NAME for file in files} == set(table(directory))


def test_mandatory_files_of_the_isim_are_on_the_card(alice: Profile) -> None:
    names = {file.name for file in file_system(alice).applications[1].files}
    assert names >= {entry["name"] for entry in KNOWN["isim_files"] if entry["mandatory"]}
