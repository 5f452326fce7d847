# SPDX-License-Identifier: GPL-2.0-only
"""SIP, SDP, WebSocket, DTLS, SRTP, AKA nonces and the APDUs of a SIM in scapy's tree.

from scapy.all import rdpcap
from imslab.capture import layers          # from here on the tree has them

packets = rdpcap("data/traces/register-akav2.pcapng")
packets[3][layers.AKANonce].show()

Each layer is built from fields as well as dissected; whoever changes a packet that was dissected deletes
its lengths or gives them, as everywhere in scapy. This package inherits from scapy and is under its licence.
"""

from imslab.capture.layers.aka import AKANonce, AuthenticateAnswer, AuthenticateCommand
from imslab.capture.layers.announced import announced
from imslab.capture.layers.dtls import (
    DTLS,
    DTLSAlert,
    DTLSClientHello,
    DTLSExtension,
    DTLSHandshake,
    DTLSHelloVerifyRequest,
    DTLSRecord,
    DTLSServerHello,
    UseSRTP,
)
from imslab.capture.layers.gsmtap import GSMTAP, SIMAPDU, SIMATR
from imslab.capture.layers.sdp import SDP, SDPLine
from imslab.capture.layers.sip import SIP, SIPAuthentication, SIPHeader
from imslab.capture.layers.srtp import SRTP, SRTP32, SRTPGCM
from imslab.capture.layers.tree import join, leave
from imslab.capture.layers.websocket import WebSocket, WebSocketFrame

__all__ = [
    "DTLS",
    "GSMTAP",
    "SDP",
    "SIMAPDU",
    "SIMATR",
    "SIP",
    "SRTP",
    "SRTP32",
    "SRTPGCM",
    "AKANonce",
    "AuthenticateAnswer",
    "AuthenticateCommand",
    "DTLSAlert",
    "DTLSClientHello",
    "DTLSExtension",
    "DTLSHandshake",
    "DTLSHelloVerifyRequest",
    "DTLSRecord",
    "DTLSServerHello",
    "SDPLine",
    "SIPAuthentication",
    "SIPHeader",
    "UseSRTP",
    "WebSocket",
    "WebSocketFrame",
    "announced",
    "join",
    "leave",
]

join()
