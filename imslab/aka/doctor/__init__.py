"""The AKA doctor: why do these numbers not match?

Given one challenge, the credentials, and what was seen of the answer, ``explain`` splits the challenge,
checks MAC-A, AUTS, freshness, RES and the response, and where one of them is wrong searches for the cause
and proves it by computation.

Spec: 3GPP TS 33.102 (AKA), RFC 3310 and RFC 4169 (HTTP Digest AKA), RFC 7616 and RFC 8760 (Digest).

Teaching code: it is not constant time, but for comparisons.
"""

from imslab.aka.doctor.causes import CODES, Cause
from imslab.aka.doctor.credentials import known_reading
from imslab.aka.doctor.diagnosis import Check, Diagnosis, Result
from imslab.aka.doctor.evidence import Evidence
from imslab.aka.doctor.examination import explain, explain_known
from imslab.aka.doctor.text import from_text

__all__ = [
    "CODES",
    "Cause",
    "Check",
    "Diagnosis",
    "Evidence",
    "Result",
    "explain",
    "explain_known",
    "from_text",
    "known_reading",
]
