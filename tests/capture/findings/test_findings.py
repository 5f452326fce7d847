"""The list of findings: in order, bounded, as a table; none in what is clean."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from imslab.capture import findings, open_capture
from imslab.capture.findings import MODULES, Finding, Findings, Severity, find, rules
from imslab.capture.findings.finding import MOST_FRAMES
from imslab.capture.report import report
from imslab.data import path, profile_path
from imslab.ipsec import UDP
from tests.capture.gm import KEYS, PCSCF, UE, Gm

# What our own traces show on purpose; the others show nothing that is wrong.
EXPECTED = {
    "register-akav1": {"akav1-chosen"},  # AKAv2 was offered, the terminal was told to take AKAv1
    "register-resync": {"sqn-back"},  # the HSS was set back, so that the card has to resynchronise
    "kamailio-call": {"wrong-response"},  # Kamailio lets AKAv1 in under the name of AKAv2
    "sdes-call": {"sdes-in-clear"},
    "faulty-network": {
        "keys-to-ue", "akav1-chosen", "repeated-rand", "sqn-back", "sdes-in-clear", "one-way-media",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(trace.stem for trace in path("traces").glob("*.pcapng")))
def test_our_own_traces(name: str) -> None:
    profiles = [profile_path(who) for who in ("alice", "bob", "carol")]
    capture = open_capture(path("traces", f"{name}.pcapng"), profile=profiles)
    assert {one.rule for one in find(capture)} == EXPECTED.get(name, set())


def everything() -> Any:
    gm = Gm("hmac-md5-96", "null").register().challenge(keys=True).second("Supported: x").final()
    return open_capture(gm.octets, **KEYS)


def test_the_worst_comes_first_then_the_order_of_frames() -> None:
    found = find(everything())
    assert [one.severity for one in found] == ["error", "error", "warning", "warning"]
    assert [one.rule for one in found] == [
        "keys-to-ue",
        "no-security-verify",
        "old-algorithm",
        "null-encryption",
    ]
    assert all(one.frames and one.what and one.why and one.clause for one in found)


def test_a_part_has_its_own_findings() -> None:
    assert [one.rule for one in find(everything().where([1, 2]))] == ["keys-to-ue", "old-algorithm"]


def test_a_flood_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_MOST", 3)
    assert [one.rule for one in find(everything())] == ["keys-to-ue", "no-security-verify", "old-algorithm"]


def test_the_frames_of_a_finding_are_bounded() -> None:
    gm = Gm(ealg="null").register().challenge()
    datagram = b"\x13\xc6\x17\xd8\x00\x0c\x00\x00text"
    for number in range(1, MOST_FRAMES + 20):
        sealed = gm.associations.request.sa.seal(number, UDP, datagram, b"")
        gm.trace.esp(gm.tick(), UE, PCSCF, sealed)
    (one,) = find(open_capture(gm.octets, **KEYS))
    assert one.rule == "null-encryption"
    assert one.frames == tuple(range(3, 3 + MOST_FRAMES))


def test_the_capture_and_its_report_have_them() -> None:
    capture = everything()
    assert capture.findings is capture.findings and capture.findings == find(capture)
    rows = report(capture)["findings"]
    assert [row["rule"] for row in rows] == [one.rule for one in capture.findings]
    assert rows[0] == {
        "severity": "error",
        "rule": "keys-to-ue",
        "what": "CK and IK were sent to the terminal in the 401",
        "why": capture.findings[0].why,
        "clause": "3GPP TS 24.229, 5.2.2 and 7.2A.1",
        "frames": [2],
    }


def test_a_table() -> None:
    table = find(everything()).table
    assert list(table.columns) == ["severity", "rule", "what", "why", "clause", "frames"]
    assert table["severity"].tolist() == ["error", "error", "warning", "warning"]
    assert table["frames"].iloc[0] == (2,)
    assert list(Findings().table.columns) == list(table.columns)


def test_a_notebook_shows_them_as_a_table() -> None:
    one = Finding(Severity.NOTE, "rule", "a <b>", "why", "RFC 1, 2", (3, 4))
    shown = Findings([one])._repr_html_()
    assert "a &lt;b&gt;. why" in shown and "frames 3, 4" in shown and "RFC 1, 2" in shown and "note" in shown
    assert Findings()._repr_html_() == "<p>Nothing was found.</p>"


def test_each_rule_stands_in_the_list_once() -> None:
    for name in MODULES:
        module = import_module(f"imslab.capture.findings.{name}")
        mine = {called: one for called, one in vars(module).items() if callable(one) and called[0] != "_"}
        written = [one for one in mine.values() if one.__module__ == module.__name__]
        assert list(rules(name)) == written


def test_what_a_capture_does_not_hold_is_not_loaded() -> None:
    code = (
        "import sys; from imslab.capture import open_capture; from imslab.data import path\n"
        "assert open_capture(path('traces', sys.argv[1])).findings == []\n"
        "print(*(name for name in sys.modules if name.startswith('imslab.capture.findings.')))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "card-session.pcapng"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(name.rpartition(".")[2] for name in shown) == ["evidence", "finding"]


def test_no_secret_is_told() -> None:
    gm = Gm().register().challenge(keys=True)
    told = str(find(open_capture(gm.octets, **KEYS)))
    for secret in (gm.vector.ck, gm.vector.ik, gm.vector.xres, bytes.fromhex(KEYS["k"])):
        assert secret.hex() not in told and repr(secret) not in told
