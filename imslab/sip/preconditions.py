"""Preconditions: what must be there before the callee is alerted, and whether it is.

Spec: RFC 3312 (4: attributes, 5: offer and answer), RFC 4032 (updates), 3GPP TS 24.229, 5.1.3 and 5.1.4, with
the segmented status: each end speaks of its own access ("local") and of the other one's ("remote").
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from imslab.errors import Malformed
from imslab.sip.sdp import Attribute, Media, SessionDescription

OPTION = "precondition"
STATUS_TYPES = ("e2e", "local", "remote")
STRENGTHS = ("none", "optional", "mandatory", "failure", "unknown")
_DIRECTIONS = ("none", "send", "recv", "sendrecv")
# What one end calls local, the other one calls remote; and what one sends, the other one receives.
_SWAPPED = {"local": "remote", "remote": "local", "send": "recv", "recv": "send"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One line: ``a=curr:qos local sendrecv``, ``a=des:qos mandatory remote sendrecv``, ``a=conf:...``.

    ``strength``  only in des; "" in curr and conf
    """

    name: str
    kind: str
    status_type: str
    direction: str
    strength: str = ""

    @classmethod
    def parse(cls, attribute: Attribute) -> Self:
        """Read an attribute curr, des or conf, or raise Malformed (RFC 3312, 4)."""
        words = (attribute.value or "").split()
        if attribute.name == "des" and len(words) == 4:
            kind, strength, status_type, direction = words
        elif attribute.name in ("curr", "conf") and len(words) == 3:
            (kind, status_type, direction), strength = words, ""
        else:
            raise Malformed(f"bad a={attribute.name}", expected="curr:qos local sendrecv, for example")
        if status_type not in STATUS_TYPES or direction not in _DIRECTIONS:
            raise Malformed(f"bad a={attribute.name}", expected="e2e, local or remote, and a direction")
        if strength and strength not in STRENGTHS:
            raise Malformed("bad strength in a=des", expected=", ".join(STRENGTHS))
        return cls(attribute.name, kind, status_type, direction, strength)

    @property
    def attribute(self) -> Attribute:
        """The line as it is written."""
        words = [self.kind, self.strength, self.status_type, self.direction]
        return Attribute(self.name, " ".join(word for word in words if word))

    @property
    def mirrored(self) -> "Condition":
        """The same, as the other end says it."""
        status_type = _SWAPPED.get(self.status_type, self.status_type)
        return replace(self, status_type=status_type, direction=_SWAPPED.get(self.direction, self.direction))


def conditions(media: Media) -> tuple[Condition, ...]:
    """Return every precondition of a section, in order; Malformed when one cannot be read."""
    return tuple(Condition.parse(a) for a in media.attributes if a.name in ("curr", "des", "conf"))


def are_met(description: SessionDescription) -> bool:
    """Tell whether nothing mandatory is missing: the callee may be alerted (RFC 3312, 5.1.2)."""
    return all(not unmet(conditions(media)) for media in description.media if media.port)


def may_alert(offer: SessionDescription) -> bool:
    """Tell whether the callee may be alerted after ``offer``, once its own access is ready (RFC 3312, 8)."""
    return all(not unmet(_ours(media)) for media in offer.media if media.port)


def unmet(stated: Iterable[Condition]) -> list[Condition]:
    """Return the mandatory conditions that the current status does not fulfil (RFC 3312, 5.1.3)."""
    stated = tuple(stated)
    current = {(c.kind, c.status_type): c.direction for c in stated if c.name == "curr"}
    wanted = [c for c in stated if c.name == "des" and c.strength == "mandatory"]
    return [c for c in wanted if not _covers(current.get((c.kind, c.status_type), "none"), c.direction)]


def answered(offer: SessionDescription, answer: SessionDescription) -> SessionDescription:
    """Return ``answer`` with what it has to say of the preconditions in ``offer`` (RFC 3312, 5.1).

    Our own access has what it needs, always: in this lab nobody reserves anything. Where the offerer's is not
    ready yet, the answer asks for a confirmation, which comes as an UPDATE.
    """
    media = tuple(_answered(asked, given) for asked, given in zip(offer.media, answer.media, strict=True))
    return replace(answer, media=media)


def _answered(asked: Media, given: Media) -> Media:
    ours = _ours(asked)
    if not ours or not given.port:
        return given
    missing = [c for c in unmet(ours) if c.status_type != "local"]
    asks = [Condition("conf", c.kind, c.status_type, c.direction) for c in missing]
    kept = tuple(a for a in given.attributes if a.name not in ("curr", "des", "conf"))
    return replace(given, attributes=(*kept, *(condition.attribute for condition in (*ours, *asks))))


def _ours(asked: Media) -> list[Condition]:
    """Return the offered conditions as we say them: ours are fulfilled."""
    return [_ready(condition.mirrored) for condition in conditions(asked) if condition.name != "conf"]


def _ready(condition: Condition) -> Condition:
    if condition.name == "curr" and condition.status_type == "local":
        return replace(condition, direction="sendrecv")
    return condition


def _covers(current: str, wanted: str) -> bool:
    return current in ("sendrecv", wanted) or wanted == "none"
