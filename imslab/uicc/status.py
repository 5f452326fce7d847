"""Status words: the two octets that end every answer of a card.

Spec: ETSI TS 102 221, section 10.2; 3GPP TS 31.102, section 7.3; 3GPP TS 31.103, section 7.1.4.
A status word is one number here, SW1 the high octet: ``0x9000``.
"""

from imslab.errors import CardError

OK = 0x9000
WARNING_SEARCH_FAILED = 0x6282
WRONG_LENGTH = 0x6700
CHANNEL_NOT_SUPPORTED = 0x6881
SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
INCOMPATIBLE_WITH_FILE = 0x6981
SECURITY_NOT_SATISFIED = 0x6982
BLOCKED = 0x6983
REFERENCE_INVALIDATED = 0x6984
CONDITIONS_NOT_SATISFIED = 0x6985
NO_EF_SELECTED = 0x6986
FUNCTION_NOT_SUPPORTED = 0x6A81
FILE_NOT_FOUND = 0x6A82
RECORD_NOT_FOUND = 0x6A83
WRONG_P1_P2 = 0x6A86
REFERENCE_NOT_FOUND = 0x6A88
WRONG_OFFSET = 0x6B00
INS_NOT_SUPPORTED = 0x6D00
CLA_NOT_SUPPORTED = 0x6E00
TECHNICAL_PROBLEM = 0x6F00
WRONG_MAC = 0x9862
CONTEXT_NOT_SUPPORTED = 0x9864

_WORDS = {
    OK: "ok",
    0x6200: "warning: no information given, memory unchanged",
    0x6281: "warning: part of the returned data may be corrupt",
    WARNING_SEARCH_FAILED: "nothing found, or the end of the file was reached",
    0x6283: "the selected file is invalidated",
    0x6285: "the selected file is in termination state",
    0x6400: "no information given, memory unchanged",
    0x6500: "no information given, memory changed",
    0x6581: "memory problem",
    WRONG_LENGTH: "wrong length",
    0x6800: "function in CLA not supported",
    CHANNEL_NOT_SUPPORTED: "logical channel not supported or not open",
    SECURE_MESSAGING_NOT_SUPPORTED: "secure messaging not supported",
    0x6900: "command not allowed",
    INCOMPATIBLE_WITH_FILE: "command incompatible with the file structure",
    SECURITY_NOT_SATISFIED: "security status not satisfied",
    BLOCKED: "authentication method blocked",
    REFERENCE_INVALIDATED: "referenced data invalidated",
    CONDITIONS_NOT_SATISFIED: "conditions of use not satisfied",
    NO_EF_SELECTED: "command not allowed: no EF selected",
    0x6A80: "wrong parameters in the data field",
    FUNCTION_NOT_SUPPORTED: "function not supported",
    FILE_NOT_FOUND: "file not found",
    RECORD_NOT_FOUND: "record not found",
    0x6A84: "not enough memory",
    WRONG_P1_P2: "wrong P1 or P2",
    0x6A87: "Lc inconsistent with P1 and P2",
    REFERENCE_NOT_FOUND: "referenced data not found",
    WRONG_OFFSET: "wrong P1 or P2: outside the file",
    INS_NOT_SUPPORTED: "instruction not supported",
    CLA_NOT_SUPPORTED: "class not supported",
    TECHNICAL_PROBLEM: "technical problem, no diagnosis",
    0x9300: "the toolkit is busy",
    0x9850: "INCREASE cannot be performed: maximum reached",
    WRONG_MAC: "authentication error: incorrect MAC",
    CONTEXT_NOT_SUPPORTED: "authentication error: security context not supported",
    0x9865: "key freshness failure",
    0x9866: "authentication error: no memory space available",
    0x9867: "authentication error: no memory space available in EF.MUK",
}


def meaning(sw: int) -> str:
    """Return the status word ``sw`` (two octets as one number) in words."""
    sw1, sw2 = sw >> 8 & 0xFF, sw & 0xFF
    if sw1 == 0x61:
        return f"{sw2 or 256} octets wait for GET RESPONSE"
    if sw1 == 0x6C:
        return f"wrong Le: {sw2 or 256} octets are there"
    if sw1 == 0x91:
        return f"ok, a proactive command of {sw2 or 256} octets waits"
    if sw1 == 0x92:
        return f"ok, a data transfer of {sw2 or 256} octets goes on"
    if sw & 0xFFF0 == 0x63C0:
        return f"verification failed, {tries(sw2 & 0xF)}"
    return _WORDS.get(sw) or _FAMILIES.get(sw1, "a status word that no specification here names")


_FAMILIES = {
    0x62: "warning, memory unchanged",
    0x63: "warning, memory changed",
    0x64: "execution error, memory unchanged",
    0x65: "execution error, memory changed",
    0x6F: "technical problem",
    0x90: "ok",
    0x98: "security or application error",
}


def tries(count: int) -> str:
    """Write how many tries remain: "no try remains", "1 try remains", "3 tries remain"."""
    return {0: "no try remains", 1: "1 try remains"}.get(count, f"{count} tries remain")


def is_success(sw: int) -> bool:
    """Tell whether the command was carried out: 9000, 91xx or 92xx."""
    return sw == OK or sw >> 8 in (0x91, 0x92)


def refused(what: str, sw: int, advice: str = "") -> CardError:
    """Return the CardError that says that the card refused ``what`` with ``sw``, and why."""
    words = meaning(sw)
    after = f". {advice}" if advice else ""
    return CardError(f"{what}: {sw:04X}, {words}{after}", sw1=sw >> 8, sw2=sw & 0xFF, meaning=words)
