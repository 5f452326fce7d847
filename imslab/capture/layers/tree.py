# SPDX-License-Identifier: GPL-2.0-only
"""Where the layers hang in scapy's tree: under UDP and TCP, on any port that nobody else has claimed.

Spec: RFC 7983 (the first octet tells DTLS and RTP apart). Whether a packet is RTP or SRTP depends on what was
announced for its sockets before it: packets are dissected in their order, as ``rdpcap`` does.
"""

from scapy.layers.inet import TCP, UDP
from scapy.layers.rtp import RTP
from scapy.packet import Packet, Raw

from imslab.capture.layers.announced import announced, sockets
from imslab.capture.layers.dtls import DTLS, looks_like_dtls
from imslab.capture.layers.gsmtap import GSMTAP, looks_like_gsmtap
from imslab.capture.layers.sip import SIP
from imslab.capture.layers.srtp import looks_like_rtp, with_tag
from imslab.capture.layers.websocket import WebSocket, looks_like_websocket
from imslab.capture.sip import looks_like_sip
from imslab.uicc.gsmtap import PORT


def in_datagram(datagram: UDP, payload: bytes) -> type[Packet]:
    """Return the layer of what a UDP datagram carries; Raw when it is none of ours."""
    if looks_like_sip(payload):
        return SIP
    if PORT in (datagram.sport, datagram.dport) and looks_like_gsmtap(payload):
        return GSMTAP
    if looks_like_dtls(payload):
        return DTLS
    if looks_like_rtp(payload):
        tag = announced.tag(*sockets(datagram))
        return RTP if tag is None else with_tag(tag)
    return Raw


def in_segment(segment: TCP, payload: bytes) -> type[Packet]:
    """Return the layer of what a TCP segment begins with; Raw when it is none of ours."""
    if looks_like_sip(payload):
        return SIP
    return WebSocket if looks_like_websocket(payload) else Raw


def join() -> None:
    """Hang the layers under UDP and TCP: they are asked when no port decides."""
    UDP.default_payload_class = in_datagram  # type: ignore[method-assign, assignment]
    TCP.default_payload_class = in_segment  # type: ignore[method-assign, assignment]


def leave() -> None:
    """Take them out again."""
    for lower in (UDP, TCP):
        if "default_payload_class" in vars(lower):
            del lower.default_payload_class
