"""The nodes of an IMS network, as state machines without a socket: registration, calls, messages.

Spec: 3GPP TS 24.229 (procedures), TS 33.203 (security), TS 29.228 (Cx), RFC 3261 and what IMS adds. Each
node takes octets and ``now`` in seconds, and gives back octets to send and events; randomness is an argument.
So two terminals, a P-CSCF, an S-CSCF and an HSS run in one cell, in one thread, in no time, and any message
can be dropped, replayed or forged on its way.

Teaching code: it is not constant time, and it is no product's core.
"""

from imslab.ims.call import Call, CallState, Times
from imslab.ims.hss import Hss
from imslab.ims.node import Address, Node, Send
from imslab.ims.pcscf import Pcscf
from imslab.ims.scscf import Scscf
from imslab.ims.ue import Ue

__all__ = ["Address", "Call", "CallState", "Hss", "Node", "Pcscf", "Scscf", "Send", "Times", "Ue"]
