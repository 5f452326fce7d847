"""``import imslab`` is light: under 100 ms, and nothing heavy comes with it."""

import subprocess
import sys

import pytest

import imslab

HEAVY = (
    "numpy",
    "scapy",
    "matplotlib",
    "pandas",
    "aiortc",
    "av",
    "aiohttp",
    "smartcard",
    "cryptography",
    "IPython",
)


def fresh(code: str) -> str:
    """Return what a new interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.mark.parametrize("module", ["imslab", "imslab.cli", "imslab.course", "imslab.data"])
def test_loads_no_heavy_library(module: str) -> None:
    loaded = fresh(f"import sys, {module}; print(*sys.modules)").split()
    assert module in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_lazy_names_are_listed_and_loaded() -> None:
    assert {"Lab", "open_capture", "refuses", "MacFailure"} <= set(dir(imslab))
    from imslab.course.refuses import refuses

    assert imslab.refuses is refuses


def test_every_error_is_exported() -> None:
    from imslab import errors

    defined = {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert defined <= set(imslab.__all__)
    assert all(issubclass(getattr(imslab, name), imslab.ImslabError) for name in defined)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Labb'"):
        _ = imslab.Labb
