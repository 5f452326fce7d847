"""NSS key logs: the secrets of TLS and DTLS connections, a line each.

Spec: draft-ietf-tls-keylogfile (SSLKEYLOGFILE), sections 1 and 2. A line is a label, the client random that
names the connection (32 octets in hex), and a secret in hex; ``CLIENT_RANDOM`` carries the master secret of
DTLS 1.2 and before, ``EXPORTER_SECRET`` what SRTP's keys come from in DTLS 1.3.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from imslab.errors import Malformed
from imslab.octets import unhex
from imslab.srtp.prf import MASTER_SECRET_LENGTH, RANDOM_LENGTH

MASTER_SECRET = "CLIENT_RANDOM"  # noqa: S105  the label, not the secret
EXPORTER_SECRET = "EXPORTER_SECRET"  # noqa: S105
_SECRET_LENGTHS = {MASTER_SECRET: (MASTER_SECRET_LENGTH,)}
_OTHER_LENGTHS = (32, 48)  # a secret of TLS 1.3 is as long as its hash
_OTHERS = frozenset(
    (EXPORTER_SECRET, "CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_MASTER_SECRET", "EARLY_EXPORTER_SECRET",
     "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "ECH_SECRET", "ECH_CONFIG")
)  # fmt: skip
_TRAFFIC = re.compile(r"(CLIENT|SERVER)_TRAFFIC_SECRET_[0-9]+")  # one more each time keys are renewed
_OF_OTHERS = ("#", "RSA ", "PMS_CLIENT_RANDOM ")  # comments; premaster secrets, which others use in old logs
_MOST_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class KeyLog:
    """The secrets of a key log, by label and client random.

    ``warnings``  the lines that were left out, each with its number
    """

    secrets: Mapping[tuple[str, bytes], bytes] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: bytes | str, *, strict: bool = False) -> Self:
        """Read a key log; a bad line is left out with a warning, or, when ``strict``, raises Malformed."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        secrets: dict[tuple[str, bytes], bytes] = {}
        warnings: list[str] = []
        for number, line in enumerate(_lines(text), 1):
            if not line or line.startswith(_OF_OTHERS):
                continue
            try:
                label, client_random, secret = _parse_line(line)
                secrets[label, client_random] = secret
            except Malformed as error:
                if strict:
                    raise Malformed(f"line {number} of the key log: {error}") from None
                warnings.append(f"line {number} of the key log: {error}")
        return cls(secrets, tuple(warnings))

    def master_secret(self, client_random: bytes) -> bytes | None:
        """Return the master secret (48 octets) of the connection with this client random, or None."""
        return self.secrets.get((MASTER_SECRET, client_random))

    def exporter_secret(self, client_random: bytes) -> bytes | None:
        """Return the exporter secret of a DTLS 1.3 connection, or None."""
        return self.secrets.get((EXPORTER_SECRET, client_random))

    def __len__(self) -> int:
        return len(self.secrets)

    def __bytes__(self) -> bytes:
        return "".join(f"{line(*key, secret)}\n" for key, secret in self.secrets.items()).encode()


def line(label: str, client_random: bytes, secret: bytes) -> str:
    """Return one line of a key log, without its end: for whoever records a live connection."""
    return f"{label} {client_random.hex()} {secret.hex()}"


def _lines(text: str) -> Iterator[str]:
    for number, row in enumerate(text.splitlines(), 1):
        if number > _MOST_LINES:
            raise Malformed(f"a key log of more than {_MOST_LINES} lines")
        yield row.strip()


def _parse_line(text: str) -> tuple[str, bytes, bytes]:
    label, *rest = text.split()
    if label not in _SECRET_LENGTHS and label not in _OTHERS and not _TRAFFIC.fullmatch(label):
        raise Malformed(f"unknown label {label[:40]!r}")
    if len(rest) != 2:
        raise Malformed(f"{len(rest)} values after {label}", expected="client random and secret")
    client_random, secret = unhex("the client random", rest[0]), unhex("the secret", rest[1])
    if len(client_random) != RANDOM_LENGTH:
        raise Malformed(f"a client random of {len(client_random)} octets", expected=f"{RANDOM_LENGTH}")
    lengths = _SECRET_LENGTHS.get(label, _OTHER_LENGTHS)
    if not label.startswith("ECH") and len(secret) not in lengths:
        raise Malformed(
            f"a secret of {len(secret)} octets after {label}", expected=" or ".join(map(str, lengths))
        )
    return label, client_random, secret
