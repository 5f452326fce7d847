"""Codecs: what a payload type means, and how fast its clock runs.

Spec: RFC 3551, section 6, tables 4 and 5 (static payload types). G.722's clock is 8000 Hz though it samples
at 16000 (RFC 3551, 4.5.2); RFC 3389 for CN, RFC 4733 for telephone-event.
"""

from dataclasses import dataclass

TELEPHONE_EVENT, COMFORT_NOISE = "telephone-event", "CN"


@dataclass(frozen=True, slots=True)
class Codec:
    """One coding: its name as SDP has it, the clock rate of its timestamps in Hz.

    ``parameters``  the line of a=fmtp;  ``kind``: "audio" or "video"
    """

    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    kind: str = "audio"

    def __str__(self) -> str:
        return self.name

    @property
    def is_event(self) -> bool:
        """Whether it carries keys that were pressed, and no sound."""
        return self.name.lower() == TELEPHONE_EVENT

    @property
    def is_noise(self) -> bool:
        """Whether it describes the noise of a pause."""
        return self.name.upper() == COMFORT_NOISE


_STATIC = {
    0: Codec("PCMU", 8000), 3: Codec("GSM", 8000), 4: Codec("G723", 8000), 5: Codec("DVI4", 8000),
    6: Codec("DVI4", 16000), 7: Codec("LPC", 8000), 8: Codec("PCMA", 8000), 9: Codec("G722", 8000),
    10: Codec("L16", 44100, 2), 11: Codec("L16", 44100), 12: Codec("QCELP", 8000), 13: Codec("CN", 8000),
    14: Codec("MPA", 90000), 15: Codec("G728", 8000), 16: Codec("DVI4", 11025), 17: Codec("DVI4", 22050),
    18: Codec("G729", 8000), 25: Codec("CelB", 90000, kind="video"), 26: Codec("JPEG", 90000, kind="video"),
    28: Codec("nv", 90000, kind="video"), 31: Codec("H261", 90000, kind="video"),
    32: Codec("MPV", 90000, kind="video"), 33: Codec("MP2T", 90000, kind="video"),
    34: Codec("H263", 90000, kind="video"),
}  # fmt: skip


def static_codec(payload_type: int) -> Codec | None:
    """Return the codec of a static payload type (RFC 3551, 6), or None for a dynamic one."""
    return _STATIC.get(payload_type)
