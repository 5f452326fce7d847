"""The kit: a verdict for each peer, a folder for those that can, no key where it does not belong."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from imslab.data import profile_path
from imslab.errors import ImslabError, Malformed
from imslab.interop import PEERS, Target, chosen, judge, write
from imslab.interop.kit import readme
from imslab.uicc import Profile
from tests.interop.subscribers import subscriber

ALICE, CAROL = (Profile.load(profile_path(name)) for name in ("alice", "carol"))


def taken(profile: Profile, target: Target | None = None) -> set[str]:
    return {verdict.peer.name for verdict in judge(profile, target) if verdict.takes}


def test_who_can_take_whom() -> None:
    assert [peer.name for peer in PEERS] == ["sipp", "pjsua", "kamailio", "pyhss", "pysim", "wireshark"]
    assert taken(subscriber()) == {"sipp", "pjsua", "kamailio", "pysim"}  # its private identity is no IMSI
    assert taken(ALICE) == {"kamailio", "pyhss", "pysim"}  # OPc only, and K holds 5b
    assert taken(CAROL) == {"kamailio", "pysim"}  # TUAK
    assert taken(ALICE, Target(algorithm="AKAv2-SHA-256")) == {"pyhss", "pysim"}


def test_reasons_are_those_that_block_or_else_what_must_be_known() -> None:
    sipp, *_ = judge(ALICE)
    assert not sipp.takes and len(sipp.reasons) == 2 and all("RES" not in why for why in sipp.reasons)
    sipp, *_ = judge(subscriber())
    assert sipp.takes and any("RES with a zero octet" in why for why in sipp.reasons)
    assert all(verdict.reasons for verdict in judge(subscriber()))
    assert all(peer.source and peer.about for peer in PEERS)


def test_no_key_in_a_reason_or_in_the_readme() -> None:
    for profile in (ALICE, CAROL, subscriber()):
        said = readme(profile, Target()) + repr(judge(profile))
        keys = (profile.k, profile.op, profile.opc, profile.topc)
        assert not any(key.hex() in said.lower() for key in keys if key)


def test_a_folder_for_each_that_can(tmp_path: Path) -> None:
    written = write(subscriber(), tmp_path / "kit")
    assert {path.parent.name for path in written} == {"sipp", "pjsua", "kamailio", "tables", "pysim", "kit"}
    assert all(path.is_file() and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    told = (tmp_path / "kit" / "README.txt").read_text("utf-8")
    assert "sipp 127.0.0.21:5060 -sf register.xml" in told and "\npyhss: PyHSS" in told
    assert "    no: it takes the user part of the private identity for the IMSI" in told
    again = write(subscriber(), tmp_path / "kit", peers=chosen(["pysim"]))  # what is there is replaced
    assert {path.name for path in again} == {"provision.script", "README.txt"}


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImslabError, match="cannot be written"):
        write(subscriber(), tmp_path / "file")


def test_peers_by_name() -> None:
    assert [peer.name for peer in chosen(["pysim", "sipp", "pysim"])] == ["pysim", "sipp"]
    assert chosen([]) == PEERS
    with pytest.raises(Malformed, match="no peer is called 'asterisk'; expected sipp, pjsua"):
        chosen(["asterisk"])


def test_identities_that_break_no_file(tmp_path: Path) -> None:
    """What a profile may hold and a shell, a table or a script must not be led astray by."""
    odd = replace(subscriber(), impu=("sip:a;b@x", "sip:it's\n'; rm @x", "sip:sipp@x"), name="$(id)")
    for path in write(odd, tmp_path):
        if path.parent.name in ("sipp", "pjsua"):
            assert "rm @x" not in path.read_text("utf-8")
    script = (tmp_path / "pysim" / "provision.script").read_text("utf-8")
    assert "sip:it\\u0027s\\n\\u0027; rm @x" in script
