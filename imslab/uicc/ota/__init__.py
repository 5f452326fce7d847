"""Managing a card over the air: secured packets, short messages, and remote file management.

Spec: ETSI TS 102 225 and 102 226; 3GPP TS 31.115 and 31.116. A server seals a command packet with a key set
and a counter; short messages carry it to the card; the card judges it, runs it, and answers with a proof of
receipt. All of it is pure: octets in, octets out.
"""

from imslab.uicc.ota.coding import Check, Counting, Proof, Spi, Status
from imslab.uicc.ota.delivery import command_packet, deliver
from imslab.uicc.ota.keys import KeySet
from imslab.uicc.ota.packet import CommandPacket, read_header, seal, unseal
from imslab.uicc.ota.receiver import Received, Receiver
from imslab.uicc.ota.response import ResponsePacket, seal_response, unseal_response
from imslab.uicc.ota.script import TAR_ISIM, TAR_SIM, TAR_USIM, ScriptAnswer, isim_update, read_file, script

__all__ = [
    "TAR_ISIM",
    "TAR_SIM",
    "TAR_USIM",
    "Check",
    "CommandPacket",
    "Counting",
    "KeySet",
    "Proof",
    "Received",
    "Receiver",
    "ResponsePacket",
    "ScriptAnswer",
    "Spi",
    "Status",
    "command_packet",
    "deliver",
    "isim_update",
    "read_file",
    "read_header",
    "script",
    "seal",
    "seal_response",
    "unseal",
    "unseal_response",
]
