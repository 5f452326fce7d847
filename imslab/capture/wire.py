"""What one hop cost on the wire: packets and octets of a connection, beside the octets of SIP in it."""

from typing import TYPE_CHECKING, NamedTuple

from imslab.capture.reassemble import Endpoint

if TYPE_CHECKING:
    import pandas as pd


class Wire(NamedTuple):
    """``octets`` from the IP header on; ``payload`` above UDP or TCP; ``sip`` in messages alone."""

    transport: str
    messages: int
    packets: int
    octets: int
    payload: int
    sip: int


def connection(packets: "pd.DataFrame", one: Endpoint, other: Endpoint, protocol: str) -> "pd.DataFrame":
    """Return the rows of ``packets`` that passed between two endpoints, in both directions."""
    rows = packets[packets["protocol"] == protocol]
    there = (rows["src"] == one[0]) & (rows["sport"] == one[1]) & (rows["dst"] == other[0])
    back = (rows["src"] == other[0]) & (rows["sport"] == other[1]) & (rows["dst"] == one[0])
    return rows[(there & (rows["dport"] == other[1])) | (back & (rows["dport"] == one[1]))]
