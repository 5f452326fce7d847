"""environment.yml, requirements.lock and pyproject.toml name the same libraries."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")

CONDA_NAMES = {"matplotlib-base": "matplotlib"}  # without the graphical toolkits
TOOLS_OF_CONDA = {"python", "pip", "c-compiler", "pcsclite", "pkg-config"}


def named(lines: list[str]) -> dict[str, str]:
    """Return {canonical name: version specifier} of some requirements."""
    found = map(Requirement, lines)
    return {canonicalize_name(CONDA_NAMES.get(one.name, one.name)): str(one.specifier) for one in found}


def locked() -> dict[str, set[str]]:
    """Return {canonical name: locked versions}; there may be one for each range of Python versions."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def test_environment_and_project_name_the_same() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (from_pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    from_conda = [entry for entry in listed if isinstance(entry, str)]
    libraries = [entry for entry in from_conda if re.split("[=<>]", entry)[0] not in TOOLS_OF_CONDA]
    assert from_pip[-1] == "-e ."
    wanted = named([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["reader"]])
    assert named([*libraries, *from_pip[:-1]]) == wanted


def test_environment_has_a_python_that_the_project_takes() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (python,) = [entry for entry in listed if isinstance(entry, str) and entry.startswith("python=")]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.split("=")[1])


def test_lock_has_every_library_in_a_version_that_the_project_takes() -> None:
    extras = PROJECT["optional-dependencies"]
    for name, versions in named([*PROJECT["dependencies"], *extras["dev"], *extras["reader"]]).items():
        taken = Requirement(f"{name}{versions}").specifier
        assert locked()[name], f"{name}: run make lock"
        assert all(map(taken.contains, locked()[name])), f"{name}: run make lock"


def test_every_line_of_the_lock_has_hashes() -> None:
    entries = re.split(r"\n(?=[\w.-]+==)", LOCK)[1:]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_lock_names_no_host_and_no_path() -> None:
    assert re.findall(r"\w+://|--(?:index|find|extra|trusted)|@ |(?<!\w)/\w+", LOCK) == []


def test_lock_leaves_the_reader_out_unless_asked() -> None:
    (line,) = [line for line in LOCK.splitlines() if line.startswith("pyscard")]
    marker = Requirement(line.removesuffix("\\").strip()).marker
    assert marker is not None
    assert not marker.evaluate({"extra": ""})
    assert marker.evaluate({"extra": "reader"})


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "environment.yml", "Makefile", "README.md", "CONTRIBUTING.md", ".ci/run"]
)
def test_no_path_of_one_machine(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert re.findall(r"/(?:home|root|Users|work|opt)/[\w./-]+", text) == []
