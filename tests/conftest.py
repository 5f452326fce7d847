"""What all tests share: real components are used where they are; elsewhere a test says what is missing."""

import os
import shutil
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

# name of the component -> (programs, any of which will do; what `apt install` calls it)
COMPONENTS = {
    "tshark": (("tshark",), "tshark"),
    "sipp": (("sipp",), "sip-tester"),
    "baresip": (("baresip",), "baresip-core"),
    "node": (("node",), "nodejs npm"),
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "firefox": (("firefox-esr", "firefox"), "firefox-esr"),
    "pcscd": (("pcscd",), "pcscd vsmartcard-vpcd"),
    "eapol_test": (("eapol_test",), "eapoltest"),
    "hostapd": (("hostapd",), "hostapd"),
    "kamailio": (
        ("kamailio",),
        "kamailio kamailio-ims-modules kamailio-presence-modules kamailio-websocket-modules"
        " kamailio-tls-modules kamailio-extra-modules",
    ),
    "ip": (("ip",), "iproute2"),
    "unshare": (("unshare",), "util-linux"),
    "jupyter": (("jupyter",), "python3-venv  (then: make test)"),
    "git": (("git",), "git"),
    "bash": (("bash",), "bash"),
    "make": (("make",), "make"),
}
# ... that are no programs: a module of Python with what brings it, and a driver of pcscd
MODULES = {"pyscard": ("smartcard", "make reader")}
DRIVERS = {"vpcd": ("/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "vsmartcard-vpcd")}
# Daemons live where the path of an ordinary user does not lead.
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def is_there(name: str) -> bool:
    """Tell whether a component is on this machine; KeyError for a name nobody knows."""
    if name in MODULES:
        return find_spec(MODULES[name][0]) is not None
    if name in DRIVERS:
        return Path(DRIVERS[name][0]).exists()
    return any(shutil.which(program, path=PLACES) for program in COMPONENTS[name][0])


def missing(names: Iterable[str]) -> list[str]:
    """Return the components in ``names`` that are not there; KeyError for a name nobody knows."""
    return [name for name in names if not is_there(name)]


def bring(names: Iterable[str]) -> str:
    """Return the commands that bring components."""
    packages = [
        DRIVERS[name][1] if name in DRIVERS else COMPONENTS[name][1] for name in names if name not in MODULES
    ]
    commands = [f"apt install {' '.join(packages)}"] if packages else []
    return "; ".join([*commands, *(MODULES[name][1] for name in names if name in MODULES)])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``component("tshark", ...)`` where one is missing; in CI that is a failure."""
    names = [name for mark in item.iter_markers("component") for name in mark.args]
    if not (absent := missing(names)):
        return
    cannot_run(f"missing: {', '.join(absent)}; to bring it: {bring(absent)}")


def cannot_run(reason: str) -> NoReturn:
    """End a test that lacks something: on a user's machine it is skipped, with the reason; in CI it fails."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", name="cannot_run")
def cannot_run_fixture() -> Callable[[str], NoReturn]:
    """Give ``cannot_run`` to what finds out only while it runs."""
    return cannot_run
