"""SRTP keys that stand in session descriptions: who writes a=crypto sends with the key in it.

Spec: RFC 4568, 5.1 and 6. All lines of an offer give keys, taken or not: the tag decides which one was.
"""

from collections.abc import Iterator
from typing import Any

from imslab.capture.announcements import Announced, Announcements
from imslab.capture.media_keys import SrtpKey
from imslab.errors import Malformed
from imslab.srtp.profiles import Profile
from imslab.srtp.sdes import Crypto, InlineKey

_MOST = 10_000  # keys in one capture


def keys(announcements: Announcements, warnings: list[str]) -> list[SrtpKey]:
    """Return the keys in all descriptions; a line that breaks a rule is a warning that does not repeat it."""
    found: list[SrtpKey] = []
    for announced in announcements.all:
        for media in announced.media:
            for text in media.all("crypto"):
                try:
                    found += _keys(announced, Crypto.parse(text))
                except Malformed as error:
                    warnings.append(f"frame {announced.frame}: a=crypto, but {error}")
    return found[:_MOST]


def _keys(announced: Announced, crypto: Crypto) -> Iterator[SrtpKey]:
    profile = crypto.profile
    if profile is None:
        return
    for inline in crypto.keys:
        yield SrtpKey.of(
            profile,
            inline.key,
            origin=f"SDES, frame {announced.frame}",
            call_id=announced.call_id,
            sockets=frozenset(announced.sockets),
            parameters=_parameters(crypto, inline, profile),
        )


def _parameters(crypto: Crypto, inline: InlineKey, profile: Profile) -> Any:
    said = crypto.parameters
    return {
        "mki": inline.mki,
        "kdr": said.kdr,
        "unencrypted_srtp": said.unencrypted_srtp,
        "unencrypted_srtcp": said.unencrypted_srtcp,
        "unauthenticated_srtp": said.unauthenticated_srtp,
    }
