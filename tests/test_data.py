"""The reader of data/: a vector file without a source is refused."""

import json
from pathlib import Path

import pytest

from imslab import ImslabError, Malformed, data

ENTRY = {"id": "one", "source": "TS 35.208, 4.3"}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an empty data/ in the place of the real one."""
    (tmp_path / "vectors").mkdir()
    monkeypatch.setattr(data, "_ROOT", tmp_path)
    return tmp_path / "vectors" / "some.json"


@pytest.mark.parametrize("file", sorted(data.path("vectors").glob("*.json")), ids=lambda file: file.stem)
def test_every_vector_file_has_its_source(file: Path) -> None:
    assert data.vectors(file.stem)["name"] == file.stem


@pytest.mark.parametrize(
    "content",
    [
        {"source": "RFC 7118", "facts": [{"id": 1}]},
        {"sources": ["RFC 7118"]},
        {"vectors": [ENTRY, ENTRY], "not_vectors": [{"id": "x"}]},
    ],
)
def test_sourced(write: Path, content: object) -> None:
    write.write_text(json.dumps(content))
    assert data.vectors("some") == content


@pytest.mark.parametrize(
    "content",
    [
        {"vectors": [{"id": "one"}]},
        {"vectors": [ENTRY, {"id": "two"}]},
        {"vectors": [ENTRY, {"id": "two", "source": ""}]},
        {"vectors": []},
        {"source": ""},
        {},
        [],
        [ENTRY],
        None,
    ],
)
def test_not_sourced(write: Path, content: object) -> None:
    write.write_text(json.dumps(content))
    with pytest.raises(Malformed, match="does not say where"):
        data.vectors("some")


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff\xfe{}", b'{"a": 1,}', b"[" * 100_000])
def test_not_json(write: Path, octets: bytes) -> None:
    write.write_bytes(octets)
    with pytest.raises(Malformed, match="is not JSON"):
        data.vectors("some")


def test_absent_file_lists_what_there_is(write: Path) -> None:
    write.write_text("{}")
    with pytest.raises(ImslabError, match=r"there is no data/vectors/other.json; there are: some"):
        data.vectors("other")


def test_absent_profile() -> None:
    with pytest.raises(ImslabError, match=r"there is no data/profiles/mallory\.json"):
        data.profile_path("mallory")


def test_not_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_ROOT", tmp_path / "none")
    with pytest.raises(ImslabError, match="clone the repository"):
        data.path("traces")


@pytest.mark.parametrize(
    "parts", [("..", "pyproject.toml"), ("/etc/passwd",), ("vectors", "..", "..", "README.md")]
)
def test_stays_in_data(parts: tuple[str, ...]) -> None:
    with pytest.raises(ImslabError, match="leads out of data/"):
        data.path(*parts)


@pytest.mark.parametrize("name", ["nul\0", "x" * 5000])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(ImslabError):
        data.vectors(name)
