"""Findings of signalling: what had to be sent again, and what nobody answered.

Spec: RFC 3261, 17.1 (timers A, E and G; T1 is half a second).
"""

from collections.abc import Iterator

from imslab.capture import transactions
from imslab.capture.findings.evidence import Evidence
from imslab.capture.findings.finding import Finding, Severity

_OFTEN = 3  # repetitions of one message: it waited for 3.5 seconds and more


def retransmissions(evidence: Evidence) -> Iterator[Finding]:
    """Messages that were sent again."""
    again = [one for one in transactions.gather(evidence.capture.sip) if one.retransmissions]
    if not again:
        return
    worst = max(again, key=lambda one: one.retransmissions)
    silent = sum(one.final_response is None for one in again)
    total = sum(one.retransmissions for one in again)
    yield Finding(
        Severity.WARNING if worst.retransmissions >= _OFTEN or silent else Severity.NOTE,
        "retransmissions",
        f"{total} messages were sent again, in {len(again)} transactions; most often {worst.method} to "
        f"{worst.destination[0]}: {worst.retransmissions} times"
        + (f"; {silent} of these got no final response" if silent else ""),
        "Packets are lost between the two, or one of them is too slow to answer within half a second",
        "RFC 3261, 17.1",
        tuple(one.frame for one in again),
    )


RULES = (retransmissions,)
