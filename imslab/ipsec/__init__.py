"""IPsec between a terminal and its P-CSCF: keys, the four associations, and ESP in user space.

Spec: 3GPP TS 33.203, clause 7 and annexes H and I; RFC 4303.

pair = Associations.agree(security_client, security_server, ck, ik)
packet = Outbound(pair.request.sa, random).seal(UDP, datagram)
"""

from imslab.ipsec.associations import Association, Associations, agreed
from imslab.ipsec.database import Database, SaSet
from imslab.ipsec.esp import TCP, UDP, Inbound, Outbound, Packet, SecurityAssociation
from imslab.ipsec.offer import TRANSFORMS, Receiving

__all__ = [
    "TCP",
    "TRANSFORMS",
    "UDP",
    "Association",
    "Associations",
    "Database",
    "Inbound",
    "Outbound",
    "Packet",
    "Receiving",
    "SaSet",
    "SecurityAssociation",
    "agreed",
]
