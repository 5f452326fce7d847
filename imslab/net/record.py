"""What passed in a network without sockets, as a trace: then a ladder draws it, and Wireshark opens it."""

import io

from imslab.errors import Malformed
from imslab.ims.network import Network
from imslab.net.trace import TraceWriter


def record(network: Network) -> bytes:
    """Return the history of ``network`` as pcapng: each message that was sent, also those that were lost.

    A lost one bears the comment "lost on the way". The network's seconds are the trace's epoch seconds.
    Raises Malformed for a hop that is no UDP: there is no stream to show.
    """
    file = io.BytesIO()
    writer = TraceWriter(file, comment="imslab: a network in one thread")
    for node in network.nodes:
        writer.name(node.address.host, node.name)
    for at, send, lost in network.history:
        if send.source.transport != "UDP" or send.destination.transport != "UDP":
            raise Malformed(f"{send.destination} is no UDP address", expected="a network on UDP")
        comment = "lost on the way" if lost else ""
        writer.udp(at, send.source[:2], send.destination[:2], send.octets, comment)
    writer.flush()
    return file.getvalue()
