"""tshark reads every trace of data/traces, and finds nothing malformed in any."""

import subprocess

import pytest

from imslab.capture import Capture, esp_sa, open_capture
from imslab.data import path

TRACES = sorted(path("traces").glob("*.pcapng"))


def tshark(trace, *options):
    run = ["tshark", "-r", str(trace), *options]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


def keys_of_esp(capture: Capture) -> list[str]:
    """Return what lets tshark open ESP: the keys that we have found in the trace itself."""
    rows = capture.whole.opening.rows() if capture.whole.opening else []
    table = [line for line in esp_sa.written(rows).splitlines() if not line.startswith("#")]
    options = ["esp.enable_encryption_decode:TRUE", "esp.enable_authentication_check:TRUE"]
    return [word for option in (*options, *(f"uat:esp_sa:{row}" for row in table)) for word in ("-o", option)]


@pytest.mark.component("tshark")
@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.stem)
def test_tshark_and_we_see_the_same(trace):
    faults = "_ws.malformed || ip.checksum.status == 0 || _ws.expert.severity >= 6291456"  # warnings too
    # tshark has no keys for SRTCP: it warns that it cannot read it, or takes a part of it for what it is not.
    # Kamailio's SAR holds an AVP of a vendor that tshark does not know: that is Kamailio's.
    known = "srtcp || (diameter.cmd.code == 301 && diameter.flags.request == 1 && diameter.avp.code == 494)"
    capture = open_capture(trace)
    keys = keys_of_esp(capture)
    assert tshark(trace, *keys, "-Y", f"({faults}) && !({known})") == []
    assert capture.warnings == []
    assert len(tshark(trace)) == len(capture)
    sip = tshark(
        trace, *keys, "-Y", "sip.Request-Line || sip.Status-Line", "-T", "fields", "-e", "frame.number"
    )
    assert sorted({int(frame) for frame in sip}) == sorted({event.frame for event in capture.sip})


def test_each_trace_is_told_with_its_provenance():
    told = path("traces", "README.md").read_text("utf-8")
    assert TRACES and all(f"| `{trace.stem}` |" in told for trace in TRACES)
