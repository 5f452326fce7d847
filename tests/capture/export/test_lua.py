"""The Lua script in tshark: the parts of a nonce, AUTHENTICATE and its answers."""

import io
from pathlib import Path
from typing import Any

import pytest

from imslab.aka.digest import nonce_for
from imslab.capture import apdu, open_capture
from imslab.data import path
from imslab.net.trace import TraceWriter
from imslab.uicc import gsmtap
from imslab.uicc.apdu import authenticate
from imslab.uicc.narrator import authenticate_parts
from tests.capture.gm import Gm

SCRIPT = Path(__file__).resolve().parents[3] / "imslab" / "capture" / "export" / "imslab.lua"

pytestmark = pytest.mark.component("tshark")


def asked(tshark: Any, file: Path, *names: str, **options: Any) -> list[list[str]]:
    return list(tshark(file, *(f"imslab.{name}" for name in names), script=SCRIPT, only="imslab", **options))


def written(place: Path, *exchanges: tuple[bytes, bytes]) -> Path:
    trace = TraceWriter(file := io.BytesIO())
    for command, response in exchanges:
        trace.apdu(1.0, 0.1, "10.0.0.2", "10.0.0.3", gsmtap.encode_exchange(command, response))
    place.write_bytes(file.getvalue())
    return place


@pytest.mark.parametrize("name", ["register-akav1", "register-resync", "card-session"])
def test_our_own_traces(name: str, tshark: Any) -> None:
    """What the script shows of each APDU is what we read."""
    file = path("traces", f"{name}.pcapng")
    names = ("rand", "sqn_xor_ak", "amf", "mac_a", "res", "ck", "ik", "auts")
    fields = "frame.number", *(f"imslab.{n}" for n in names)
    rows = tshark(file, *fields, script=SCRIPT, only="imslab && udp.port == 4729")
    shown = {int(row[0]): dict(zip(names, row[1:], strict=True)) for row in rows}
    expected: dict[int, dict[str, str]] = {}
    for pair in apdu.pairs(open_capture(file).apdu_events):
        if not pair.parts:
            continue
        challenge, answer = map(dict, authenticate_parts(pair.command, pair.response))
        row = dict.fromkeys(names, "")
        row |= {"rand": challenge["RAND"].hex(), "sqn_xor_ak": challenge["SQN xor AK"].hex(),
                "amf": challenge["AMF"].hex(), "mac_a": challenge["MAC"].hex()}  # fmt: skip
        expected[pair.events[0].frame] = row
        told = {name.lower(): octets.hex() for name, octets in answer.items() if name in ("RES", "CK", "IK")}
        if "MAC-S" in answer:
            told = {"auts": (answer["SQN_MS xor AK*"] + answer["MAC-S"]).hex()}
        if told:
            expected[pair.events[-1].frame] = dict.fromkeys(names, "") | told
    assert shown == expected


def test_a_nonce_in_every_header_that_has_one(tmp_path: Path, tshark: Any) -> None:
    gm = Gm().register().challenge()
    gm.nonce = nonce_for(gm.vector.rand, gm.vector.autn, b"server")
    gm.challenge("Supported: x")
    file = tmp_path / "gm.pcapng"
    file.write_bytes(gm.octets)
    v = gm.vector
    assert asked(tshark, file, "rand", "autn", "sqn_xor_ak", "amf", "mac_a", "server_data") == [
        [part.hex() for part in (v.rand, v.autn, v.sqn_xor_ak, v.amf, v.mac_a, data)]
        for data in (b"", b"server")
    ]


def test_the_meaning_of_a_refusal(tmp_path: Path, tshark: Any) -> None:
    command, stale = authenticate(bytes(16), bytes(16)), b"\xdc\x0e" + bytes(range(14)) + b"\x90\0"
    file = written(tmp_path / "a", (command, b"\x98\x62"), (command, stale))
    rows = asked(tshark, file, "meaning", "auts", "sqn_ms_xor_ak", "mac_s")
    auts = bytes(range(14)).hex()
    assert rows == [
        ["MAC failure: the network did not prove that it knows K", "", "", ""],
        ["", "", "", ""],
        ["the network's SQN is not fresh for this card", auts, auts[:12], auts[12:]],
    ]


BROKEN = [
    b"",
    b"\x02",
    bytes(40),
    b"\x02\xff\x04" + bytes(30),
    b"\x02\x04\x04" + bytes(13),
    b"\x02\x00\x04" + bytes(30),
    gsmtap.encode(b"\x00\x88\x00\x81\x22" + b"\x10" * 20),
    gsmtap.encode(b"\x00\xc0\x00\x00\x10\xdb\x10\x90\x00"),
    gsmtap.encode(b"\x00\xc0\x00\x00\x10\xdc\x0e\x90\x00"),
    gsmtap.encode(b"\x00\x88\x00\x80\x11\x10" + bytes(16) + b"\x90\x00"),  # of 2G: RAND alone
]


def test_what_is_broken_shows_nothing_and_breaks_nothing(tmp_path: Path, tshark: Any) -> None:
    gm = Gm().register()
    for octets in BROKEN:
        gm.trace.udp(gm.tick(), ("10.0.0.2", 1), ("10.0.0.3", gsmtap.PORT), octets)
    for nonce in ("!" * 44, "A" * 43, "AAAA", ""):
        gm.nonce = nonce
        gm.challenge()
    file = tmp_path / "broken"
    file.write_bytes(gm.octets)
    assert asked(tshark, file, "rand", "res", "auts") == []
    assert tshark(file, "frame.number", script=SCRIPT, only="_ws.lua.error") == []
