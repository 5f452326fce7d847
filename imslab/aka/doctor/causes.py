"""The faults that the doctor knows: a stable code, what is wrong, the clause, and what to change."""

from dataclasses import dataclass

# code: (what is wrong, clause, what to change). "{}" takes a detail that is no secret.
_CATALOGUE = {
    # ---- the credentials
    "op-given-as-opc": (
        "the value given as OPc is an OP: bound to K first, it explains what was seen",
        "TS 35.206 4.1",
        "give it as OP, or store OPc = OP xor E_K(OP)",
    ),
    "opc-given-as-op": (
        "the value given as OP is an OPc: used as it is, it explains what was seen",
        "TS 35.206 4.1",
        "give it as OPc; it is bound to K already",
    ),
    "top-given-as-topc": (
        "the value given as TOPc is a TOP: bound to K first, it explains what was seen",
        "TS 35.231 6.1",
        "give it as TOP, or store the TOPc that belongs to K",
    ),
    "topc-given-as-top": (
        "the value given as TOP is a TOPc: used as it is, it explains what was seen",
        "TS 35.231 6.1",
        "give it as TOPc; it is bound to K already",
    ),
    "op-and-opc-differ": (
        "OP and OPc were both given and do not belong together for this K: {} explains what was seen",
        "TS 35.206 4.1",
        "give one of the two",
    ),
    "k-reversed": (
        "the octets of K stand in reversed order",
        "TS 33.102 6.3.7",
        "write K most significant octet first",
    ),
    "operator-value-reversed": (
        "the octets of the operator value (OP, OPc, TOP or TOPc) stand in reversed order",
        "TS 35.206 4.1",
        "write it most significant octet first",
    ),
    "k-hex-as-text": (
        "the hex digits of K were taken as text: their ASCII codes became the key",
        "TS 33.102 6.3.7",
        "decode the hex before it is used as K",
    ),
    "operator-value-hex-as-text": (
        "the hex digits of the operator value were taken as text: their ASCII codes were used",
        "TS 35.206 4.1",
        "decode the hex before it is used as OP or OPc",
    ),
    "aka-algorithm": (
        "another AKA algorithm is at work: {}",
        "TS 33.102 6.3, TS 35.206, TS 35.231, TS 34.108 8.1.2",
        "give both sides the same algorithm",
    ),
    "tuak-parameters": (
        "TUAK runs with other lengths or iterations: {}",
        "TS 35.231 6.2",
        "give both sides the same lengths and iterations; they go into every output",
    ),
    # ---- AUTN
    "amf-from-configuration": (
        "the MAC was computed with the AMF {} of a configuration, not with the AMF that stands in AUTN",
        "TS 33.102 6.3.2, 6.3.3",
        "take the AMF from AUTN when XMAC is computed, and send the AMF that MAC-A was computed with",
    ),
    "ak-not-applied": (
        "SQN stands in AUTN in clear: the anonymity key was not applied",
        "TS 33.102 6.3.2",
        "send SQN xor AK; both sides must agree on the use of f5",
    ),
    "autn-f5-star": (
        "SQN in AUTN was hidden with f5* in place of f5",
        "TS 33.102 6.3.2",
        "use f5 in AUTN; f5* is for AUTS alone",
    ),
    "rand-autn-swapped": (
        "AUTN stands before RAND",
        "RFC 3310 3.2",
        "build the nonce as base64(RAND | AUTN | server data)",
    ),
    "nonce-hex": (
        "the nonce is written in hex, not in base64",
        "RFC 3310 3.2",
        "write the nonce as base64(RAND | AUTN | server data)",
    ),
    "sqn-not-fresh": (
        "SQN is not fresh: {}",
        "TS 33.102 C.2, 6.3.5",
        "answer with AUTS, so that the AuC goes on from SQN_MS; look for two AuCs or a restored database",
    ),
    # ---- RES and the password
    "res-length": (
        "RES was used with another length: {}",
        "TS 33.102 6.3.7, RFC 3310 3.3",
        "use RES as long as the algorithm makes it: 4 to 16 octets, TUAK up to 32",
    ),
    "akav1-password-under-akav2": (
        "the label says AKAv2, but the password is RES itself, as in AKAv1",
        "RFC 4169 2.1",
        "compute base64(HMAC(RES | IK | CK, label)), or say AKAv1 in algorithm",
    ),
    "akav2-password-under-akav1": (
        "the label says AKAv1, but the password is the one of AKAv2",
        "RFC 3310 3.3",
        "use RES itself as the password, or say AKAv2 in algorithm",
    ),
    "aka-password-without-aka": (
        "the algorithm directive names no AKA, but the password is the one of {}",
        "RFC 3310 3.1",
        "name the AKA algorithm in the challenge and in the answer; an absent algorithm means MD5",
    ),
    "ik-ck-swapped": (
        "IK and CK are swapped in the key of AKAv2's HMAC",
        "RFC 4169 2.1",
        "the key is RES | IK | CK: IK comes before CK, unlike in the rest of 3GPP",
    ),
    "res-as-hex": (
        "RES was used as hex text, not as octets",
        "RFC 3310 3.3",
        "hash the octets of RES",
    ),
    "res-as-base64": (
        "RES was used as base64 text, not as octets",
        "RFC 3310 3.3",
        "hash the octets of RES; only AKAv2 writes its password in base64",
    ),
    "password-padding-dropped": (
        "the '=' at the end of the base64 password was dropped",
        "RFC 4169 2.1, RFC 4648 3.2",
        "hash the base64 text with its padding",
    ),
    "password-not-base64": (
        "the HMAC of AKAv2 was used as {}, not as base64 text",
        "RFC 4169 2.1",
        "write the HMAC in base64, and hash that text",
    ),
    "password-hmac": (
        "the HMAC of AKAv2 was computed in another way: {}",
        "RFC 4169 2.1",
        "PRF is HMAC with the hash of the algorithm; its key is RES | IK | CK, its data the label, 26 octets",
    ),
    "password-empty": (
        "the password is empty, as it is beside AUTS, but no auts was sent",
        "RFC 3310 3.4",
        "use the AKA password when the challenge was accepted",
    ),
    "password-not-empty-with-auts": (
        "auts was sent, but the password is not empty",
        "RFC 3310 3.4",
        "use the empty password beside auts, in AKAv1 and in AKAv2",
    ),
    # ---- CK and IK
    "ck-ik-exchanged": (
        "CK and IK stand in each other's place",
        "TS 33.102 6.3.3",
        "f3 makes CK, f4 makes IK; TS 31.103 7.1.2 and TS 29.229 6.3.15 say where each of them stands",
    ),
    "ck-ik-not-derived": (
        "beside AKAv2 stand CK and IK themselves, not the keys that are derived from them",
        "RFC 4169 2.2",
        "derive CK' and IK' for what comes after an AKAv2 login; CK and IK are part of its password",
    ),
    # ---- the digest
    "nc": (
        'the nonce count that was hashed is "{}"',
        "RFC 7616 3.4",
        "write nc with 8 hex digits, hash what is sent, and count the requests of one nonce",
    ),
    "qop": (
        "the response was computed with {}",
        "RFC 7616 3.4.1",
        "send the qop that was hashed, one of those that the challenge offers, with nc and cnonce",
    ),
    "body-hash": (
        "auth-int with another hash of the body: {}",
        "RFC 7616 3.4.3, RFC 8760 2.6",
        "hash the body octet for octet as sent; without a body, the hash of nothing",
    ),
    "uri": (
        'the uri that was hashed is "{}"',
        "RFC 7616 3.4.6, TS 24.229 5.1.1.2",
        "hash the digest-uri that stands in the uri directive",
    ),
    "realm": (
        'the realm that was hashed is "{}"',
        "RFC 7616 3.4.2",
        "hash the realm of the challenge, without quotes, letter for letter",
    ),
    "method": (
        'the method that was hashed is "{}"',
        "RFC 7616 3.4.3",
        "hash the method of this very request, in capitals",
    ),
    "username": (
        'the username that was hashed is "{}"',
        "TS 24.229 5.1.1.2.2, TS 23.003 13.3",
        "hash the private identity (IMPI), as it stands in the username directive",
    ),
    "nonce-text": (
        "another text of the nonce was hashed: {}",
        "RFC 7616 3.4.1, RFC 3310 3.2",
        "hash the nonce as it was received, letter for letter",
    ),
    "cnonce": (
        "another cnonce was hashed: {}",
        "RFC 7616 3.4.1",
        "hash the cnonce that is sent, without quotes",
    ),
    "session": (
        "the response was computed {}",
        "RFC 7616 3.4.2",
        "fold nonce and cnonce into A1 when the algorithm ends with -sess, and only then",
    ),
    "hash": (
        "the response was computed with {}",
        "RFC 8760 2.1, RFC 7616 3.2",
        "use the hash that the algorithm directive names",
    ),
    # ---- AUTS
    "auts-hex": (
        "AUTS is written in hex, not in base64",
        "RFC 3310 3.4",
        "write base64 of the 14 octets into the auts directive",
    ),
    "auts-f5": (
        "SQN_MS in AUTS was hidden with f5 in place of f5*",
        "TS 33.102 6.3.3",
        "use f5* in AUTS",
    ),
    "auts-amf-star": (
        "MAC-S was computed with AMF {}, not with AMF* = 0000",
        "TS 33.102 6.3.3",
        "use AMF* = 0000 in MAC-S, whatever AMF the challenge had",
    ),
    "auts-other-rand": (
        "AUTS belongs to the RAND of another challenge: {}",
        "TS 33.102 6.3.5",
        "compute AUTS with the RAND of the challenge that failed, and check it with the same",
    ),
    "auts-ak-not-applied": (
        "SQN_MS stands in AUTS in clear: the anonymity key was not applied",
        "TS 33.102 6.3.3",
        "send SQN_MS xor AK*; both sides must agree on the use of f5*",
    ),
    "auts-f1": (
        "MAC-S was computed with f1 in place of f1*",
        "TS 33.102 6.3.3",
        "use f1* in AUTS",
    ),
}

CODES: tuple[str, ...] = tuple(_CATALOGUE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that may have gone wrong: a code of the catalogue, and a detail that is no secret."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A fault that was proved: with it, the computation gives what was seen.

    ``code``      stable, for programs
    ``sentence``  what is wrong
    ``clause``    where the specification says how it should be
    ``advice``    what to change
    """

    code: str
    sentence: str
    clause: str
    advice: str

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence} ({self.clause}); {self.advice}."


def cause_of(fault: Fault) -> Cause:
    """Return the catalogue's entry for ``fault``."""
    sentence, clause, advice = _CATALOGUE[fault.code]
    # A detail may come from a message: nothing in it may move a terminal's cursor.
    detail = "".join(c if c.isprintable() else repr(c)[1:-1] for c in fault.detail)
    return Cause(fault.code, sentence.format(detail), clause, advice)
