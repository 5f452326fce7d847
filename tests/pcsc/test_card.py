"""Our card in a real pcscd, and our reader side on it: T=0 and T=1, as root and as an ordinary user."""

import json
import re
import signal
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from imslab.capture import open_capture

if TYPE_CHECKING:
    from tests.pcsc.conftest import Station

pytestmark = pytest.mark.component("pcscd", "vpcd", "pyscard")
IMPI = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"

# What a terminal does with a card, and what each step ended with, by name.
SESSION = """
import json
from imslab.aka import generate_vector
from imslab.data import profile_path
from imslab.errors import MacFailure, SyncFailure
from imslab.uicc import IsimClient, Profile, pcsc
alice = Profile.load(profile_path("alice"))
link = pcsc.connect("virtual")
client = IsimClient(link)
profile = client.read_profile()
vector = generate_vector(alice.functions, bytes(16), (32).to_bytes(6))
answer = client.authenticate(vector.rand, vector.autn)
told = {"protocol": link.protocol, "impi": profile.impi, "impu": len(profile.impu), "source": profile.source}
told["right"] = (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)
try:
    client.authenticate(vector.rand, vector.autn)
except SyncFailure as failure:
    told["auts"] = len(failure.auts)
try:
    client.authenticate(vector.rand, vector.autn[:-1] + bytes([vector.autn[-1] ^ 1]))
except MacFailure:
    told["wrong MAC"] = True
told["atr"] = link.reset().hex()
link.close()
print(json.dumps(told))
"""


@pytest.mark.parametrize("options", [[], ["--t1"]], ids=["T=0", "T=1"])
def test_reads_and_authenticates(
    make_station: "Callable[[str], Station]", user: str, options: list[str]
) -> None:
    station = make_station(user)
    station.start_pcscd()
    station.serve(*options)
    told = station.ask(SESSION)
    assert told.pop("atr") in (
        "3b9e96801fc78031e073fe211f66696d736c6162cc",
        "3b9e9681b1fe451fc78031e073fe211f66696d736c6162c7",
    )
    assert told == {
        "protocol": "T=1" if options else "T=0",
        "impi": IMPI,
        "impu": 3,
        "source": "ISIM",
        "right": True,
        "auts": 14,
        "wrong MAC": True,
    }


PULLED = """
import os, signal, sys
from imslab.errors import CardGone
from imslab.uicc import IsimClient, pcsc
client = IsimClient(pcsc.connect())
client.read_profile()
print("ready", flush=True)
sys.stdin.readline()
try:
    client.authenticate(bytes(16), bytes(16))
except CardGone as gone:
    print("CardGone:", gone, flush=True)
"""


def test_card_pulled_out_in_mid_authenticate_is_one_clear_error(station: "Station") -> None:
    served = station.serve()
    terminal = station.start(sys.executable, "-c", PULLED)
    station.wait_for(terminal, "ready")
    served.send_signal(signal.SIGSTOP)  # AUTHENTICATE reaches the card, and no answer leaves it
    assert terminal.stdin is not None
    terminal.stdin.write("\n")
    terminal.stdin.flush()
    with pytest.raises(TimeoutError):
        station.ends_in(terminal, 0.5)
    station.end(served, signal.SIGKILL)
    said = station.wait_for(terminal, "CardGone")
    assert "CardGone: the card in Virtual PCD 00 00 went away" in said
    assert station.ends_in(terminal, 20) == 0


def test_card_leaves_the_reader_cleanly_and_comes_back(station: "Station") -> None:
    for how in (signal.SIGINT, signal.SIGTERM):
        served = station.serve("--state", "alice.card")
        assert station.end(served, how) == 0
        station.until("assert not has_card()", before=HAS_CARD)
    served = station.serve("--state", "alice.card")
    assert station.ask(SESSION)["right"]


HAS_CARD = """
from imslab.errors import CardError
from imslab.uicc import pcsc
def has_card():
    try:
        pcsc.connect().close()
    except CardError:
        return False
    return True
"""


def test_card_survives_a_restart_of_the_reader(station: "Station") -> None:
    served = station.serve("--t1")
    station.stop_pcscd()
    station.wait_for(served, "the reader went away")
    station.start_pcscd()
    station.wait_for(served, "the card is in the reader")
    station.until("assert has_card()", before=HAS_CARD)
    assert station.ask(SESSION)["right"]


def test_sqn_outlives_the_power(station: "Station") -> None:
    served = station.serve("--state", "alice.card")
    assert station.ask(SESSION)["right"]
    station.end(served, signal.SIGKILL)
    station.serve("--state", "alice.card")
    assert "SyncFailure" in station.fails(SESSION)


CHANNELS = """
import json
from imslab.errors import CardError
from imslab.uicc import IsimClient, pcsc
from imslab.uicc.channels import open_channel
link = pcsc.connect()
with open_channel(link) as one, open_channel(link) as two:
    IsimClient(one).read_profile()
    two_profile = IsimClient(two).read_profile()
    numbers = [one.number, two.number, two_profile.impi]
try:
    link.transmit(bytes.fromhex("01a4000c023f00")).hex()
    closed = link.transmit(bytes.fromhex("01a4000c023f00")).hex()
finally:
    link.close()
print(json.dumps({"numbers": numbers, "closed": closed}))
"""


def test_several_logical_channels(station: "Station") -> None:
    station.serve()
    assert station.ask(CHANNELS) == {"numbers": [1, 2, IMPI], "closed": "6881"}


SHARING = """
import json
from imslab.uicc import pcsc
from imslab.uicc.readiness import ReaderError
select = bytes.fromhex("00a4000c023f00")
def state(action):
    try:
        action()
        return "READY"
    except ReaderError as error:
        return error.state.name
told = {}
one = pcsc.connect(exclusive=True)
told["held"] = state(pcsc.connect)
one.close()
one, other = pcsc.connect(), pcsc.connect()
told["shared"] = state(lambda: other.transmit(select))
told["refused"] = state(lambda: pcsc.connect(exclusive=True))
other.reset()
told["reset"] = state(lambda: one.transmit(select))
one.reset()
told["taken up"] = state(lambda: one.transmit(select))
told["no such reader"] = state(lambda: pcsc.connect("no such reader"))
told["no such ATR"] = state(lambda: pcsc.connect(atr="3bffff"))
told["ATR"] = state(lambda: pcsc.connect(atr="3b9e96"))
print(json.dumps(told))
"""


def test_exclusive_shared_and_reset_by_another(station: "Station") -> None:
    station.serve()
    assert station.ask(SHARING) == {
        "held": "CARD_HELD",
        "shared": "READY",
        "refused": "CARD_HELD",
        "reset": "CARD_RESET",
        "taken up": "READY",
        "no such reader": "NO_READER",
        "no such ATR": "NO_CARD",
        "ATR": "READY",
    }


def test_doctor_tells_the_states_of_a_real_reader(make_station: "Callable[[str], Station]") -> None:
    station = make_station("root")
    assert "the PC/SC service does not answer" in station.imslab("doctor").stdout
    station.start_pcscd()
    assert "there is no card in the reader" in station.imslab("doctor").stdout
    served = station.serve()
    assert re.search(r"ISIM +there\n", station.imslab("doctor").stdout)
    station.end(served)
    station.serve("--profile", "carol")
    assert "the card has no ISIM" in station.imslab("doctor").stdout


def test_read_shows_the_profile_and_asks_for_the_pin_once(station: "Station") -> None:
    profile = json.loads(station.profile("alice").read_text()) | {"pin1_enabled": True}
    locked = station.scratch / "locked.json"
    locked.write_text(json.dumps(profile))
    station.serve("--profile", str(locked))
    refused = station.imslab("card", "read")
    assert (refused.returncode, refused.stdout.count("IMPI")) == (2, 0)
    assert "PIN1 is needed, 3 tries remain: imslab card read --pin" in refused.stderr
    wrong = station.imslab("card", "read", "--pin", say="9999\n")
    assert "2 tries remain" in wrong.stderr
    assert wrong.returncode == 2
    station.imslab("card", "read", "--pin", say="9999\n")
    last = station.imslab("card", "read", "--pin", say="1234\n")
    assert "not sent, 1 try remains" in last.stderr
    opened = station.imslab("card", "read", "--pin", "--even-the-last", say="1234\n")
    assert opened.returncode == 0, opened.stderr
    assert IMPI in opened.stdout
    # Nobody inherits the PIN that was presented.
    assert station.imslab("card", "read").returncode == 2


def test_trace_records_the_reader_side(station: "Station") -> None:
    station.serve()
    recorder = station.start(sys.executable, "-m", "imslab", "card", "trace", "apdus.pcapng")
    station.wait_for(recorder, "Ctrl-C stops")
    assert station.imslab("card", "read", "--gsmtap", "127.0.0.1").returncode == 0
    recorder.send_signal(signal.SIGINT)
    said = station.wait_for(recorder, "packets in apdus.pcapng")
    file = station.scratch / "apdus.pcapng"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    capture = open_capture(file)
    assert f"{len(capture.packets)} packets" in said
    assert capture.apdus["label"].str.contains("EF.IMPI").any()
    assert any(IMPI.encode() in event.response for event in capture.apdu_events)
