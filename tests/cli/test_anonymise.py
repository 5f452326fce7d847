"""``imslab anonymise``: writes another capture, prints the key that opens it, says what is wrong."""

import gzip
import json
from pathlib import Path

import pytest

from imslab.capture import open_capture
from imslab.cli import main
from imslab.data import path, profile_path

TRACE = str(path("traces", "register-akav2.pcapng"))
PROFILES = [word for name in ("alice", "bob") for word in ("--profile", str(profile_path(name)))]
SEED = ["--seed", "a seed of the tests"]


def test_the_printed_key_opens_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "public.pcapng"
    assert main(["anonymise", TRACE, str(out), *PROFILES]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    words = line.split()
    assert words[:3] == ["imslab", "inspect", str(out)]
    capture = open_capture(out, k=words[4], opc=words[6])
    assert [login.challenge.verified for login in capture.logins if login.challenge] == [True] * 4


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anonymise", TRACE, str(tmp_path / "out"), *PROFILES, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"keys", "report"}
    assert said["report"]["packets"] == 163
    assert said["report"]["leftovers"] == []
    assert set(said["keys"][0]) == {"algorithm", "k", "opc"}


def test_a_seed_gives_the_same_and_none_gives_another(tmp_path: Path) -> None:
    outs = [tmp_path / str(number) for number in range(4)]
    for out, more in zip(outs, (SEED, SEED, [], []), strict=True):
        assert main(["anonymise", TRACE, str(out), *more]) == 0
    one, same, other, another = (out.read_bytes() for out in outs)
    assert one == same
    assert len({one, other, another}) == 3


def test_the_key_of_the_subscriber_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMSLAB_K", "465b5ce8b199b49faa5f0a2ee238a6bc")
    monkeypatch.setenv("IMSLAB_OPC", "cd63cb71954a9f4e48a5994e37a02baf")
    assert main(["anonymise", str(path("traces", "register-akav1.pcapng")), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "made anew with a key: 1" in said
    assert "465b5ce8" not in said


def test_a_packed_file(tmp_path: Path) -> None:
    for name in ("out.pcapng", "out.pcapng.gz"):
        assert main(["anonymise", TRACE, str(tmp_path / name), *SEED]) == 0
    assert (
        gzip.decompress((tmp_path / "out.pcapng.gz").read_bytes()) == (tmp_path / "out.pcapng").read_bytes()
    )


def test_the_capture_itself_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.pcapng"
    copy.write_bytes(Path(TRACE).read_bytes())
    assert main(["anonymise", str(copy), str(copy)]) == 2
    assert "is the capture itself" in capsys.readouterr().err
    assert copy.read_bytes() == Path(TRACE).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.pcapng", "out"], "cannot be opened"),
        ([TRACE, "no/such/folder/out"], "cannot be written"),
        ([TRACE, "out", "--k", "00"], "op or opc"),
        ([TRACE, "out", "--seed", "short"], "seed"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["anonymise", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_name_that_still_stands_shows_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("imslab.capture.anonymise.rewriting.leftovers", lambda names, octets: [4711])
    assert main(["anonymise", TRACE, str(tmp_path / "out")]) == 1
    assert "names that still stand: 1, at octets 4711" in capsys.readouterr().out
