"""The Capture that a notebook holds: tables, parts, ladders."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imslab
from imslab.capture import Capture, open_capture
from imslab.errors import CaptureError, Malformed

MESSAGES = [
    "frame", "time", "src", "sport", "dst", "dport", "transport", "start_line", "method", "status", "call_id",
    "cseq", "length",
]  # fmt: skip
VECTORS = ["frame", "impi", "algorithm", "rand", "sqn_xor_ak", "amf", "mac_a", "auts", "verified", "sqn"]


@pytest.fixture
def capture(login: Any, keys: dict[str, str]) -> Capture:
    return open_capture(login.whole().octets, **keys)


def test_the_package_has_it() -> None:
    assert imslab.open_capture is open_capture


def test_messages(capture: Capture) -> None:
    table = capture.messages
    assert list(table.columns) == MESSAGES
    assert table["frame"].tolist() == [1, 2, 8, 9, 12, 13, 16, 17]
    assert table["time"].iloc[0] == 0
    assert table["method"].unique().tolist() == ["REGISTER"]
    assert table["status"].dropna().tolist() == [401, 401, 200, 200]
    assert table["src"].tolist()[:2] == ["127.0.0.2", "127.0.0.10"]
    assert table["length"].tolist() == [len(bytes(event.message)) for event in capture.sip]


def test_packets(capture: Capture) -> None:
    table = capture.packets
    assert list(table.columns) == [
        "frame",
        "time",
        "length",
        "protocol",
        "src",
        "sport",
        "dst",
        "dport",
        "payload",
    ]
    assert len(table) == len(capture) == 17
    assert table["protocol"].value_counts().to_dict() == {"udp": 10, "tcp": 7}
    assert np.all(np.diff(table["time"]) >= 0)
    assert table.iloc[0][["src", "sport", "dst", "dport"]].tolist() == ["127.0.0.2", 5060, "127.0.0.10", 5060]


def test_apdus(capture: Capture) -> None:
    table = capture.apdus
    assert list(table.columns) == ["frame", "time", "seconds", "label", "answer", "command", "response", "sw"]
    assert table["sw"].tolist() == ["612C", "9000"]
    assert table["command"].tolist()[0].startswith("00880081")


def test_registrations(capture: Capture) -> None:
    (row,) = capture.registrations.to_dict("records")
    assert row["algorithm"] == "AKAv2-MD5"
    assert row["verified"] is True
    assert row["frames"] == [1, 2, 8, 9, 12, 13, 16, 17]


def test_vectors(capture: Capture, login: Any) -> None:
    assert list(capture.vectors.columns) == VECTORS
    (row,) = capture.vectors.to_dict("records")
    assert row["rand"] == login.vector.rand.hex()
    assert row["sqn_xor_ak"] + row["amf"] + row["mac_a"] == login.vector.autn.hex()
    assert (row["verified"], row["sqn"], row["auts"]) == (True, "ff9bb4d0b607", "")


def test_an_empty_capture_has_empty_tables(login: Any) -> None:
    capture = open_capture(login.octets)
    assert len(capture) == 0
    for name in ("packets", "messages", "apdus", "registrations", "vectors"):
        assert len(getattr(capture, name)) == 0
    with pytest.raises(Malformed, match="nothing to draw"):
        capture.ladder()
    assert len(capture.between(0, 1)) == 0


def test_a_registration_is_found_by_number_and_by_identity(capture: Capture) -> None:
    found = capture.registration(0)
    for which in (-1, "sip:alice@ims.mnc001.mcc001.3gppnetwork.org", found.impi):
        assert capture.registration(which) is found


@pytest.mark.parametrize("which", [1, -2, "sip:nobody@nowhere"])
def test_a_registration_that_is_not_there(capture: Capture, which: int | str) -> None:
    with pytest.raises(Malformed, match="no such registration") as caught:
        capture.registration(which)
    assert "sip:alice@" in str(caught.value)


def test_a_part_by_frames(capture: Capture) -> None:
    part = capture.where([1, 8, 10])
    assert len(part) == 3
    assert part.messages["frame"].tolist() == [1, 8]
    assert part.packets["frame"].tolist() == [1, 8, 10]
    assert part.apdus["frame"].tolist() == [10]
    assert part.where([1, 2]).packets["frame"].tolist() == [1]
    assert part.logins[0].result == "challenged"


def test_a_part_by_time(capture: Capture) -> None:
    part = capture.between(0.0045, 0.0065)
    assert part.packets["frame"].tolist() == [8, 9]
    assert part.messages["time"].round(3).tolist() == [0.005, 0.006]


@pytest.mark.parametrize("frame", [0, -1, 18])
def test_a_frame_that_is_not_there(capture: Capture, frame: int) -> None:
    with pytest.raises(Malformed, match=f"no frame {frame}"):
        capture.where([frame])


def test_arrows_carry_frames_and_come_in_order(capture: Capture) -> None:
    arrows = capture.arrows()
    assert len(arrows) == 14
    assert all(arrow.frame for arrow in arrows)
    assert [arrow.at for arrow in arrows] == sorted(arrow.at for arrow in arrows)


def test_the_card_is_shown_by_its_own_time(capture: Capture) -> None:
    asked, answered = (arrow for arrow in capture.arrows() if arrow.kind == "APDU")
    assert (asked.source, asked.destination) == (answered.destination, answered.source)
    assert answered.at - asked.at == pytest.approx(0.01, abs=1e-6)
    assert answered.seconds == pytest.approx(0.01)
    assert (asked.frame, answered.frame) == (10, 11)


def test_nodes_that_share_an_address_are_told_apart_by_port(login: Any) -> None:
    octets = login.head("OPTIONS sip:b SIP/2.0", 1).replace(b"REGISTER", b"OPTIONS")
    login.trace.udp(1.0, ("127.0.0.1", 5060), ("127.0.0.1", 5070), octets)
    (arrow,) = open_capture(login.octets).arrows()
    assert (arrow.source, arrow.destination) == ("127.0.0.1:5060", "127.0.0.1:5070")


def test_names_come_from_the_file(capture: Capture) -> None:
    assert capture.names["127.0.0.10"] == "P-CSCF"


def test_a_cut_file_opens_and_says_so(login: Any) -> None:
    octets = login.whole().octets
    capture = open_capture(io.BytesIO(octets[:-100]))
    assert len(capture) == 16
    assert "cut at octet" in capture.warnings[0]
    assert capture.registration().status == 200


def test_no_capture_is_one_line() -> None:
    with pytest.raises(CaptureError, match="no capture"):
        open_capture(b"hello")


def test_the_pictures_are_drawn(capture: Capture) -> None:
    for thing in (capture, capture.registration()):
        assert "P-CSCF" in thing.ladder(title="A login").svg()
        assert "card" in thing.timing().svg()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_trace_gives_what_can_be_read(
    whole_login: bytes, keys: dict[str, str], data: st.DataObject
) -> None:
    octets = bytearray(whole_login)
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    try:
        capture = open_capture(damaged, **keys)
    except CaptureError:
        return
    assert len(capture.messages) == len(capture.sip)
    assert len(capture.arrows()) >= len(capture.sip)
    assert len(capture.registrations) == len(capture.logins)
    _ = capture.vectors, capture.warnings, [login.arrows() for login in capture.logins]


@pytest.fixture(scope="module")
def whole_login(new_login: Any) -> bytes:
    octets: bytes = new_login().resynchronised().octets
    return octets
