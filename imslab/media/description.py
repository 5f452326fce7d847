"""What a WebRTC description must have before aiortc sees it: one transport, and a certificate to expect.

Spec: RFC 9143 (BUNDLE), RFC 8859 (which attributes are the transport's), RFC 5763 (fingerprint, setup).
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from imslab.errors import Malformed
from imslab.sip.sdp import SessionDescription
from imslab.srtp.fingerprint import Fingerprint

_HASHES = ("sha-256", "sha-384", "sha-512")  # that aiortc compares
# The attributes that belong to the transport and not to what is carried (RFC 8859)
_TRANSPORT = (
    *("candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options"),
    *("fingerprint", "setup", "rtcp-mux"),
)


def for_aiortc(description: SessionDescription) -> SessionDescription:
    """Return a description with which aiortc works, or raise Malformed: else it fails later, and silently."""
    if not description.media:
        raise Malformed("a description without media", expected="m=audio or m=video")
    for media in description.media:
        if len(media.all("mid")) > 1:
            raise Malformed(f"m={media.kind} with several a=mid", expected="one name (RFC 5888)")
    usable = _on_one_transport(description)
    one = usable.media[0]  # the others have the same transport
    prints = readable(one.all("fingerprint") or usable.all("fingerprint"))
    if not any(fingerprint.hash_name in _HASHES for fingerprint in prints):
        raise Malformed(f"m={one.kind} without a=fingerprint", expected=f"one of {', '.join(_HASHES)}")
    if one.get("setup") is None and usable.get("setup") is None:
        raise Malformed(f"m={one.kind} without a=setup", expected="a DTLS role (RFC 5763)")
    return usable


def readable(texts: Iterable[str]) -> list[Fingerprint]:
    """Return the fingerprints whose hash is known; others may stand beside them (RFC 8122, section 5.1)."""
    found = []
    for text in texts:
        with suppress(Malformed):
            found.append(Fingerprint.parse(text))
    return found


def _on_one_transport(description: SessionDescription) -> SessionDescription:
    """Give all media the transport of the one that BUNDLE names first.

    The others may leave it out, or have one of their own for who knows no BUNDLE (RFC 9143, sections 7.1.3
    and 9); aiortc would take the last.
    """
    bundled = [name for group in description.all("group") for name in _members(group)]
    names = [media.get("mid") for media in description.media]
    if not bundled and len(names) == 1:
        return description
    if len(set(names)) < len(names) or len(bundled) != len(names) or set(bundled) != set(names):
        raise Malformed("a=group:BUNDLE does not name each a=mid once", expected="media of one transport")
    tagged = description.media[names.index(bundled[0])]
    shared = tuple(one for one in tagged.attributes if one.name in _TRANSPORT)
    media = (
        replace(one, attributes=(*(a for a in one.attributes if a.name not in _TRANSPORT), *shared))
        for one in description.media
    )
    return replace(description, media=tuple(media))


def _members(group: str) -> list[str]:
    semantics, *names = group.split() or [""]
    return names if semantics == "BUNDLE" else []
