"""The nodes of an IMS registration, as state machines without a socket.

Spec: 3GPP TS 24.229 (procedures), TS 33.203 (security), TS 29.228 (Cx). Each node takes octets
and ``now`` in seconds, and gives back octets to send and events; randomness is an argument. So a
terminal, a P-CSCF, an S-CSCF and an HSS run in one cell, in one thread, in no time, and any
message can be dropped, replayed or forged on its way.

Teaching code: it is not constant time, and it is no product's core.
"""

from imslab.ims.hss import Hss
from imslab.ims.node import Address, Node, Send
from imslab.ims.pcscf import Pcscf
from imslab.ims.scscf import Scscf
from imslab.ims.ue import Ue

__all__ = ["Address", "Hss", "Node", "Pcscf", "Scscf", "Send", "Ue"]
