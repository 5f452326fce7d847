"""Preconditions: RFC 3312, with the examples of 13.1 (segmented) and TS 24.229's usage."""

import pytest

from imslab.errors import Malformed
from imslab.sip.preconditions import Condition, answered, are_met, conditions, may_alert, unmet
from imslab.sip.sdp import Attribute, SessionDescription

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
PLAIN = SessionDescription.parse(HEAD + "m=audio 4000 RTP/AVP 0\r\n")


def description(*lines, port=4000):
    return SessionDescription.parse(
        HEAD + f"m=audio {port} RTP/AVP 0\r\n" + "".join(f"a={x}\r\n" for x in lines)
    )


# RFC 3312, 13.1, SDP1 and SDP2, with the local status of TS 24.229
NOT_READY = description(
    "curr:qos local none",
    "curr:qos remote none",
    "des:qos mandatory local sendrecv",
    "des:qos none remote sendrecv",
)
READY = description(
    "curr:qos local sendrecv",
    "curr:qos remote none",
    "des:qos mandatory local sendrecv",
    "des:qos none remote sendrecv",
)


def lines(media):
    return [str(condition.attribute) for condition in conditions(media)]


@pytest.mark.parametrize(
    "text",
    ["curr:qos e2e none", "curr:qos local send", "des:qos mandatory e2e sendrecv", "conf:qos remote recv"],
)
def test_a_line_is_written_as_it_was_read(text):
    name, _, value = text.partition(":")
    condition = Condition.parse(Attribute(name, value))
    assert str(condition.attribute) == text
    assert condition.mirrored.mirrored == condition


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("curr", None), ("curr", "qos local"), ("curr", "qos nowhere none"), ("curr", "qos local both"),
        ("des", "qos local sendrecv"), ("des", "qos always local sendrecv"), ("conf", "qos a b c"),
        ("cur", "a b c"),
    ],
)  # fmt: skip
def test_what_is_no_condition(name, value):
    with pytest.raises(Malformed):
        Condition.parse(Attribute(name, value))


def test_what_is_met():
    assert are_met(PLAIN) and are_met(READY) and not are_met(NOT_READY)
    assert not are_met(description("des:qos mandatory e2e sendrecv"))  # nothing said of it: none
    assert are_met(description("des:qos optional e2e sendrecv"))
    assert are_met(description("des:qos mandatory e2e sendrecv", port=0))
    assert [str(c.attribute) for c in unmet(conditions(NOT_READY.media[0]))] == [
        "des:qos mandatory local sendrecv"
    ]


@pytest.mark.parametrize(
    ("current", "wanted", "met"),
    [
        ("send", "send", True), ("send", "recv", False), ("sendrecv", "recv", True), ("none", "none", True),
        ("recv", "sendrecv", False),
    ],
)  # fmt: skip
def test_a_direction_covers_another(current, wanted, met):
    assert are_met(description(f"curr:qos e2e {current}", f"des:qos mandatory e2e {wanted}")) is met


def test_the_answer_to_an_offerer_that_is_not_ready():
    """What it calls local we call remote; we are ready, and ask to be told when it is."""
    given = answered(NOT_READY, PLAIN)
    assert lines(given.media[0]) == [
        "curr:qos remote none",
        "curr:qos local sendrecv",
        "des:qos mandatory remote sendrecv",
        "des:qos none local sendrecv",
        "conf:qos remote sendrecv",
    ]
    assert not are_met(given)


def test_the_answer_to_one_that_is():
    given = answered(READY, PLAIN)
    assert "conf" not in {c.name for c in conditions(given.media[0])} and are_met(given)


def test_when_the_callee_may_be_alerted():
    """When the offerer is ready: the callee always is, whatever the offerer knows of it."""
    both = ("des:qos mandatory local sendrecv", "des:qos mandatory remote sendrecv")
    assert may_alert(description("curr:qos local sendrecv", "curr:qos remote none", *both))
    assert not may_alert(description("curr:qos local none", "curr:qos remote sendrecv", *both))
    assert may_alert(PLAIN) and may_alert(READY) and not may_alert(NOT_READY)
    assert may_alert(description(*both, port=0))


def test_what_an_answer_said_before_gives_way():
    once = answered(NOT_READY, PLAIN)
    assert answered(READY, once) == answered(READY, PLAIN)


def test_no_conditions_no_answer():
    assert answered(PLAIN, PLAIN) == PLAIN
    refused = description(port=0)
    assert answered(NOT_READY, refused) == refused


def test_one_way_conditions_are_turned_around():
    given = answered(description("curr:qos local send", "des:qos mandatory local send"), PLAIN)
    assert lines(given.media[0])[:2] == ["curr:qos remote recv", "des:qos mandatory remote recv"]
