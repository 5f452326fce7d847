"""How good a stream sounds, estimated: the E-model, from losses and delay alone.

Spec: ITU-T G.107 (06/2015), 7.1 (R = Ro - Is - Id - Ie,eff + A), 7.5 (Ie,eff) and annex B (R to MOS), with
all other parameters at their defaults, for which Ro - Is = 93.2; Ie and Bpl from ITU-T G.113 (2007),
appendix I. Id is the linear form of Cole and Rosenbluth, "Voice over IP performance monitoring" (2001).

It is an estimate of what narrow-band speech sounds like to a listener, from what passed the place of the
capture. A codec whose values G.113 does not give has none; wide-band codecs have a scale of their own
(G.107.1) and have none either.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from imslab.capture.streams import RtpStream

_DEFAULT = 93.2  # Ro - Is at the defaults of table 2
_BEGINS_TO_HURT = 177.3  # milliseconds of delay
_LOWEST, _HIGHEST = 1.0, 4.5


class Impairment(NamedTuple):
    """What a codec costs: ``ie`` without losses, ``bpl`` how robust it is against random ones."""

    ie: float
    bpl: float


# G.113, appendix I. G.711 with the concealment of its appendix I: without any, Bpl is 4.3.
_CODECS = {
    "pcmu": Impairment(0, 25.1),
    "pcma": Impairment(0, 25.1),
    "g729": Impairment(11, 19.0),  # G.729A with VAD
    "g723": Impairment(15, 16.1),  # at 6.3 kbit/s, with VAD
    "gsm-efr": Impairment(5, 10.0),
    "amr": Impairment(5, 10.0),  # at 12.2 kbit/s it is GSM-EFR
}


def estimate(stream: "RtpStream", network_delay: float = 0.0) -> float | None:
    """Return the mean opinion score of a stream; ``network_delay``: one way, seconds, where it is known.

    A receiver adds a frame of sound and a jitter buffer, which is taken for twice the mean jitter.
    """
    if stream.codec is None or stream.expected == 0 or math.isnan(stream.jitter_mean):
        return None
    frame = stream.talk / stream.unique if stream.talk and stream.unique else 0.0
    buffer = 2 * stream.jitter_mean / 1e3
    ratio = burst_ratio(stream.loss, stream.gaps, stream.lost)
    r = rating(stream.codec.name, stream.loss, network_delay + frame + buffer, ratio)
    return None if r is None else mos(r)


def rating(codec: str, loss: float, delay: float, burst_ratio: float = 1.0) -> float | None:
    """Return R, at most 93.2; None for a codec without published values.

    ``loss``         share of lost packets, 0 to 1;  ``delay``: one way, seconds
    ``burst_ratio``  1 for losses at random, more where they come together (G.107, 7.5)
    """
    known = _CODECS.get(codec.lower())
    if known is None:
        return None
    percent, late = loss * 100, delay * 1e3
    effective = known.ie + (95 - known.ie) * percent / (percent / burst_ratio + known.bpl)
    return _DEFAULT - effective - 0.024 * late - 0.11 * max(late - _BEGINS_TO_HURT, 0)


def mos(r: float) -> float:
    """Return the mean opinion score of a rating, 1 to 4.5 (G.107, annex B)."""
    if r <= 0:
        return _LOWEST
    if r >= 100:
        return _HIGHEST
    return max(_LOWEST, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(loss: float, gaps: int, lost: int) -> float:
    """Return how much longer losses in a row are than they would be at random (G.107, 7.5); at least 1."""
    return max(1.0, lost / gaps * (1 - loss)) if gaps else 1.0
