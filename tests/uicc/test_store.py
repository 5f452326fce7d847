"""What survives: power-off, a new process, a process killed in mid authentication."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imslab.data import profile_path
from imslab.errors import Malformed
from imslab.uicc import Card, FileStore, MemoryStore, Profile, Store

CHILD = """
import sys
from imslab.aka import generate_vector
from imslab.data import profile_path
from imslab.uicc import Card, FileStore, Profile
from imslab.uicc.apdu import authenticate

alice = Profile.load(profile_path("alice"))
card = Card(alice, store=FileStore(sys.argv[1]))
card.transmit(bytes.fromhex("00a4040c07a0000000871004"))
seq = int(sys.argv[2])
while True:
    vector = generate_vector(alice.functions, bytes(16), (seq << 5).to_bytes(6))
    if card.transmit(authenticate(vector.rand, vector.autn))[:1] == b"\\xdb":
        print(seq, flush=True)
    seq += 1
"""


def accepted_until_killed(state: Path, start: int, lines: int) -> list[int]:
    """Run a card in a child process, kill it after ``lines`` answers, return the SEQs that it accepted."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(state), str(start)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        seen = [int(child.stdout.readline()) for _ in range(lines)]
        child.kill()
        child.wait()
        rest = child.stdout.read()
    whole = rest[: rest.rfind("\n") + 1]
    return seen + [int(line) for line in whole.split()]


def test_a_killed_card_accepts_no_sqn_twice(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    first = accepted_until_killed(state, 1, 25)
    second = accepted_until_killed(state, 1, 17)
    third = accepted_until_killed(state, 1, 3)
    everything = first + second + third
    assert len(everything) >= 45
    assert sorted(set(everything)) == everything  # each once, always upwards


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path / "card.json")


def test_files_survive(alice: Profile, store: Store) -> None:
    card = Card(alice, store=store)
    card.transmit(bytes.fromhex("00a4000c022f05"))
    assert card.transmit(bytes.fromhex("00d60000026672")) == b"\x90\x00"
    again = Card(alice, store=store)
    again.transmit(bytes.fromhex("00a4000c022f05"))
    assert again.transmit(bytes.fromhex("00b0000002")).hex() == "66729000"


def test_records_survive(alice: Profile, store: Store) -> None:
    card = Card(alice, store=store)
    for command in ("00a4040c07a0000000871002", "00a4000c026f40", "00dc010422" + "ab" * 34):
        assert card.transmit(bytes.fromhex(command)) == b"\x90\x00"
    again = Card(alice, store=store)
    for command in ("00a4040c07a0000000871002", "00a4000c026f40"):
        again.transmit(bytes.fromhex(command))
    assert again.transmit(bytes.fromhex("00b2010422")).hex() == "ab" * 34 + "9000"
    assert again.transmit(bytes.fromhex("00b2020422")).hex() == "ff" * 34 + "9000"


def test_put_and_load(store: Store) -> None:
    store.put("a", b"\x00\xff")
    store.put("b", b"")
    store.put("a", b"\x01")
    assert store.load() == {"a": b"\x01", "b": b""}


def test_a_store_of_another_card_is_refused(alice: Profile, store: Store) -> None:
    Card(alice, store=store)
    bob = Profile.load(profile_path("bob"))
    with pytest.raises(Malformed, match="another card"):
        Card(bob, store=store)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"sqn": 5}', '{"sqn": "0"}', '{"sqn": "zz"}', '{"sqn": "00"}', "\udcff"]
)
def test_a_damaged_file_is_malformed(alice: Profile, tmp_path: Path, text: str) -> None:
    state = tmp_path / "card.json"
    state.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(Malformed):
        Card(alice, store=FileStore(state))


def test_a_file_of_another_size_is_malformed(alice: Profile) -> None:
    store = MemoryStore()
    store.put("iccid", alice.iccid.encode())
    store.put("file/3F00/2F05", b"\0")
    with pytest.raises(Malformed, match=r"EF\.PL"):
        Card(alice, store=store)


def test_the_file_is_for_its_owner_alone_and_never_half_written(alice: Profile, tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    FileStore(state).put("a", b"\1")
    assert state.stat().st_mode & 0o077 == 0
    assert json.loads(state.read_text()) == {"a": "01"}
    assert os.listdir(tmp_path) == ["card.json"]


def test_a_directory_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FileStore(tmp_path / "absent" / "card.json").put("a", b"")


def test_each_put_after_the_first_appends_one_line_with_one_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    state = tmp_path / "card.json"
    store = FileStore(state)
    store.put("a", b"\1")
    assert len(flushed) == 2  # the file, and the directory that names it
    store.put("a", b"\2")
    store.put("b", b"\3")
    assert len(flushed) == 4
    assert [json.loads(line) for line in state.read_text().splitlines()] == [
        {"a": "01"},
        {"a": "02"},
        {"b": "03"},
    ]
    assert FileStore(state).load() == {"a": b"\2", "b": b"\3"}


def test_the_file_is_made_short_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.uicc.store._MOST_APPENDED", 3)
    state = tmp_path / "card.json"
    store = FileStore(state)
    lengths = []
    for number in range(9):
        store.put("n", bytes((number,)))
        lengths.append(len(state.read_text().splitlines()))
        assert FileStore(state).load() == {"n": bytes((number,))}
    assert lengths == [1, 2, 3, 4, 1, 2, 3, 4, 1]


def test_a_last_line_cut_anywhere_was_never_promised(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    store = FileStore(state)
    for value in (b"\1", b"\2", b"\3"):
        store.put("sqn", value)
    whole = state.read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    for end in range(last, len(whole)):
        state.write_bytes(whole[:end])
        again = FileStore(state)
        assert again.load() == {"sqn": b"\2"}
        again.put("pins", b"\7")
        assert FileStore(state).load() == {"sqn": b"\2", "pins": b"\7"}


def test_a_damaged_line_in_the_middle_is_malformed(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    state.write_text('{"sqn": "01"}\n{"sqn": "0\n{"sqn": "03"}\n')
    with pytest.raises(Malformed):
        FileStore(state).load()


def test_a_failed_append_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path / "card.json")
    store.put("a", b"\1")

    def refuse(_: int) -> None:
        raise OSError("no")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="no"):
            store.put("a", b"\2")
    store.put("b", b"\3")
    assert store.load() == {"a": b"\1", "b": b"\3"}


def test_a_state_on_several_lines_is_read(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    state.write_text('{\n "a": "01"\n}\n')
    store = FileStore(state)
    store.put("b", b"\2")
    assert FileStore(state).load() == {"a": b"\1", "b": b"\2"}


def test_a_failed_replacement_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path / "card.json")
    store.put("a", b"\1")

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr("imslab.uicc.store._MOST_APPENDED", 0)
    with pytest.raises(OSError, match="no"):
        store.put("a", b"\2")
    assert store.load() == {"a": b"\1"}
    assert os.listdir(tmp_path) == ["card.json"]
