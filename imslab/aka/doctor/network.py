"""Is AUTN right, and if not, what would make it right? (3GPP TS 33.102, 6.3.2 and 6.3.3)"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from imslab.aka.doctor.causes import Fault
from imslab.aka.doctor.credentials import Reading, as_given, pairs, singles
from imslab.aka.doctor.evidence import Evidence
from imslab.errors import Malformed
from imslab.octets import unhex, xor

_COMMON_AMF = (b"\x00\x00", b"\x80\x00", b"\xff\xff")


@dataclass(frozen=True, slots=True)
class View:
    """One way to read a challenge: where RAND and AUTN stand, what hides SQN, which AMF the MAC covers."""

    faults: tuple[Fault, ...]
    rand: bytes
    autn: bytes
    hidden_by: str = "f5"  # "" for a SQN in clear
    amf: bytes | None = None  # None: the AMF of AUTN

    def sqn(self, reading: Reading) -> bytes:
        """Return the SQN, 6 octets, that this view finds in AUTN."""
        if not self.hidden_by:
            return self.autn[:6]
        key = getattr(reading.functions, self.hidden_by)(self.rand)
        return xor(self.autn[:6], key)

    def xmac(self, reading: Reading) -> bytes:
        """Return XMAC, 8 octets, as this view computes it."""
        amf = self.autn[6:8] if self.amf is None else self.amf
        return reading.functions.f1(self.rand, self.sqn(reading), amf)[:8]

    def holds(self, reading: Reading) -> bool:
        """Return whether XMAC is the MAC-A that stands in AUTN."""
        return hmac.compare_digest(self.xmac(reading), self.autn[8:])


@dataclass(frozen=True, slots=True)
class Network:
    """How the challenge can be explained: a view and a reading of the credentials that fit it.

    ``verified`` is False when nothing that was tried fits; view and reading are then as given.
    ``reading`` is None when the credentials, as given, cannot make any functions and nothing else fits.
    """

    verified: bool
    view: View
    reading: Reading | None
    faults: tuple[Fault, ...] = ()
    tried: tuple[str, ...] = field(default=())


def examine_network(evidence: Evidence) -> Network:
    """Return what makes MAC-A right: nothing amiss, one fault, or two."""
    plain, *odd = _views(evidence)
    tried: dict[str, None] = {}
    for view, reading in _in_order(evidence, plain, odd):
        faults = view.faults + reading.faults
        tried.update(dict.fromkeys(fault.code for fault in faults))
        if view.holds(reading):
            return Network(True, view, reading, faults)
    return Network(False, plain, reading_as_given(evidence), (), tuple(tried))


def reading_as_given(evidence: Evidence) -> Reading | None:
    """Return the credentials as given, or None when they cannot make any functions."""
    given = as_given(evidence)
    functions = given.functions()
    return None if functions is None else Reading((), given, functions)


def _in_order(evidence: Evidence, plain: View, odd: list[View]) -> Iterator[tuple[View, Reading]]:
    given = reading_as_given(evidence)
    alone: list[Reading] = [given] if given else []
    yield from _together([plain, *odd], alone)
    mistaken = singles(evidence)
    yield from _together([plain], mistaken)
    yield from _together(odd, mistaken)
    yield from _together([plain], pairs(evidence))


def _together(views: list[View], readings: Iterable[Reading]) -> Iterator[tuple[View, Reading]]:
    for reading in readings:
        yield from ((view, reading) for view in views)


def _views(evidence: Evidence) -> list[View]:
    rand, autn, _ = evidence.challenge()
    plain = View((), rand, autn)
    configured = () if evidence.amf is None else (evidence.amf,)
    others = [amf for amf in dict.fromkeys((*configured, *_COMMON_AMF)) if amf != autn[6:8]]
    return [
        plain,
        *(replace(plain, faults=(Fault("amf-from-configuration", amf.hex()),), amf=amf) for amf in others),
        replace(plain, faults=(Fault("ak-not-applied"),), hidden_by=""),
        replace(plain, faults=(Fault("autn-f5-star"),), hidden_by="f5_star"),
        View((Fault("rand-autn-swapped"),), autn, rand),
        *_hex_nonce(evidence.nonce),
    ]


def _hex_nonce(nonce: str | None) -> Iterator[View]:
    try:
        octets = unhex("nonce", nonce or "")
    except Malformed:
        return
    if len(octets) >= 32:
        yield View((Fault("nonce-hex"),), octets[:16], octets[16:32])
