"""Arrows of a login, as a capture gives them: 22 over 5 columns."""

import pytest

from imslab.capture.views import Arrow

UE, CARD, PCSCF, SCSCF, HSS = "127.0.0.2", "127.0.0.3", "127.0.0.10", "127.0.0.11", "127.0.0.12"
STEPS = [
    (0.0, UE, CARD, "SELECT ADF.ISIM", "APDU"),
    (0.4, CARD, UE, "FCP", "APDU"),
    (0.1, UE, CARD, "READ BINARY EF.IMPI", "APDU"),
    (0.3, CARD, UE, "64 octets", "APDU"),
    (0.2, UE, CARD, "READ RECORD EF.IMPU #1", "APDU"),
    (0.3, CARD, UE, "48 octets", "APDU"),
    (2.0, UE, PCSCF, "REGISTER", "SIP"),
    (0.3, PCSCF, SCSCF, "REGISTER", "SIP"),
    (0.2, SCSCF, HSS, "UAR", "Cx"),
    (0.4, HSS, SCSCF, "UAA 2001", "Cx"),
    (0.1, SCSCF, HSS, "MAR", "Cx"),
    (0.4, HSS, SCSCF, "MAA 2001", "Cx"),
    (0.4, SCSCF, PCSCF, "401 Unauthorized · AKAv2-MD5", "SIP"),
    (0.4, PCSCF, UE, "401 Unauthorized · AKAv2-MD5", "SIP"),
    (1.4, UE, CARD, "AUTHENTICATE (IMS AKA)", "APDU"),
    (12.4, CARD, UE, "DB: RES CK IK", "APDU"),
    (0.6, UE, PCSCF, "REGISTER", "SIP"),
    (0.3, PCSCF, SCSCF, "REGISTER", "SIP"),
    (0.3, SCSCF, HSS, "SAR", "Cx"),
    (0.3, HSS, SCSCF, "SAA 2001", "Cx"),
    (0.3, SCSCF, PCSCF, "200 OK", "SIP"),
    (0.3, PCSCF, UE, "200 OK", "SIP"),
]


@pytest.fixture
def names() -> dict[str, str]:
    return {UE: "alice", CARD: "alice's card", PCSCF: "P-CSCF", SCSCF: "S-CSCF", HSS: "HSS"}


@pytest.fixture
def arrows() -> list[Arrow]:
    found, at = [], 1_700_000_000.0
    for number, (millis, source, destination, label, kind) in enumerate(STEPS, 1):
        at += millis / 1e3
        detail = "RAND 23553cbe…, AUTN 55f328b4…" if label.startswith("401") else ""
        seconds = 0.0124 if label.startswith("DB") else None
        found.append(Arrow(at, source, destination, label, kind, detail, number, seconds))
    return found
