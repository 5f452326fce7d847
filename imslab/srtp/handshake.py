"""DTLS handshakes as a capture shows them: who is the client, which SRTP profile, which certificates.

Spec: RFC 6347, section 4.2 and RFC 5246, section 7.4 (messages); RFC 5764, section 4.1.1 (use_srtp); RFC
8446, section 4.2.1 (supported_versions). In DTLS 1.2 both certificates pass in clear; in DTLS 1.3 only the
hellos do.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from imslab.errors import Malformed, SrtpError
from imslab.srtp.dtls import Ledger, Role
from imslab.srtp.keylog import KeyLog
from imslab.srtp.prf import DTLS_1_3, RANDOM_LENGTH, VERSION_NAMES
from imslab.srtp.profiles import Profile
from imslab.srtp.records import Assembler, Message

CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY_REQUEST, CERTIFICATE = 1, 2, 3, 11
MESSAGE_NAMES = {
    0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 3: "HelloVerifyRequest", 4: "NewSessionTicket",
    8: "EncryptedExtensions", 11: "Certificate", 12: "ServerKeyExchange", 13: "CertificateRequest",
    14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished",
    22: "CertificateStatus",
}  # fmt: skip
_SERVER_NAME, _USE_SRTP, _SUPPORTED_VERSIONS, _EXTENDED_MASTER_SECRET = 0, 14, 43, 23


@dataclass(frozen=True, slots=True)
class Hello:
    """What ClientHello and ServerHello share: a version, 32 octets of randomness, extensions by number."""

    legacy_version: int
    random: bytes
    session_id: bytes
    extensions: Mapping[int, bytes]

    @property
    def srtp_profiles(self) -> tuple[int, ...]:
        """The codes in use_srtp, in order: offered by a client, chosen by a server. See ``Profile.coded``."""
        if _USE_SRTP not in self.extensions:
            return ()
        cursor = _Cursor(self.extensions[_USE_SRTP])
        return _codes(cursor.vector(2))

    @property
    def srtp_mki(self) -> bytes:
        """The MKI in use_srtp; empty when there is none."""
        if _USE_SRTP not in self.extensions:
            return b""
        cursor = _Cursor(self.extensions[_USE_SRTP])
        cursor.vector(2)
        return cursor.vector(1)

    @property
    def has_extended_master_secret(self) -> bool:
        """Tell whether the master secret is bound to the whole handshake (RFC 7627)."""
        return _EXTENDED_MASTER_SECRET in self.extensions


@dataclass(frozen=True, slots=True)
class ClientHello(Hello):
    """The client's offer; ``cookie`` is what a server asked it to repeat."""

    cookie: bytes
    cipher_suites: tuple[int, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a ClientHello of DTLS, or raise Malformed."""
        cursor = _Cursor(body)
        version, random, session_id = cursor.number(2), cursor.take(RANDOM_LENGTH), cursor.vector(1)
        cookie, suites = cursor.vector(1), _codes(cursor.vector(2))
        cursor.vector(1)  # compression methods
        return cls(version, random, session_id, cursor.extensions(), cookie, suites)

    @property
    def server_name(self) -> str | None:
        """The name in server_name (SNI), or None."""
        if not self.extensions.get(_SERVER_NAME):
            return None
        cursor = _Cursor(_Cursor(self.extensions[_SERVER_NAME]).vector(2))
        cursor.take(1)  # host_name
        return cursor.vector(2).decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class ServerHello(Hello):
    """The server's choice."""

    cipher_suite: int

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a ServerHello, or raise Malformed."""
        cursor = _Cursor(body)
        version, random, session_id = cursor.number(2), cursor.take(RANDOM_LENGTH), cursor.vector(1)
        suite = cursor.number(2)
        cursor.take(1)  # compression method
        return cls(version, random, session_id, cursor.extensions(), suite)

    @property
    def version(self) -> int:
        """The version that was chosen: DTLS 1.3 says it in an extension."""
        chosen = self.extensions.get(_SUPPORTED_VERSIONS)
        return int.from_bytes(chosen) if chosen and len(chosen) == 2 else self.legacy_version


def certificates(body: bytes) -> tuple[bytes, ...]:
    """Return the certificates (DER, the sender's own first) of a Certificate message up to DTLS 1.2."""
    found, cursor = [], _Cursor(_Cursor(body).vector(3))
    while cursor.left:
        found.append(cursor.vector(3))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was seen of one handshake, perhaps not all.

    ``client``  who sent the ClientHello, or is not who sent the ServerHello; None: not known
    ``chains``  by role, the certificates that were shown
    """

    client: Hashable | None = None
    client_hello: ClientHello | None = None
    server_hello: ServerHello | None = None
    chains: Mapping[Role, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def version(self) -> int | None:
        """What the server chose: 0xFEFD is DTLS 1.2."""
        return self.server_hello.version if self.server_hello else None

    @property
    def cipher_suite(self) -> int | None:
        """What the server chose, by IANA's number."""
        return self.server_hello.cipher_suite if self.server_hello else None

    @property
    def profile(self) -> Profile | None:
        """The SRTP profile that the server chose; None when none was seen, as in DTLS 1.3.

        Raises Malformed for a profile that nobody knows.
        """
        codes = self.server_hello.srtp_profiles if self.server_hello else ()
        return Profile.coded(codes[0]) if codes else None

    def ledger(self, secrets: KeyLog, profile: str | Profile | None = None) -> Ledger:
        """Compute the four SRTP keys with the secrets of a key log.

        ``profile`` is needed for DTLS 1.3, which hides the choice. Raises SrtpError, saying what is missing.
        """
        if self.client_hello is None or self.server_hello is None:
            missing = "ServerHello" if self.client_hello else "ClientHello"
            raise SrtpError(f"no {missing} was seen: the capture began too late")
        chosen = self.profile if profile is None else Profile.named(profile)
        if chosen is None:
            raise SrtpError("no SRTP profile was seen: the handshake has no use_srtp, or hides it (DTLS 1.3)")
        client_random, suite = self.client_hello.random, self.server_hello.cipher_suite
        if self.version == DTLS_1_3:
            secret = secrets.exporter_secret(client_random)
        else:
            secret = secrets.master_secret(client_random)
        if secret is None:
            raise SrtpError(f"the key log has no secret for the client random {client_random.hex()}")
        if self.version == DTLS_1_3:
            return Ledger.from_exporter_secret(chosen, secret, cipher_suite=suite)
        return Ledger.from_master_secret(
            chosen,
            secret,
            client_random,
            self.server_hello.random,
            cipher_suite=suite,
            version=self.server_hello.version,
        )

    def __str__(self) -> str:
        version = VERSION_NAMES.get(self.version or 0, "DTLS")
        suite = "" if self.cipher_suite is None else f", cipher suite 0x{self.cipher_suite:04x}"
        return f"{version}{suite}, SRTP {self.profile or 'profile not seen'}"


class Reader:
    """Reads the handshakes between two ends, datagram by datagram.

    ``handshakes``  those that were seen, in order; the last one grows
    """

    def __init__(self) -> None:
        self.handshakes: list[Handshake] = []
        self._senders: dict[Hashable, Assembler] = {}

    def receive(self, sender: Hashable, datagram: bytes) -> list[Message]:
        """Take a datagram of ``sender``, an address or any other name; return the messages that it completes.

        Raises Malformed at a fault; what came before it is taken.
        """
        messages: list[Message] = []
        for message in self._senders.setdefault(sender, Assembler()).receive(datagram):
            messages.append(message)
            self._take(sender, message)
        return messages

    def _take(self, sender: Hashable, message: Message) -> None:
        if message.kind == CLIENT_HELLO:
            self._take_client_hello(sender, ClientHello.parse(message.body))
        elif message.kind == SERVER_HELLO:
            self._grow(server_hello=ServerHello.parse(message.body), client=self._other(sender))
        elif message.kind == CERTIFICATE and self.handshakes:
            role: Role = "client" if sender == self.handshakes[-1].client else "server"
            self._grow(chains={**self.handshakes[-1].chains, role: certificates(message.body)})

    def _take_client_hello(self, sender: Hashable, hello: ClientHello) -> None:
        """With the same random it is the one before, now with a cookie; with another, a new handshake."""
        last = self.handshakes[-1].client_hello if self.handshakes else None
        if last is None or last.random != hello.random:
            self.handshakes.append(Handshake())
        self._grow(client=sender, client_hello=hello)

    def _other(self, sender: Hashable) -> Hashable | None:
        """Return who is not ``sender``, as far as it is known."""
        known = self.handshakes[-1].client if self.handshakes else None
        others = (one for one in self._senders if one != sender)
        return next(others, None) if known is None else known

    def _grow(self, **changes: object) -> None:
        if not self.handshakes:
            self.handshakes.append(Handshake())
        self.handshakes[-1] = replace(self.handshakes[-1], **changes)  # type: ignore[arg-type]


class _Cursor:
    """A position in octets."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed("a cut handshake message", offset=self._at, expected=f"{count} octets")
        self._at += count
        return self._octets[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def extensions(self) -> dict[int, bytes]:
        """Return the extensions by number; there need not be any."""
        found: dict[int, bytes] = {}
        cursor = _Cursor(self.vector(2) if self.left else b"")
        while cursor.left:
            number = cursor.number(2)
            found[number] = cursor.vector(2)
        return found


def _codes(octets: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(octets[at : at + 2]) for at in range(0, len(octets), 2))
