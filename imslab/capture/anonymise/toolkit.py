"""Card application toolkit with other contents: proactive commands, envelopes, short messages in them.

Spec: ETSI TS 102 223, 8 and 9 (data objects); 3GPP TS 31.111, 7.1 (SMS-PP download); TS 23.040, 9.2.2. Tags,
lengths, the kind of command, devices and results stay; addresses become other numbers; the rest, a secured
packet too, becomes other octets.
"""

from imslab.capture.anonymise.text import Texts
from imslab.errors import Malformed
from imslab.uicc import tlv

# Command details, device identities, result, duration, event list, location status, date and time, kind of
# access (TS 102 223, 8.6 to 8.8, 8.12, 8.25, 8.27, 8.39 and 8.61)
_KEPT = frozenset((0x01, 0x02, 0x03, 0x04, 0x19, 0x1B, 0x26, 0x3F))
_ADDRESS, _SMS_TPDU, _LOCATION, _IMEI = 0x06, 0x0B, 0x13, 0x14
_RESPONSE_PACKET = bytes.fromhex("027100")  # the header of a proof of receipt (TS 31.115, 4)
_HAS_HEADER = 0x40
_DEPTH = 4


class Toolkit:
    """Rewrites the data of ENVELOPE, FETCH and TERMINAL RESPONSE."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def rewrite(self, data: bytes) -> bytes:
        """Return data objects with other contents; what is none becomes other octets."""
        if data.startswith(_RESPONSE_PACKET):
            return data[:3] + self._opaque(data[3:])
        return self._objects(data, 0)

    def _objects(self, data: bytes, depth: int) -> bytes:
        result, at = bytearray(data), 0
        while at < len(data):
            try:
                tag, after = tlv.read_tag(data, at)
                length, start = tlv.read_length(data, after)
            except Malformed:
                break
            end = min(start + length, len(data))
            result[start:end] = self._value(tag, data[start:end], depth)
            at = end
        result[at:] = self._opaque(data[at:])
        return bytes(result)

    def _value(self, tag: int, value: bytes, depth: int) -> bytes:
        if tag >= 0xD0 and depth < _DEPTH:  # a proactive command or an envelope as a whole
            return self._objects(value, depth + 1)
        kind = tag & 0x7F  # the top bit says only whether the receiver must understand
        if kind in _KEPT:
            return value
        if kind == _ADDRESS:
            return value[:1] + self._texts.numbers.semi_octets(value[1:])
        if kind == _LOCATION and len(value) >= 3:
            return self._texts.numbers.plmn(value[:3]) + self._opaque(value[3:])
        if kind == _IMEI:
            return self._texts.numbers.semi_octets(value, 1)
        return self._short_message(value) if kind == _SMS_TPDU else self._opaque(value)

    def _short_message(self, tpdu: bytes) -> bytes:
        """Rewrite number and user data of an SMS-DELIVER or SMS-SUBMIT."""
        kind = tpdu[0] & 0x03 if tpdu else 3
        at = {0: 1, 1: 2}.get(kind)
        if at is None or at >= len(tpdu):
            return self._opaque(tpdu)
        number = at + 2
        end = min(number + (tpdu[at] + 1) // 2, len(tpdu))
        fixed = end + (10 if kind == 0 else 3 + {0: 0, 0x10: 1}.get(tpdu[0] & 0x18, 7))
        data = tpdu[fixed:]
        header = 1 + data[0] if tpdu[0] & _HAS_HEADER and data and data[0] < len(data) else 0
        digits = self._texts.numbers.semi_octets(tpdu[number:end])
        return tpdu[:number] + digits + tpdu[end:fixed] + data[:header] + self._opaque(data[header:])

    def _opaque(self, octets: bytes) -> bytes:
        return self._texts.pseudonyms.octets(octets) if octets else octets
