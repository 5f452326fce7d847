"""The keys with which a capture's SRTP is opened: given by the caller, from SDP, from DTLS.

Spec: RFC 4568 (keys in SDP: who writes a key sends with it), RFC 5764 (keys from DTLS), RFC 3711, section 8
(a key is a master key and a master salt). A key knows where it comes from and which sockets its sender has,
which only says in which order keys are tried: the authentication tag decides.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from imslab.capture.reassemble import Endpoint
from imslab.errors import CaptureError, Malformed
from imslab.octets import exactly
from imslab.srtp.candidate import Candidate
from imslab.srtp.context import Parameters
from imslab.srtp.keylog import KeyLog
from imslab.srtp.profiles import Profile

TLS_KEY_LOG = 0x544C534B  # the type of a Decryption Secrets Block with a key log
_LARGEST_KEY_LOG = 64 * 2**20  # octets

KeyText = str | tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """A master key and its salt.

    ``origin``      where it comes from: "given", "SDES, frame 12", "DTLS, frame 40, client"
    ``call_id``     of the call whose signalling holds it;  ``sockets``: those of who sends with it
    ``parameters``  what else a context takes: mki, kdr, unencrypted_srtp, ...
    """

    profile: Profile
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    origin: str = "given"
    call_id: str = ""
    sockets: frozenset[Endpoint] = frozenset()
    parameters: Parameters = field(default_factory=Parameters, repr=False)

    @classmethod
    def of(cls, profile: str | Profile, master: bytes, **more: Any) -> "SrtpKey":
        """Split key and salt, which stand one after the other; raise Malformed for a wrong length."""
        profile = Profile.named(profile)
        octets = exactly(f"key and salt of {profile}", master, profile.master_length)
        return cls(profile, octets[: profile.key_length], octets[profile.key_length :], **more)

    def candidate(self) -> Candidate:
        """Return what tells whether a packet is of this key."""
        return Candidate(self.profile, self.key, self.salt, **self.parameters)


@dataclass(frozen=True, slots=True)
class MediaKeys:
    """What the caller gave: keys, and the secrets of DTLS connections."""

    given: tuple[SrtpKey, ...] = ()
    key_log: KeyLog = field(default_factory=KeyLog)


def media_keys(
    *, srtp: KeyText | Iterable[KeyText] | None = None, keylog: str | PathLike[str] | bytes | None = None
) -> MediaKeys:
    """Gather keys for media.

    ``srtp``    "PROFILE:base64" of key and salt, as a=crypto has them, or (profile, octets); or a list
    ``keylog``  the path of an NSS key log, or its octets

    Raises Malformed for an unknown profile or a wrong length, CaptureError when the file cannot be read.
    """
    return MediaKeys(tuple(_key(one) for one in _listed(srtp)), KeyLog.parse(_key_log(keylog)))


def _listed(srtp: KeyText | Iterable[KeyText] | None) -> list[KeyText]:
    if srtp is None:
        return []
    if isinstance(srtp, str) or (isinstance(srtp, tuple) and len(srtp) == 2 and isinstance(srtp[1], bytes)):
        return [srtp]
    return list(srtp)


def _key(text: KeyText) -> SrtpKey:
    profile, master = text.partition(":")[::2] if isinstance(text, str) else text
    if isinstance(master, str):
        try:
            master = base64.b64decode(master.removeprefix("inline:"), validate=True)
        except (binascii.Error, ValueError):
            raise Malformed("an SRTP key is not base64", expected="PROFILE:base64 of key and salt") from None
    return SrtpKey.of(profile, master)


def _key_log(keylog: str | PathLike[str] | bytes | None) -> bytes:
    if keylog is None or isinstance(keylog, bytes):
        return keylog or b""
    try:
        with Path(keylog).open("rb") as file:
            octets = file.read(_LARGEST_KEY_LOG + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptureError(f"the key log {keylog} cannot be read: {reason}") from None
    if len(octets) > _LARGEST_KEY_LOG:
        raise CaptureError(f"the key log {keylog} has more than {_LARGEST_KEY_LOG} octets")
    return octets


def with_secrets(keys: MediaKeys | None, secrets: Iterable[tuple[int, bytes]]) -> KeyLog:
    """Return the key log that was given, and those of the Decryption Secrets Blocks, as one."""
    logs = [KeyLog.parse(octets) for kind, octets in secrets if kind == TLS_KEY_LOG]
    logs += [keys.key_log] if keys else []
    joined = {name: secret for log in logs for name, secret in log.secrets.items()}
    return KeyLog(joined, tuple(warning for log in logs for warning in log.warnings))
