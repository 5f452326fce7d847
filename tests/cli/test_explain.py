"""``imslab explain``: the doctor's answer as text and JSON, keys from files and the environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imslab.aka import Milenage, digest, generate_vector
from imslab.cli import main
from imslab.data import path, profile_path

K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"  # TS 35.208, 4.3
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
FIELDS = {"username": "alice@example.org", "realm": "example.org", "uri": "sip:example.org"}


def milenage() -> Milenage:
    return Milenage(bytes.fromhex(K), bytes.fromhex(OPC))


def login(algorithm: str, labelled: str | None = None) -> list[str]:
    """Return the options that tell of one login, computed with ``algorithm`` and labelled otherwise."""
    vector = generate_vector(milenage(), RAND, bytes.fromhex("000000000020"))
    nonce = digest.nonce_for(vector.rand, vector.autn)
    keys = {"res": vector.xres, "ck": vector.ck, "ik": vector.ik}
    response = digest.response(algorithm, method="REGISTER", nonce=nonce, **FIELDS, **keys)  # type: ignore[arg-type]
    given = {**FIELDS, "nonce": nonce, "response": response, "algorithm": labelled or algorithm}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def refused(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that there is one line on stderr, with ``words`` and without a key."""
    assert main(["explain", *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert K not in said


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
def test_a_right_answer(algorithm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *login(algorithm), "--k", K, "--opc", OPC, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["causes"] == []
    assert said["challenge"]["RAND"] == RAND.hex()


def test_names_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    options = [*login("AKAv1-MD5", labelled="AKAv2-MD5"), "--k", K, "--opc", OPC]
    assert main(["explain", *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    assert len(said["causes"]) == 1
    assert {"code", "sentence", "clause", "advice"} == set(said["causes"][0])
    assert main(["explain", *options]) == 0
    assert said["causes"][0]["sentence"] in capsys.readouterr().out


def test_keys_from_a_file_and_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "k").write_text(f"{K}\n")
    monkeypatch.setenv("IMSLAB_OPC", OPC)
    assert main(["explain", *login("AKAv2-MD5"), "--k", f"@{tmp_path / 'k'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]


def test_key_from_stdin() -> None:
    command = [sys.executable, "-m", "imslab", "explain", *login("AKAv2-MD5"), "--k", "@-", "--opc", OPC]
    done = subprocess.run(command, input=K, capture_output=True, text=True, check=True, timeout=30)
    assert "No fault found" in done.stdout


def test_secrets_are_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    options = [*login("AKAv2-MD5"), "--k", K, "--opc", OPC]
    secret = milenage().f2(RAND).hex()
    main(["explain", *options])
    assert secret not in capsys.readouterr().out
    main(["explain", *options, "--reveal"])
    said = capsys.readouterr().out
    assert secret in said
    assert K not in said
    assert OPC not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "there is no challenge"),
        (["--k", K], "challenge"),
        (["--k", K[:-1], "--nonce", "AAAA"], "--k"),
        (["--k", "zz", "--nonce", "AAAA"], "--k"),
        (["--k", K, "--opc", OPC, "--nonce", "AAAA"], "nonce"),
        (["--k", K, "--opc", OPC, "--nonce", "***"], "nonce"),
        (["--k", "@/nonexistent/k"], "--k: cannot read"),
        (["--k", K, "--opc", OPC, "--algorithm", "AKAv3-MD5", "--nonce", "A" * 44], "AKAv3-MD5"),
    ],
)
def test_wrong_values_are_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(options, words, capsys)


@pytest.mark.parametrize("octets", [b"\xff\xfe", b"0" * 200_000])
def test_files_that_hold_no_key(octets: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k").write_bytes(octets)
    assert main(["explain", "--nonce", "A" * 44, "--k", f"@{tmp_path / 'k'}"]) == 2
    assert capsys.readouterr().err.startswith("imslab: --k:")


TRACE, CARD = str(path("traces", "register-akav1.pcapng")), str(path("traces", "card-session.pcapng"))


def test_a_frame_of_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", TRACE, "--frame", "51", "--k", K, "--op", OPC, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["frame"], said["kind"], said["judged_by"], said["ok"]) == (51, "SIP", "key", False)
    assert [cause["code"] for cause in said["causes"]] == ["opc-given-as-op"]
    assert main(["explain", TRACE, "--frame", "51", "--k", K, "--opc", OPC]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Frame 51, SIP: REGISTER: the answer") and "No fault found" in text
    assert K not in text and OPC not in text


def test_the_first_frame_that_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["explain", CARD, "--profile", str(profile_path("alice"))]
    assert main(options) == 0
    assert capsys.readouterr().out.startswith("Frame 46, APDU")
    assert main([*options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["first_wrong"]["frame"]) == (False, 46)
    assert [one["result"] for one in said["frames"]] == ["right", "right", "WRONG"]


def test_all_fits_even_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", TRACE]) == 0
    assert capsys.readouterr().out.startswith("All that could be checked fits.")
    assert main(["explain", TRACE, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and said["first_wrong"] is None and said["not_judged"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([TRACE, "--frame", "5"], "frame 5 has nothing of AKA in it; expected one of 46, 47"),
        ([TRACE, "--frame", "999"], "there is no frame 999"),
        ([CARD, "--frame", "46"], "no key was given"),
        ([CARD], "no key was given"),
        ([TRACE, "--nonce", "AAAA"], "--nonce stands in the capture"),
        ([TRACE, "--opc", OPC], "--k: the subscriber key is missing"),
        ([str(profile_path("alice"))], "is no capture"),
        (["/nonexistent.pcapng"], "cannot be opened"),
        ([TRACE, "--profile", "/nonexistent.json"], "nonexistent.json: cannot be read"),
        (["--frame", "4"], "--frame goes with a capture"),
        (["--profile", "x"], "--profile goes with a capture"),
    ],
)
def test_wrong_use_of_a_capture_is_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(options, words, capsys)
