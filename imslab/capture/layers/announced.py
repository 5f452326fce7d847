# SPDX-License-Identifier: GPL-2.0-only
"""Which sockets were announced for SRTP: what no octet of an SRTP packet says.

Spec: RFC 4568 (a=crypto), RFC 5764 (use_srtp). A session description may offer several profiles, and the
handshake or the answer names one: the announcement with fewer choices is believed.
"""

from collections import OrderedDict
from typing import NamedTuple

from scapy.packet import Packet

from imslab.errors import Malformed
from imslab.sip.sdp import Media, SessionDescription
from imslab.srtp import Profile

Socket = tuple[str, int]

_MOST_SOCKETS = 10_000
_TAG = 10  # octets: of the profile that every end knows


class _Announcement(NamedTuple):
    choices: int
    tag: int


class Announced:
    """How long the tag of SRTP is at each socket; the oldest sockets are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[Socket, _Announcement] = OrderedDict()

    def chosen(self, socket: Socket, code: int) -> None:
        """Note the profile that a DTLS handshake chose for a socket, by its number in use_srtp."""
        try:
            self._learn(socket, _Announcement(1, Profile.coded(code).tag_length))
        except Malformed:
            self._known.pop(socket, None)

    def described(self, description: SessionDescription) -> None:
        """Note what a session description says of each of its media, RTP in clear too."""
        for media in description.media:
            connection = description.connection_of(media)
            if connection is None or not media.port:
                continue
            socket = connection.address.partition("/")[0], media.port
            if "SAVP" in media.protocol:
                self._learn(socket, _announcement(media))
            elif "RTP" in media.protocol:
                self._known.pop(socket, None)

    def tag(self, *sockets: Socket) -> int | None:
        """Return the tag in octets that was announced for one of these sockets; None: none was."""
        found = [self._known[socket] for socket in sockets if socket in self._known]
        return min(found).tag if found else None

    def forget(self) -> None:
        """Forget all: what is dissected next is another capture."""
        self._known.clear()

    def _learn(self, socket: Socket, announcement: _Announcement) -> None:
        self._known.pop(socket, None)
        self._known[socket] = announcement
        if len(self._known) > _MOST_SOCKETS:
            self._known.popitem(last=False)


def sockets(datagram: Packet | None) -> list[Socket]:
    """Return source and destination of a UDP datagram under which there is IP; else nothing."""
    ip = datagram.underlayer if datagram is not None else None
    if datagram is None or ip is None:
        return []
    return [(ip.src, datagram.sport), (ip.dst, datagram.dport)]


def _announcement(media: Media) -> _Announcement:
    """Return what the a=crypto lines offer; without any a handshake will say."""
    tags = [tag for text in media.all("crypto") if (tag := _suite_tag(text)) is not None]
    return _Announcement(len(tags), tags[0]) if tags else _Announcement(100, _TAG)


def _suite_tag(crypto: str) -> int | None:
    try:
        return Profile.named(crypto.split()[1]).tag_length
    except (Malformed, IndexError):
        return None


announced = Announced()
