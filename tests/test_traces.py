"""data/traces/make.py: what it is asked for that it cannot make, it says, and touches nothing."""

import importlib.util
from types import ModuleType

import pytest

from imslab.data import path


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_traces", path("traces", "make.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_recipe_for_every_trace(make: ModuleType) -> None:
    recipes = {*make.TRACES, *make.WITH_BROWSER, *make.ON_KAMAILIO}
    assert recipes == {trace.stem for trace in path("traces").glob("*.pcapng")}


def test_a_trace_that_nobody_knows(make: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert make.main(["kamailio-call", "nothing"]) == 2
    assert "no trace is called nothing; there are: card-session, " in capsys.readouterr().err


def test_without_kamailio_its_trace_stays_as_it_is(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = path("traces", "kamailio-call.pcapng")
    before = trace.stat().st_mtime_ns
    monkeypatch.setattr(make, "missing", lambda: "kamailio is not installed: sudo apt install kamailio")
    assert make.main(["kamailio-call"]) == 0
    assert "kamailio-call.pcapng stays as it is: kamailio is not installed: sudo" in capsys.readouterr().err
    assert trace.stat().st_mtime_ns == before
