"""tshark reads every trace of data/traces, and finds nothing malformed in any."""

import subprocess

import pytest

from imslab.capture import open_capture
from imslab.data import path

TRACES = sorted(path("traces").glob("*.pcapng"))


def tshark(trace, *options):
    run = ["tshark", "-r", str(trace), *options]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.component("tshark")
@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.stem)
def test_tshark_and_we_see_the_same(trace):
    faults = "_ws.malformed || ip.checksum.status == 0 || _ws.expert.severity >= 6291456"  # warnings too
    # tshark has no keys for SRTCP: it warns that it cannot read it, or takes a part of it for what it is not.
    # Kamailio's SAR holds an AVP of a vendor that tshark does not know: that is Kamailio's.
    known = "srtcp || (diameter.cmd.code == 301 && diameter.flags.request == 1 && diameter.avp.code == 494)"
    assert tshark(trace, "-Y", f"({faults}) && !({known})") == []
    capture = open_capture(trace)
    assert capture.warnings == []
    assert len(tshark(trace)) == len(capture)
    sip = tshark(trace, "-Y", "sip.Request-Line || sip.Status-Line", "-T", "fields", "-e", "frame.number")
    assert sorted({int(frame) for frame in sip}) == sorted({event.frame for event in capture.sip})


def test_each_trace_is_told_with_its_provenance():
    told = path("traces", "README.md").read_text("utf-8")
    assert TRACES and all(f"| `{trace.stem}` |" in told for trace in TRACES)
