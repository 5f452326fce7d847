"""PyHSS: the script is run against a server that answers as PyHSS's API does (services/apiService.py)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from imslab.aka import Milenage
from imslab.data import profile_path
from imslab.interop import Target, pyhss
from imslab.uicc import Profile
from tests.interop.subscribers import OP, K, subscriber

ALICE, CAROL = (Profile.load(profile_path(name)) for name in ("alice", "carol"))
KEYS = {
    "apn": "apn_id",
    "auc": "auc_id",
    "subscriber": "subscriber_id",
    "ims_subscriber": "ims_subscriber_id",
}


class Api(BaseHTTPRequestHandler):
    """PUT /KIND/ stores an object and returns it with the identifier that it got."""

    puts: list[tuple[str, dict[str, Any], str | None]] = []  # noqa: RUF012 -- one server a test

    def do_PUT(self) -> None:
        kind = self.path.strip("/")
        values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.puts.append((kind, values, self.headers["Provisioning-Key"]))
        given = {**values, KEYS[kind]: 40 + len(self.puts)}
        body = json.dumps(given if values.get("imsi") != "000000000000000" else {"Result": "Failed"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    Api.puts = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def provision(folder: Path, profile: Profile, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "provision.py"
    script.write_text(pyhss.files(profile, Target(amf=b"\x80\0"))["provision.py"])
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def blocked(profile: Profile) -> list[str]:
    return [limit.why for limit in pyhss.limits(profile, Target()) if limit.blocks]


def test_the_script_puts_four_objects(tmp_path: Path, api: str) -> None:
    done = provision(tmp_path, ALICE, api, "a key of the API")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"provisioned {ALICE.imsi} (auc 42, apn 41)\n"
    (_, apn, _), (_, auc, _), (_, known, _), (_, ims, _) = Api.puts
    assert [kind for kind, _, _ in Api.puts] == ["apn", "auc", "subscriber", "ims_subscriber"]
    assert {key for _, _, key in Api.puts} == {"a key of the API"}
    assert ALICE.opc is not None
    assert auc == {
        "ki": ALICE.k.hex(), "opc": ALICE.opc.hex(), "amf": "8000", "sqn": 32,
        "imsi": ALICE.imsi, "iccid": ALICE.iccid,
    }  # fmt: skip
    assert (known["auc_id"], known["default_apn"], known["apn_list"]) == (42, 41, "41")
    assert (ims["imsi"], ims["msisdn"], ims["ifc_path"]) == (ALICE.imsi, "15550100001", "default_ifc.xml")
    assert set(apn) == {"apn", "apn_ambr_dl", "apn_ambr_ul"}  # those that may not be absent


def test_what_goes_wrong_is_one_line(tmp_path: Path, api: str) -> None:
    nobody = replace(ALICE, imsi="000000000000000", impi="", impu=("sip:+15550100001@x",), domain="")
    done = provision(tmp_path, nobody, api)
    assert done.returncode == 1 and done.stderr.startswith(f"PyHSS at {api} refused:")
    assert "Traceback" not in done.stderr and ALICE.k.hex() not in done.stderr
    assert "provision.py http://HOST:8080" in provision(tmp_path, ALICE).stderr


def test_op_becomes_opc_and_sqn_is_one_that_the_card_takes() -> None:
    auc = pyhss.objects(subscriber(), Target())["auc"]
    assert auc["opc"] == Milenage.from_op(K, OP).opc.hex()
    used = replace(ALICE, sqn=bytes.fromhex("00000000007f"))
    array = used.sqn_array
    after, accepted = pyhss.next_sqn(used), int.from_bytes(used.sqn)
    assert after == 0x80 and after >> used.ind_length == (accepted >> used.ind_length) + 1
    assert array is not None


def test_what_it_cannot_take() -> None:
    assert blocked(ALICE) == []
    assert blocked(CAROL) == ["it computes Milenage, not tuak"]
    assert "takes the user part of the private identity for the IMSI" in blocked(subscriber())[0]
    assert "no public identity is one that it knows" in blocked(replace(ALICE, impu=ALICE.impu[:1]))[0]
    assert blocked(replace(ALICE, msisdn="+155501000010012")) == [
        "it takes a telephone number of 15 digits for an IMSI"
    ]
    said = [limit.why for limit in pyhss.limits(ALICE, Target(algorithm="AKAv2-MD5"))]
    unknown, known = ", ".join(ALICE.impu[:2]), ALICE.impu[2]
    assert f"it does not know {unknown}: register {known}" in said
    assert any("XRES under the scheme Digest-AKAv1-MD5" in why for why in said)
    assert f"a UE registers {ALICE.impu[2]}" in pyhss.usage(ALICE, Target())
    assert "MCC: '001', MNC: '01'" in pyhss.usage(ALICE, Target())
    assert "OriginHost: '127.0.0.41'" in pyhss.usage(ALICE, Target())
    assert "scscf_pool: ['sip:127.0.0.31:5070']" in pyhss.usage(ALICE, Target(port=5070))


@pytest.mark.parametrize(
    ("impu", "is_known"),
    [
        (f"sip:{ALICE.imsi}@{ALICE.domain}", True),
        (f"sip:15550100001@{ALICE.domain}", True),
        (
            f"sip:+15550100001@{ALICE.domain}",
            False,
        ),  # seen: SAA has a profile without it, and Kamailio says 500
        (f"sip:{ALICE.imsi}@ims.example", False),
        (f"sip:alice@{ALICE.domain}", False),
    ],
)
def test_identities_that_its_template_gives(impu: str, is_known: bool) -> None:
    assert (blocked(replace(ALICE, impu=(impu,))) == []) is is_known
