"""What the doctor is told: one challenge, the credentials, and what was seen of the answer."""

from dataclasses import dataclass, field

from imslab.aka import digest
from imslab.aka.algorithm import NAMES
from imslab.aka.sqn import SqnArray
from imslab.errors import Malformed
from imslab.octets import exactly

_TEXTS = ("nonce", "method", "uri", "username", "realm", "qop", "nc", "cnonce")
_LISTS = ("uris", "realms", "usernames", "methods", "nonces")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One challenge, the credentials, and what was seen. All but the challenge and ``k`` may be absent.

    ``k`` may be empty too, where ``explain_known`` is told what the card must answer.

    ``nonce`` or ``rand`` and ``autn``  the challenge: base64 text, or 16 octets each
    ``k``, ``op``, ``opc``, ``top``, ``topc``  the credentials, 16 or 32 octets each
    ``algorithm``  "milenage", "tuak" or "xor"; None: what the operator value lets one think
    ``mac_length`` to ``iterations``  TUAK's parameters; ``res_length`` is the XOR algorithm's too

    ``response`` with ``digest_algorithm``, ``method``, ``uri``, ``username``, ``realm``, ``qop``, ``nc``,
    ``cnonce``, ``body``  the digest that was seen, as it stood in the message; "" for an empty response
    ``auts``  the auts directive that was seen (text), or its octets
    ``res``, ``ck``, ``ik``  those that were seen, in an APDU, in a vector or (``ck``, ``ik``) in a 401;
    ``derived`` says that ck and ik stand beside AKAv2, and should be CK' and IK' (RFC 4169, 2.2)

    ``amf``  the AMF that is configured in a client or an AuC, 2 octets
    ``sqn``  the highest SQN of the card, 6 octets; ``ind_length`` and ``delta`` as in SqnArray
    ``uris``, ``realms``, ``usernames``, ``methods``, ``nonces``, ``rands``  other values that may have
    been used in place of the right ones; more are tried by themselves

    Raises Malformed when a value cannot be what it says.
    """

    nonce: str | None = None
    rand: bytes | None = None
    autn: bytes | None = None

    k: bytes = field(default=b"", repr=False)
    op: bytes | None = field(default=None, repr=False)
    opc: bytes | None = field(default=None, repr=False)
    top: bytes | None = field(default=None, repr=False)
    topc: bytes | None = field(default=None, repr=False)
    algorithm: str | None = None
    mac_length: int = 8
    res_length: int | None = None
    ck_length: int = 16
    ik_length: int = 16
    iterations: int = 1

    response: str | None = None
    digest_algorithm: str = "AKAv1-MD5"
    method: str = "REGISTER"
    uri: str = ""
    username: str = ""
    realm: str = ""
    qop: str | None = None
    nc: str | None = None
    cnonce: str | None = None
    body: bytes = b""
    auts: str | bytes | None = None
    res: bytes | None = field(default=None, repr=False)
    ck: bytes | None = field(default=None, repr=False)
    ik: bytes | None = field(default=None, repr=False)
    derived: bool = False

    amf: bytes | None = None
    sqn: bytes | None = None
    ind_length: int = 5
    delta: int | None = None
    uris: tuple[str, ...] = ()
    realms: tuple[str, ...] = ()
    usernames: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    nonces: tuple[str, ...] = ()
    rands: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.k:
            exactly("k", self.k, 16, 32)
        for name, length in (("rand", 16), ("autn", 16), ("amf", 2), ("sqn", 6)):
            if getattr(self, name) is not None:
                exactly(name, getattr(self, name), length)
        for name in ("op", "opc", "top", "topc"):
            if getattr(self, name) is not None:
                exactly(name, getattr(self, name), 16, 32)
        for rand in self.rands:
            exactly("rands", rand, 16)
        SqnArray(ind_length=self.ind_length, delta=self.delta)  # raises what these two can have wrong
        self._check_texts()
        self._check_names()

    def _check_texts(self) -> None:
        texts = {name: (getattr(self, name) or "",) for name in _TEXTS} | {
            n: getattr(self, n) for n in _LISTS
        }
        for name, values in texts.items():
            try:
                "".join(values).encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:
                raise Malformed(f"{name} holds a character that UTF-8 cannot write") from None

    def _check_names(self) -> None:
        digest.canonical(self.digest_algorithm)
        if self.algorithm is not None and self.algorithm.lower() not in NAMES:
            raise Malformed(f"unknown AKA algorithm {self.algorithm[:40]!r}", expected=", ".join(NAMES))
        if (self.rand is None) != (self.autn is None):
            raise Malformed("rand and autn come together")
        if self.rand is None and self.nonce is None:
            raise Malformed("there is no challenge", expected="nonce, or rand and autn")
        self.challenge()

    def challenge(self) -> tuple[bytes, bytes, bytes]:
        """Return RAND (16 octets), AUTN (16) and server data: those given, or those in ``nonce``."""
        if self.rand is not None and self.autn is not None:
            return self.rand, self.autn, b""
        return digest.parse_nonce(self.nonce or "")

    def nonce_text(self) -> str:
        """Return the nonce that is hashed: as received, or as RAND and AUTN make it."""
        if self.nonce is not None:
            return self.nonce
        rand, autn, server_data = self.challenge()
        return digest.nonce_for(rand, autn, server_data)
