"""Link layers: from where a frame begins to where its IP header begins, for many frames at once.

Spec: tcpdump.org/linktypes.html; IEEE 802.1Q (VLAN, QinQ) and 802.2 (LLC, SNAP); RFC 3032 (MPLS); RFC 2516
(PPPoE); RFC 1661 and 1662 (PPP); IEEE 802.11 (data frames that are not encrypted), radiotap.org.
"""

from collections.abc import Callable, Mapping

import numpy as np

from imslab.capture.buffer import Octets
from imslab.capture.columns import Column
from imslab.capture.encapsulation import Encapsulation

_IPV4, _IPV6 = 0x0800, 0x86DD  # EtherTypes
_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200)
_MPLS = (0x8847, 0x8848)
_PPPOE, ETHERNET_BRIDGED, PPP = 0x8864, 0x6558, 0x880B
_LONGEST_802_3 = 0x05FF  # a number up to this is a length, and LLC follows
_SNAP = 0xAAAA03  # LLC of a frame whose EtherType follows in the SNAP header
_PPP_TYPES = {0x0021: _IPV4, 0x0057: _IPV6, 0x0281: 0x8847, 0x0283: 0x8848}  # PPP protocol: EtherType
_MOST_TAGS = 8  # tags, labels and headers between a link layer and IP
_MOST_LABELS = 16

_NULL, _LOOP = 0, 108
_FAMILY_V4, _FAMILY_V6 = 2, (10, 23, 24, 28, 30)  # AF_INET, and AF_INET6 of the systems that write NULL
_RAW = (12, 14, 101, 228, 229)


def network(data: Octets, link: int, start: Column, end: Column, seen: Encapsulation) -> Column | None:
    """Return where the IP header of each frame begins (-1: none); None for a link type unknown here."""
    if link in _RAW:
        return start
    read = _READERS.get(link)
    return None if read is None else read(data, start, end, seen)


def ethernet(data: Octets, start: Column, end: Column, seen: Encapsulation) -> Column:
    """Return where IP begins in Ethernet frames; -1 where there is none."""
    return after_type(data, data.u16(start + 12), start + 14, end, seen)


def after_type(data: Octets, kind: Column, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step from ``at``, behind an EtherType, over tags and labels to the IP header; -1: there is none."""
    for _ in range(_MOST_TAGS):
        plain = (kind == _IPV4) | (kind == _IPV6)
        if plain.all():
            return at
        on = ~plain & (kind >= 0) & (at < end)
        if not on.any():
            break
        kind, at = kind.copy(), at.copy()
        kind[on], at[on] = _over_one(data, kind[on], at[on], seen)
    return np.where(((kind == _IPV4) | (kind == _IPV6)) & (at < end), at, -1)


def _over_one(data: Octets, kind: Column, at: Column, seen: Encapsulation) -> tuple[Column, Column]:
    """Step over whatever ``kind`` says stands at ``at``; a kind of -1 says that nothing is known of it."""
    following, after = np.full(len(at), -1, np.int64), at.copy()
    for step, mine in (
        (_vlan, np.isin(kind, _VLAN)),
        (_mpls, np.isin(kind, _MPLS)),
        (_pppoe, kind == _PPPOE),
        (_ppp, kind == PPP),
        (_llc, kind <= _LONGEST_802_3),
        (_bridged, kind == ETHERNET_BRIDGED),
    ):
        if mine.any():
            following[mine], after[mine] = step(data, at[mine], seen)
    return following, after


Step = tuple[Column, Column]  # the EtherType of what follows (-1: unknown), and where that begins


def _vlan(data: Octets, at: Column, seen: Encapsulation) -> Step:
    seen.count("VLAN", data.u16(at) & 0x0FFF)
    return data.u16(at + 2), at + 4


def _mpls(data: Octets, at: Column, seen: Encapsulation) -> Step:
    """Step over a stack of labels: what follows does not say what it is, but IP begins with its version."""
    seen.count("MPLS", data.u32(at) >> 12)
    for _ in range(_MOST_LABELS):
        last = data.u8(at + 2) & 1 == 1
        on = ~last
        if not on.any():
            break
        at = np.where(on, at + 4, at)
    at = at + 4
    version = data.u8(at) >> 4
    control_word = version == 0  # RFC 4385: a pseudo-wire, here with an Ethernet frame in it
    kind = np.where(version == 4, _IPV4, np.where(version == 6, _IPV6, -1))
    return np.where(control_word, ETHERNET_BRIDGED, kind), np.where(control_word, at + 4, at)


def _pppoe(data: Octets, at: Column, seen: Encapsulation) -> Step:
    seen.count("PPPoE", data.u16(at + 2))
    return _ppp(data, at + 6, seen)


def _ppp(data: Octets, at: Column, seen: Encapsulation) -> Step:
    """Step over PPP, with or without address and control octets, the protocol in two octets or in one."""
    at = np.where(data.u16(at) == 0xFF03, at + 2, at)
    short = data.u8(at) & 1 == 1
    protocol = np.where(short, data.u8(at), data.u16(at))
    kind = np.full(len(at), -1, np.int64)
    for number, ethertype in _PPP_TYPES.items():
        kind[protocol == number] = ethertype
    return kind, np.where(short, at + 1, at + 2)


def _llc(data: Octets, at: Column, seen: Encapsulation) -> Step:
    snap = data.u32(at) >> 8 == _SNAP
    return np.where(snap, data.u16(at + 6), -1), at + 8


def _bridged(data: Octets, at: Column, seen: Encapsulation) -> Step:
    return data.u16(at + 12), at + 14


def _null(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """NULL: four octets of address family, in the byte order of the machine that captured."""
    big, word = data.u32(at), data.u16(at + 2)
    little = data.u8(at) | data.u8(at + 1) << 8
    family = np.where(big > 0xFFFF, little, big)
    # Some systems write an HDLC header under this name: the EtherType is then in the last two octets.
    known = (family == _FAMILY_V4) | np.isin(family, _FAMILY_V6) | (word == _IPV4) | (word == _IPV6)
    return np.where(known, at + 4, -1)


def _sll(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    return after_type(data, data.u16(at + 14), at + 16, end, seen)


def _sll2(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    return after_type(data, data.u16(at), at + 20, end, seen)


def _typed(ethertype: int, skipped: int) -> Callable[[Octets, Column, Column, Encapsulation], Column]:
    """Return a reader of frames that begin, behind ``skipped`` octets, with what ``ethertype`` names."""

    def read(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
        return after_type(data, np.full(len(at), ethertype, np.int64), at + skipped, end, seen)

    return read


def _hdlc(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over an HDLC header: Cisco's, with an EtherType, or PPP."""
    cisco = np.isin(data.u8(at), (0x0F, 0x8F)) & (data.u8(at + 1) == 0)
    kind = np.where(cisco, data.u16(at + 2), PPP)
    return after_type(data, kind, np.where(cisco, at + 4, at), end, seen)


def _wlan(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over the header of an IEEE 802.11 data frame; an encrypted one holds nothing to read."""
    control, flags = data.u8(at), data.u8(at + 1)
    is_data = (control & 0x0C == 0x08) & (control & 0x40 == 0) & (flags & 0x40 == 0)
    quality = control & 0x80 != 0
    length = 24 + 6 * (flags & 3 == 3) + 2 * quality + 4 * (quality & (flags & 0x80 != 0))
    kind = np.where(is_data, 0, -1)  # LLC follows
    return after_type(data, kind, at + length, end, seen)


def _radiotap(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    return _wlan(data, at + _little16(data, at + 2), end, seen)


def _prism(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Prism has 144 octets; some drivers write the AVS header under its name, which says its length."""
    avs = data.u32(at) & 0xFFFFF000 == 0x80211000
    length = np.where(avs, data.u32(at + 4), 144)
    return _wlan(data, at + length, end, seen)


def _little16(data: Octets, at: Column) -> Column:
    return data.u8(at) | data.u8(at + 1) << 8


def _enc(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    inner = _null(data, at, end, seen)
    return np.where(inner < 0, -1, at + 12)


_READERS: Mapping[int, Callable[[Octets, Column, Column, Encapsulation], Column]] = {
    _NULL: _null, _LOOP: _null, 1: ethernet, 9: _typed(PPP, 0), 50: _hdlc, 51: _typed(_PPPOE, 0),
    100: _typed(0, 0), 104: _hdlc, 105: _wlan, 109: _enc, 113: _sll, 119: _prism, 127: _radiotap, 163: _prism,
    166: _typed(PPP, 2), 204: _typed(PPP, 1), 276: _sll2,
}  # fmt: skip

LINK_NAMES: Mapping[int, str] = {
    _NULL: "NULL", 1: "EN10MB", 9: "PPP", 12: "RAW", 14: "RAW", 50: "PPP_HDLC", 51: "PPP_ETHER",
    100: "ATM_RFC1483", 101: "RAW", 104: "C_HDLC", 105: "IEEE802_11", _LOOP: "LOOP", 109: "ENC",
    113: "LINUX_SLL", 119: "IEEE802_11_PRISM", 127: "IEEE802_11_RADIOTAP", 163: "IEEE802_11_AVS",
    166: "PPP_PPPD", 204: "PPP_WITH_DIR", 228: "IPV4", 229: "IPV6", 276: "LINUX_SLL2",
}  # fmt: skip
