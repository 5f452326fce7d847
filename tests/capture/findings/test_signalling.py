"""Findings of signalling: what was sent again."""

from imslab.capture import open_capture
from imslab.capture.findings import Finding, Severity, find
from tests.capture.gm import PCSCF, UE, Gm


def again(times: int, answered: bool = True, apart: float = 0.5) -> list[Finding]:
    gm = Gm()
    message = gm.message("OPTIONS sip:x SIP/2.0", 1, method="OPTIONS")
    for number in range(times + 1):
        gm.trace.udp(gm.now + number * apart, (UE, 5060), (PCSCF, 5060), message)
    if answered:
        answer = gm.message("SIP/2.0 200 OK", 1, method="OPTIONS")
        gm.trace.udp(gm.now + times * apart + 0.01, (PCSCF, 5060), (UE, 5060), answer)
    return [one for one in find(open_capture(gm.octets)) if one.rule == "retransmissions"]


def test_nothing_was_sent_again() -> None:
    assert again(0) == []
    assert again(3, apart=0.001) == []  # the same datagram on several taps


def test_once_is_a_note_and_often_is_a_warning() -> None:
    (once,) = again(1)
    assert (once.severity, once.frames, once.clause) == (Severity.NOTE, (1,), "RFC 3261, 17.1")
    assert "1 messages were sent again" in once.what
    assert [one.severity for one in again(2)] == [Severity.NOTE]
    (often,) = again(3)
    assert often.severity == Severity.WARNING
    assert f"OPTIONS to {PCSCF}: 3 times" in often.what


def test_what_nobody_answers_is_a_warning() -> None:
    (one,) = again(1, answered=False)
    assert one.severity == Severity.WARNING and "1 of these got no final response" in one.what
