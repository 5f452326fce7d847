"""What passed in a network without sockets, as a trace: then a ladder draws it, and Wireshark opens it."""

import io
from collections.abc import Container

from imslab.errors import Malformed
from imslab.ims.network import Network
from imslab.net.trace import TraceWriter


def record(network: Network, between: Container[str] | None = None) -> bytes:
    """Return the history of ``network`` as pcapng: each message that was sent, also those that were lost.

    A lost one bears the comment "lost on the way". The network's seconds are the trace's epoch seconds.

    ``between``  addresses: only what goes from one of them to another, as somebody on that way sees it
    Raises Malformed for a hop that is neither UDP nor ESP: there is no stream to show.
    """
    file = io.BytesIO()
    writer = TraceWriter(file, comment="imslab: a network in one thread")
    for node in network.nodes:
        writer.name(node.address.host, node.name)
    for at, send, lost in network.history:
        source, destination = send.source, send.destination
        if between is not None and not (source.host in between and destination.host in between):
            continue
        comment = "lost on the way" if lost else ""
        if destination.is_protected:
            writer.esp(at, source.host, destination.host, send.octets, comment)
        elif source.transport == destination.transport == "UDP":
            writer.udp(at, source[:2], destination[:2], send.octets, comment)
        else:
            raise Malformed(f"{destination} is no UDP address", expected="a network on UDP")
    writer.flush()
    return file.getvalue()
