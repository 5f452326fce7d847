"""The AKA doctor on a capture: which frame does not fit, and which number in it is wrong.

Spec: 3GPP TS 33.102, 6.3; RFC 3310; RFC 4169. `imslab.capture.exhibits` reads the frames,
`imslab.aka.doctor` judges them: by the keys of a subscriber, and where none was given by what the capture
tells itself, as in `imslab.capture.vectors`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imslab.aka import AuthenticationVector
from imslab.aka.doctor import Check, Diagnosis, Evidence, Result, explain, explain_known, known_reading
from imslab.capture import apdu, vectors
from imslab.capture.exhibits import MAC_REFUSED, Exhibit, exhibits
from imslab.capture.file import check_index
from imslab.capture.unlock import Opened
from imslab.capture.views import APDU, CX
from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.capture import Capture
    from imslab.uicc import Profile

_OF_A_CARD = (
    *("k", "op", "opc", "top", "topc", "algorithm", "mac_length", "res_length"),
    *("ck_length", "ik_length", "iterations", "ind_length", "delta"),
)
_MOST_WRONG = 100  # of a capture, before the rest is left
_PLACES = {"Cx": "Diameter (Cx)", "card": "the answer of the card"}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whose keys: fields of Evidence, from ``k`` on; ``impi`` "" for keys to be tried on anybody."""

    values: dict[str, Any] = field(repr=False)
    impi: str = ""

    @classmethod
    def of_profile(cls, profile: "Profile") -> "Subscriber":
        """Return the subscriber of a profile."""
        return cls({name: getattr(profile, name) for name in _OF_A_CARD}, profile.impi)

    @classmethod
    def of_evidence(cls, evidence: Evidence) -> "Subscriber":
        """Return the subscriber whose keys, AMF and SQN stand in ``evidence``."""
        return cls({name: getattr(evidence, name) for name in (*_OF_A_CARD, "amf", "sqn")})


@dataclass(frozen=True, slots=True)
class Examined:
    """An exhibit and what the doctor says of it; ``source``: "key", or who told: "Cx", "card"."""

    exhibit: Exhibit
    diagnosis: Diagnosis
    source: str

    @property
    def result(self) -> Result:
        """RIGHT, WRONG, or OPEN when nothing could be checked."""
        if not self.diagnosis.ok:
            return Result.WRONG
        right = any(check.result is Result.RIGHT for check in self.diagnosis.checks)
        return Result.RIGHT if right else Result.OPEN

    def __str__(self) -> str:
        frames = " and ".join(str(frame) for frame in self.exhibit.frames)
        whose = f" ({self.exhibit.impi})" if self.exhibit.impi else ""
        return f"Frame {frames}, {self.exhibit.kind}: {self.exhibit.what}{whose}\n{self.diagnosis}"

    def _repr_html_(self) -> str:
        from html import escape

        title, _, _ = str(self).partition("\n")
        return f"<p><b>{escape(title)}</b></p>{self.diagnosis._repr_html_()}"


class CaptureDoctor:
    """Examines the frames of a capture that have AKA in them.

    ``subscribers``  whose keys are known; none: what the capture itself tells must do
    ``exhibits``     what there is to examine, in the order of the frames
    ``reveal``       show the RES, CK and IK that a key computes
    """

    def __init__(
        self, capture: "Capture", subscribers: Iterable[Subscriber] = (), *, reveal: bool = False
    ) -> None:
        self._capture = capture
        self._reveal = reveal
        self._subscribers = tuple(subscribers)
        self.exhibits: Sequence[Exhibit] = exhibits(capture)
        pairs = apdu.pairs(capture.apdu_events)
        self._told = {"card": vectors.told((), pairs), "Cx": vectors.told(capture.cx_events, ())}

    def frame(self, number: int) -> Examined:
        """Examine a frame: of several messages in it the first that does not fit, else the first.

        Raises Malformed for a frame that does not exist, that has nothing of AKA, or without a key for it.
        """
        check_index(number, len(self._capture.file))
        mine = [one for one in self.exhibits if number in one.frames]
        if not mine:
            raise Malformed(f"frame {number} has nothing of AKA in it", expected=self._where())
        examined = [self.examine(one) for one in mine]
        return next((one for one in examined if not one.diagnosis.ok), examined[0])

    def examine(self, exhibit: Exhibit) -> Examined:
        """Judge one exhibit, by a key or by what the capture tells; Malformed when neither is there."""
        try:
            rand, autn = exhibit.challenge
        except Malformed as error:
            raise Malformed(f"frame {exhibit.frame}: {error}") from None
        keys = self._keys_for(exhibit)
        if keys:
            found = [self._by_key(exhibit, one) for one in keys]
            return next((one for one in found if one.diagnosis.ok), found[0])
        for source in self._sources(exhibit):
            opened = self._told[source].get((rand, autn))
            if opened is not None:
                return self._by_told(exhibit, opened, source)
        raise Malformed(self._without_key(exhibit, rand, autn))

    def survey(self) -> "Survey":
        """Examine everything; Malformed when there is nothing, or nothing of it can be judged."""
        examined: list[Examined] = []
        closed: list[tuple[Exhibit, str]] = []
        wrong = 0  # the search for a cause takes its time
        for one in self.exhibits:
            if wrong == _MOST_WRONG:
                closed.append((one, f"{wrong} frames before it do not fit: give --frame for this one"))
                continue
            try:
                examined.append(self.examine(one))
                wrong += not examined[-1].diagnosis.ok
            except Malformed as error:
                closed.append((one, str(error)))
        if not self.exhibits:
            raise Malformed(
                "there is nothing of AKA in this capture", expected="a challenge, or an AUTHENTICATE"
            )
        if not examined:
            raise Malformed(closed[0][1])
        return Survey(*_without_strangers(examined), tuple(closed))

    def _keys_for(self, exhibit: Exhibit) -> list[Subscriber]:
        named = [one for one in self._subscribers if one.impi and one.impi == exhibit.impi]
        return named or [one for one in self._subscribers if not one.impi or not exhibit.impi]

    def _by_key(self, exhibit: Exhibit, subscriber: Subscriber) -> Examined:
        diagnosis = explain(_evidence(exhibit, subscriber.values), reveal=self._reveal)
        return Examined(exhibit, _with_refusal(diagnosis, exhibit), "key")

    def _by_told(self, exhibit: Exhibit, opened: Opened, source: str) -> Examined:
        rand, autn = exhibit.challenge
        known = known_reading(AuthenticationVector(rand, autn, opened.res, opened.ck, opened.ik))
        return Examined(exhibit, explain_known(_evidence(exhibit, {}), known, _PLACES[source]), source)

    def _sources(self, exhibit: Exhibit) -> tuple[str, ...]:
        """Return who may judge: nobody is his own witness."""
        return {CX: ("card",), APDU: ("Cx",)}.get(exhibit.kind, ("card", "Cx"))

    def _without_key(self, exhibit: Exhibit, rand: bytes, autn: bytes) -> str:
        whose = f" of {exhibit.impi}" if exhibit.impi else ""
        return (
            f"frame {exhibit.frame} ({exhibit.what}): no key{whose} was given, and the capture tells nothing "
            f"else of this challenge; without K it can only be split: RAND {rand.hex()}, SQN xor AK "
            f"{autn[:6].hex()}, AMF {autn[6:8].hex()}, MAC-A {autn[8:].hex()}"
        )

    def _where(self) -> str:
        frames = sorted({frame for one in self.exhibits for frame in one.frames})
        if not frames:
            return "a capture with AKA in it; this one has none"
        shown = ", ".join(map(str, frames[:40]))
        return f"one of {shown}" + (f" and {len(frames) - 40} more" if len(frames) > 40 else "")


@dataclass(frozen=True, slots=True)
class Survey:
    """All exhibits of a capture: those that were examined, those of other subscribers, those left closed.

    ``strangers``  examined with a key that opened what another subscriber did, and nothing of theirs
    ``closed``     each with the reason
    """

    examined: tuple[Examined, ...]
    strangers: tuple[Examined, ...]
    closed: tuple[tuple[Exhibit, str], ...]

    @property
    def first_wrong(self) -> Examined | None:
        """The first that does not fit; None when all do."""
        return next((one for one in self.examined if not one.diagnosis.ok), None)

    def __str__(self) -> str:
        right = all(one.diagnosis.ok for one in self.examined)
        lines = ["All that could be checked fits." if right else "Frames with AKA"]
        lines += [_line(one.exhibit, one.result) for one in self.examined]
        lines += [_line(one.exhibit, "left out", "another subscriber's") for one in self.strangers]
        lines += [_line(exhibit, Result.OPEN) for exhibit, _ in self.closed]
        lines += [f"  {reason}" for _, reason in self.closed[:1]]
        return "\n".join(lines)


def _line(exhibit: Exhibit, result: str, why: str = "") -> str:
    frames = "+".join(map(str, exhibit.frames))
    whose = " ".join(filter(None, (exhibit.impi, why)))
    return f"  {frames:>9}  {result:<11}{exhibit.kind:<5}{exhibit.what}{f' ({whose})' if whose else ''}"


def _evidence(exhibit: Exhibit, keys: dict[str, Any]) -> Evidence:
    try:
        return Evidence(**(keys | exhibit.values))
    except Malformed as error:
        raise Malformed(f"frame {exhibit.frame}: {error}") from None


def _with_refusal(diagnosis: Diagnosis, exhibit: Exhibit) -> Diagnosis:
    """Add that a card refused a MAC which is right under the key that was given."""
    right = any(check.name == "MAC-A" and check.result is Result.RIGHT for check in diagnosis.checks)
    if exhibit.sw != MAC_REFUSED or not right:
        return diagnosis
    detail = "it said 9862, but MAC-A is right under the key that was given: the card has another K or OPc"
    return replace(diagnosis, checks=(*diagnosis.checks, Check("card", Result.WRONG, detail)))


def _without_strangers(found: list[Examined]) -> tuple[tuple[Examined, ...], tuple[Examined, ...]]:
    """Divide: a key for anybody that opens one subscriber's challenges says nothing of another's."""
    opened = {one.exhibit.impi for one in found if _mac_holds(one)}
    stranger = {
        id(one) for one in found if one.exhibit.impi and opened - {""} and one.exhibit.impi not in opened
    }
    mine = tuple(one for one in found if id(one) not in stranger)
    return mine, tuple(one for one in found if id(one) in stranger)


def _mac_holds(one: Examined) -> bool:
    return any(check.name == "MAC-A" and check.result is not Result.WRONG for check in one.diagnosis.checks)
