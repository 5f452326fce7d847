"""Tunnels: from what an outer packet carries to the IP packet within, for many packets at once.

Spec: RFC 2784 and 2890 (GRE), 2637 (GRE of PPTP), draft-foschiano-erspan (mirrored ports); 3GPP TS 29.281,
section 5 (GTP-U); RFC 7348 (VXLAN); RFC 8926 (Geneve). Each function returns where the inner packet begins,
-1 where there is none: what only looks like a tunnel stays what it is. ``end`` is where the outer payload
should end, which may be further than what was captured of it.
"""

from collections.abc import Mapping

import numpy as np

from imslab.capture import link
from imslab.capture.buffer import Octets
from imslab.capture.columns import Column, Mask
from imslab.capture.encapsulation import Encapsulation
from imslab.capture.ip import Via

GTP_U_PORT, VXLAN_PORTS, GENEVE_PORT = 2152, (4789, 8472), 6081
_G_PDU = 0xFF
_MOST_EXTENSIONS = 8
_GRE_CHECKSUM, _GRE_ROUTING, _GRE_KEY, _GRE_SEQUENCE, _GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_ERSPAN_II, _ERSPAN_III = 0x88BE, 0x22EB


def gtp_u(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over GTP-U with its sequence number and extension headers (TS 29.281, 5.1 and 5.2)."""
    flags, length = data.u8(at), data.u16(at + 2)
    # PT 1, version 1, a G-PDU; its length counts what follows the first 8 octets.
    good = (flags >> 4 == 3) & (data.u8(at + 1) == _G_PDU) & (at + 8 + length <= end)
    optional = flags & 7 != 0
    inner, following = at + 8 + 4 * optional, np.where(flags & 4 != 0, data.u8(at + 11), 0)
    for _ in range(_MOST_EXTENSIONS):
        on = good & (following != 0)
        if not on.any():
            break
        size = data.u8(inner) * 4
        good &= ~on | (size > 0)
        following = np.where(on, data.u8(inner + size - 1), following)
        inner = np.where(on, inner + size, inner)
    inner = np.where(good & (following == 0) & _is_ip(data, inner, end), inner, -1)
    seen.count("GTP-U", data.u32(at[inner >= 0] + 4))
    return inner


def gre(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over GRE, with or without checksum, key and sequence number."""
    flags, kind = data.u16(at), data.u16(at + 2)
    version = flags & 7
    key = flags & _GRE_KEY != 0
    after_sum = at + 4 + 4 * (flags & (_GRE_CHECKSUM | _GRE_ROUTING) != 0)
    sequence = flags & _GRE_SEQUENCE != 0
    inner = after_sum + 4 * key + 4 * sequence + 4 * ((version == 1) & (flags & _GRE_ACK != 0))
    mirrored = (kind == _ERSPAN_II) | (kind == _ERSPAN_III)
    inner = inner + np.where(kind == _ERSPAN_III, 12, np.where(mirrored & sequence, 8, 0))
    kind = np.where(mirrored, link.ETHERNET_BRIDGED, kind)
    good = (version <= 1) & (flags & _GRE_ROUTING == 0) & (inner < end)
    seen.count("GRE", np.where(key, data.u32(after_sum), 0)[good])
    return link.after_type(data, np.where(good, kind, -1), inner, end, seen)


def vxlan(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over VXLAN and the Ethernet header in it."""
    good = (data.u8(at) & 8 != 0) & (at + 8 + 14 < end)
    inner = np.full(len(at), -1, np.int64)
    inner[good] = _checked(data, link.ethernet(data, at[good] + 8, end[good], seen), end[good])
    seen.count("VXLAN", data.u32(at[inner >= 0] + 4) >> 8)
    return inner


def geneve(data: Octets, at: Column, end: Column, seen: Encapsulation) -> Column:
    """Step over Geneve, its options, and the Ethernet header where there is one."""
    first = data.u8(at)
    inner = at + 8 + (first & 0x3F) * 4
    kind = np.where((first >> 6 == 0) & (inner < end), data.u16(at + 2), -1)
    inner = _checked(data, link.after_type(data, kind, inner, end, seen), end)
    seen.count("Geneve", data.u32(at[inner >= 0] + 4) >> 8)
    return inner


def over_udp(
    data: Octets, at: Column, end: Column, sport: Column, dport: Column, seen: Encapsulation
) -> tuple[Column, Column]:
    """Return where the packet within each datagram begins (-1: none), and what it came through (Via)."""
    inner, via = np.full(len(at), -1, np.int64), np.zeros(len(at), np.int64)
    for kind, ports in _UDP_PORTS.items():
        mine = _is_one_of(dport, ports)
        if kind is Via.GTP_U:  # the port is that of both ends, and some answer from it only
            mine |= _is_one_of(sport, ports)
        if mine.any():
            inner[mine] = _OVER_UDP[kind](data, at[mine], end[mine], seen)
            via[mine] = kind
    return inner, via


_OVER_UDP = {Via.GTP_U: gtp_u, Via.VXLAN: vxlan, Via.GENEVE: geneve}
_UDP_PORTS: Mapping[Via, tuple[int, ...]] = {
    Via.GTP_U: (GTP_U_PORT,), Via.VXLAN: VXLAN_PORTS, Via.GENEVE: (GENEVE_PORT,)
}  # fmt: skip


def _is_one_of(port: Column, ports: tuple[int, ...]) -> Mask:
    found = np.zeros(len(port), np.bool_)
    for other in ports:
        found |= port == other
    return found


def _is_ip(data: Octets, at: Column, end: Column) -> Mask:
    """Tell where an IP header lies that fits its place."""
    first = data.u8(at)
    four: Mask = (first >> 4 == 4) & (first & 15 >= 5) & (at + 20 <= end)
    six: Mask = (first >> 4 == 6) & (at + 40 <= end)
    return four | six


def _checked(data: Octets, inner: Column, end: Column) -> Column:
    return np.where((inner >= 0) & _is_ip(data, inner, end), inner, -1)
