"""DTLS-SRTP: four keys out of one exporter.

Spec: RFC 5764, section 4.2 (the exporter's octets: client key, server key, client salt, server salt) and
4.1.2 (profiles); RFC 5763, section 5 (the client is who says ``a=setup:active``, not who makes the offer);
RFC 5705.
Each end sends with the keys that bear the name of its own DTLS role, and opens with the other's.

Teaching code: it is not constant time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, get_args

from imslab.errors import Malformed, SrtpError
from imslab.octets import exactly
from imslab.srtp import prf
from imslab.srtp.profiles import Profile
from imslab.srtp.session import Session

EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"

Role = Literal["client", "server"]


class Connection(Protocol):
    """What a ledger asks of a live DTLS connection; pyOpenSSL's ``SSL.Connection`` has it."""

    def export_keying_material(self, label: bytes, olen: int) -> bytes:
        """Return ``olen`` octets for a label."""

    def get_selected_srtp_profile(self) -> bytes:
        """Return the profile's name, as OpenSSL has it; empty when none was agreed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: ``length`` octets at ``offset`` of what was exported, and whose they are.

    ``sender``  the DTLS role that protects with it; the other one opens with it
    """

    name: str
    sender: Role
    offset: int
    length: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The octets that a DTLS connection exported for SRTP, and how they are shared out.

    ``profile``   which profile was agreed
    ``exported``  twice a master key and a master salt: 60 octets for AES-128, 56 and 88 for AES-GCM
    """

    profile: Profile
    exported: bytes = field(repr=False)

    def __post_init__(self) -> None:
        length = exported_length(self.profile)
        exactly(f"the keying material of {self.profile}", self.exported, length)

    @classmethod
    def from_exported(cls, profile: str | Profile, exported: bytes) -> Self:
        """Share out octets that were exported; raise Malformed when the profile needs another number."""
        return cls(Profile.named(profile), bytes(exported))

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Ask a live connection, after its handshake; raise SrtpError when it agreed on no profile."""
        name = connection.get_selected_srtp_profile()
        if not name:
            raise SrtpError("the DTLS handshake agreed on no SRTP profile: offer use_srtp on both sides")
        profile = Profile.named(name.decode("ascii", "replace"))
        return cls(profile, connection.export_keying_material(EXPORTER_LABEL, exported_length(profile)))

    @classmethod
    def from_master_secret(
        cls,
        profile: str | Profile,
        master_secret: bytes,
        client_random: bytes,
        server_random: bytes,
        *,
        cipher_suite: int,
        version: int = prf.DTLS_1_2,
    ) -> Self:
        """Compute what both ends of a DTLS 1.0 or 1.2 connection exported.

        ``master_secret`` has 48 octets, the randoms 32; the ``cipher_suite`` tells the PRF's hash. Raises
        Malformed when a value does not fit.
        """
        profile = Profile.named(profile)
        exported = prf.export(
            EXPORTER_LABEL,
            exported_length(profile),
            master_secret=master_secret,
            client_random=client_random,
            server_random=server_random,
            cipher_suite=cipher_suite,
            version=version,
        )
        return cls(profile, exported)

    @classmethod
    def from_exporter_secret(
        cls, profile: str | Profile, exporter_secret: bytes, *, cipher_suite: int
    ) -> Self:
        """Compute what both ends of a DTLS 1.3 connection exported."""
        profile = Profile.named(profile)
        length = exported_length(profile)
        exported = prf.export_1_3(
            EXPORTER_LABEL, length, exporter_secret=exporter_secret, cipher_suite=cipher_suite
        )
        return cls(profile, exported)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The four keys, in the order in which they were exported (RFC 5764, section 4.2)."""
        return tuple(self._entries())

    @property
    def client_key(self) -> bytes:
        """Master key of what the DTLS client sends."""
        return self.entries[0].value

    @property
    def server_key(self) -> bytes:
        """Master key of what the DTLS server sends."""
        return self.entries[1].value

    @property
    def client_salt(self) -> bytes:
        """Master salt of what the DTLS client sends."""
        return self.entries[2].value

    @property
    def server_salt(self) -> bytes:
        """Master salt of what the DTLS server sends."""
        return self.entries[3].value

    def keys_of(self, sender: Role) -> tuple[bytes, bytes]:
        """Return master key and master salt of what ``sender``, "client" or "server", sends."""
        if sender not in get_args(Role):
            raise Malformed(f"{sender!r} is no DTLS role", expected='"client" or "server"')
        key, salt = (entry.value for entry in self.entries if entry.sender == sender)
        return key, salt

    def session(self, sender: Role, **options: Any) -> Session:
        """Return a session with the keys of ``sender``: it protects there, and opens at the peer."""
        return Session(self.profile, *self.keys_of(sender), **options)

    def _entries(self) -> Iterator[Entry]:
        offset = 0
        for what, length in (("key", self.profile.key_length), ("salt", self.profile.salt_length)):
            for sender in get_args(Role):
                name = f"{sender}_write_SRTP_master_{what}"
                yield Entry(name, sender, offset, length, self.exported[offset : offset + length])
                offset += length

    def rows(self) -> list[dict[str, str | int]]:
        """Return the ledger as rows of a table, keys in hex: who asks for it wants to see them."""
        return [
            {
                "key": entry.name,
                "offset": entry.offset,
                "octets": entry.length,
                "protects": entry.sender,
                "opens": _peer(entry.sender),
                "value": entry.value.hex(),
            }
            for entry in self.entries
        ]


def exported_length(profile: str | Profile) -> int:
    """Return how many octets the exporter must give for a profile (RFC 5764, section 4.2)."""
    return 2 * Profile.named(profile).master_length


def _peer(role: Role) -> Role:
    return "server" if role == "client" else "client"
