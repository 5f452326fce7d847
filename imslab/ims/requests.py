"""What a UE writes: REGISTER, and every request that opens something: SUBSCRIBE, INVITE, MESSAGE.

Spec: 3GPP TS 24.229, 5.1.1.2 (initial registration), 5.1.1.3 (reg event), 5.1.2A.1 (other requests),
RFC 3261 8.1.1 and 10.2, RFC 7118 B.1 (a browser's made-up host name).
"""

from collections.abc import Iterable
from typing import Protocol

from imslab.ims.node import Address, RandomSource
from imslab.ims.security_client import SecurityClient
from imslab.sip import Credentials, Message


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

    ``address``   where the terminal sends from, and is reached while nothing protects the access
    ``security``  its security agreement: who the P-CSCF is, and where it is reached under it
    """

    def __init__(
        self, identity: Identity, address: Address, security: SecurityClient, random: RandomSource
    ) -> None:
        self.identity, self._transport, self._port = identity, address.transport, address.port
        self._security, self._random = security, random
        host = f"[{address.host}]" if ":" in address.host else address.host
        # A browser does not know its own address and makes up a name that nobody resolves.
        self.host = f"{random(6).hex()}.invalid" if address.transport == "WS" else host

    @property
    def sent_by(self) -> str:
        """Where answers and requests are awaited: under IPsec at the protected server port."""
        return (
            self.host
            if self._transport == "WS"
            else f"{self.host}:{self._security.server_port or self._port}"
        )

    @property
    def contact(self) -> str:
        """The URI at which the terminal is reached."""
        user = self.identity.impi.split("@")[0]
        transport = "" if self._transport == "UDP" else f";transport={self._transport.lower()}"
        return f"sip:{user}@{self.sent_by}{transport}"

    def register(
        self, *, call_id: str, cseq: int, tag: str, expires: int, credentials: Credentials
    ) -> Message:
        """Return a REGISTER of the default public identity; ``expires`` 0 takes the binding away."""
        impu = self.identity.impu[0]
        headers = [
            *self.hop(),
            ("Route", f"<{self._security.proxy.uri};lr>"),
            ("From", f"<{impu}>;tag={tag}"),
            ("To", f"<{impu}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            ("Contact", f"<{self.contact}>;expires={expires}"),
            ("Authorization", credentials),
            ("Supported", "path"),
            *self._security.rows(),
        ]
        return Message.request("REGISTER", f"sip:{self.identity.domain}", headers=headers)

    def initial(
        self,
        method: str,
        target: str,
        routes: tuple[str, ...],
        *,
        call_id: str,
        tag: str,
        cseq: int = 1,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> Message:
        """Return a request outside of a dialog, from the default public identity to ``target``, a URI.

        ``routes`` is what Service-Route said. TS 24.229, 5.1.2A.1.1.
        """
        impu = self.identity.impu[0]
        rows = [
            *self.hop(),
            *(("Route", route) for route in (f"<{self._security.proxy.uri};lr>", *routes)),
            ("From", f"<{impu}>;tag={tag}"),
            ("To", f"<{target}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("P-Preferred-Identity", f"<{impu}>"),
            *self._security.request_rows(),
            *headers,
        ]
        return Message.request(method, target, headers=rows, body=body)

    def subscribe(self, routes: tuple[str, ...], expires: int) -> Message:
        """Return a SUBSCRIBE to the reg event of the default public identity."""
        headers = [
            ("Contact", f"<{self.contact}>"),
            ("Event", "reg"),
            ("Accept", "application/reginfo+xml"),
            ("Expires", expires),
        ]
        tag, call_id = self._random(6).hex(), self._random(12).hex()
        impu = self.identity.impu[0]
        return self.initial("SUBSCRIBE", impu, routes, call_id=call_id, tag=tag, headers=headers)

    def nothing_yet(self, nonce: str = "", response: str = "") -> Credentials:
        """Return the credentials of a first REGISTER: who asks, and nothing else (TS 24.229, 5.1.1.2.2)."""
        domain = self.identity.domain
        return Credentials.digest(
            username=self.identity.impi, realm=domain, nonce=nonce, uri=f"sip:{domain}", response=response
        )

    def hop(self) -> list[tuple[str, object]]:
        """Return the rows that every request of this UE begins with: Via with a new branch, Max-Forwards."""
        return [self.via(), ("Max-Forwards", "70")]

    def via(self) -> tuple[str, object]:
        """Return a Via with a new branch.

        Under IPsec without rport: the answer has to go to the port of the Via, and not to where the request
        came from (3GPP TS 33.203, 7.1).
        """
        branch = "z9hG4bK" + self._random(8).hex()
        rport = ";rport" if self._security.server_port is None else ""
        return "Via", f"SIP/2.0/{self._transport} {self.sent_by};branch={branch}{rport}"
