"""What a UE writes: REGISTER, SUBSCRIBE, and the digest credentials in them.

Spec: 3GPP TS 24.229, 5.1.1.2 (initial registration), 5.1.1.3 (reg event), RFC 3261 10.2,
RFC 3310 3.3 and 3.4 (response and auts), RFC 7118 B.1 (a browser's made-up host name).
"""

from typing import Any, Protocol

from imslab.aka import digest
from imslab.ims.node import Address, RandomSource
from imslab.sip import Challenge, Credentials, Message


class Identity(Protocol):
    """What a UE reads from the card before it registers: ``imslab.uicc.IsimProfile`` is one."""

    @property
    def impi(self) -> str:
        """The private identity, a NAI without "sip:"."""

    @property
    def impu(self) -> tuple[str, ...]:
        """The public identities, SIP or tel URIs, the default one first."""

    @property
    def domain(self) -> str:
        """The home domain."""


class Requests:
    """The requests of one terminal towards its P-CSCF.

    ``address``  where the terminal sends from;  ``proxy``: the P-CSCF
    """

    def __init__(self, identity: Identity, address: Address, proxy: Address, random: RandomSource) -> None:
        self.identity, self._proxy, self._transport = identity, proxy, address.transport
        self._random = random
        host = f"[{address.host}]" if ":" in address.host else address.host
        # A browser does not know its own address and makes up a name that nobody resolves.
        self.host = f"{random(6).hex()}.invalid" if address.transport == "WS" else host
        self._sent_by = self.host if address.transport == "WS" else f"{host}:{address.port}"

    @property
    def contact(self) -> str:
        """The URI at which the terminal is reached."""
        user = self.identity.impi.split("@")[0]
        transport = "" if self._transport == "UDP" else f";transport={self._transport.lower()}"
        return f"sip:{user}@{self._sent_by}{transport}"

    def register(
        self, *, call_id: str, cseq: int, tag: str, expires: int, credentials: Credentials
    ) -> Message:
        """Return a REGISTER of the default public identity; ``expires`` 0 takes the binding away."""
        impu = self.identity.impu[0]
        headers = [
            *self._hop(),
            ("Route", f"<{self._proxy.uri};lr>"),
            ("From", f"<{impu}>;tag={tag}"),
            ("To", f"<{impu}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            ("Contact", f"<{self.contact}>;expires={expires}"),
            ("Authorization", credentials),
            ("Supported", "path"),
        ]
        return Message.request("REGISTER", f"sip:{self.identity.domain}", headers=headers)

    def subscribe(self, routes: tuple[str, ...], expires: int) -> Message:
        """Return a SUBSCRIBE to the reg event of the default public identity."""
        impu = self.identity.impu[0]
        headers = [
            *self._hop(),
            *(("Route", route) for route in (f"<{self._proxy.uri};lr>", *routes)),
            ("From", f"<{impu}>;tag={self._random(6).hex()}"),
            ("To", f"<{impu}>"),
            ("Call-ID", self._random(12).hex()),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", f"<{self.contact}>"),
            ("P-Preferred-Identity", f"<{impu}>"),
            ("Event", "reg"),
            ("Accept", "application/reginfo+xml"),
            ("Expires", expires),
        ]
        return Message.request("SUBSCRIBE", impu, headers=headers)

    def nothing_yet(self, nonce: str = "", response: str = "") -> Credentials:
        """Return the credentials of a first REGISTER: who asks, and nothing else (TS 24.229, 5.1.1.2.2)."""
        domain = self.identity.domain
        return Credentials.digest(
            username=self.identity.impi, realm=domain, nonce=nonce, uri=f"sip:{domain}", response=response
        )

    def arguments(self, challenge: Challenge) -> dict[str, Any]:
        """Return what goes into the digest beside the keys: keyword arguments for ``imslab.aka.digest``.

        Raises Malformed when only unknown kinds of qop are offered.
        """
        qop = digest.choose_qop(challenge.qop)
        return {
            "uri": f"sip:{self.identity.domain}",
            "username": self.identity.impi,
            "realm": challenge.realm,
            "nonce": challenge.nonce,
            "qop": qop,
            "nc": "00000001" if qop else None,
            "cnonce": self._random(8).hex() if qop else None,
        }

    def credentials(
        self, challenge: Challenge, arguments: dict[str, Any], response: str, auts: bytes | None = None
    ) -> Credentials:
        """Return the answer to ``challenge``; ``auts`` (14 octets) asks to resynchronise."""
        said = {name: arguments[name] for name in ("username", "realm", "nonce", "uri")}
        return Credentials.digest(
            **said,
            response=response,
            algorithm=challenge.algorithm,
            qop=arguments["qop"],
            nc=arguments["nc"],
            cnonce=arguments["cnonce"],
            opaque=challenge.opaque,
            auts=None if auts is None else digest.auts_text(auts),
        )

    def _hop(self) -> list[tuple[str, object]]:
        branch = "z9hG4bK" + self._random(8).hex()
        via = f"SIP/2.0/{self._transport} {self._sent_by};branch={branch};rport"
        return [("Via", via), ("Max-Forwards", "70")]
