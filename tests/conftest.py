"""What all tests share: real components are used where they are; elsewhere a test says what is missing."""

import os
import shutil
from collections.abc import Iterable

import pytest

# name of the component -> (programs, any of which will do; what `apt install` calls it)
COMPONENTS = {
    "tshark": (("tshark",), "tshark"),
    "sipp": (("sipp",), "sip-tester"),
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "pcscd": (("pcscd",), "pcscd vsmartcard-vpcd"),
    "kamailio": (("kamailio",), "kamailio kamailio-ims-modules"),
    "jupyter": (("jupyter",), "python3-venv  (then: make test)"),
    "git": (("git",), "git"),
    "make": (("make",), "make"),
}


def missing(names: Iterable[str]) -> list[str]:
    """Return the components in ``names`` that are not on PATH; KeyError for a name nobody knows."""
    return [name for name in names if not any(map(shutil.which, COMPONENTS[name][0]))]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``component("tshark", ...)`` where one is missing; in CI that is a failure."""
    names = [name for mark in item.iter_markers("component") for name in mark.args]
    if not (absent := missing(names)):
        return
    bring = " ".join(COMPONENTS[name][1] for name in absent)
    reason = f"missing: {', '.join(absent)}; to bring it: apt install {bring}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
