"""A lab that is a recording: its cards replay, and what is asked for is found in the trace."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imslab.data import profile_path
from imslab.errors import ImslabError
from imslab.lab.call import LabCall
from imslab.uicc import Link, Profile, Replayer

if TYPE_CHECKING:
    from imslab.capture import Capture, Registration
    from imslab.lab.subscriber import Subscriber


class Recording:
    """One trace of a lab; each thing is found once, then the last one again.

    ``names``  whose published profiles open it
    """

    def __init__(self, trace: str | Path, names: Sequence[str]) -> None:
        from imslab.capture import open_capture

        self.capture: Capture = open_capture(trace, profile=[Profile.load(profile_path(n)) for n in names])
        self._given: dict[str, int] = {}

    def card(self, name: str) -> Link:
        """Return the card of ``name``, which answers what was recorded."""
        exchanges = self.capture.exchanges(name)
        host = next((host for host, called in self.capture.names.items() if called == name), name)
        resets = (e.response for e in self.capture.apdu_events if not e.command and e.terminal == host)
        return Replayer(exchanges, atr=next(resets, b"\x3b\x00"), rewinds=True)

    def registration(self, subscriber: "Subscriber", algorithm: str | None) -> "Registration":
        """Return the recorded registration that was not given yet; ImslabError when there is none."""
        if not self.capture.exchanges(subscriber.name):
            raise ImslabError(f"the trace holds nothing of {subscriber.name}'s card")
        mine = [r for r in self.capture.logins if r.impi == subscriber.card.profile.impi]
        fitting = [r for r in mine if algorithm is None or r.algorithm.lower() == algorithm.lower()]
        if not fitting:
            held = ", ".join(f"{r.impu} {r.algorithm}" for r in self.capture.logins) or "no registration"
            raise ImslabError(
                f"the trace holds no registration of {subscriber.name} like that; it holds: {held}"
            )
        return fitting[self._next(subscriber.name, len(fitting))]

    def repeats(
        self, subscriber: "Subscriber", times: int, algorithms: Sequence[str | None], transport: str
    ) -> "list[Registration]":
        """Return the recorded registrations over one transport, with one of these algorithms."""
        mine = [r for r in self.capture.logins if r.impi == subscriber.card.profile.impi]
        there = [r for r in mine if r.messages[0].transport == transport.lower()]
        return [r for r in there if {None, r.algorithm} & set(algorithms)][: times * len(algorithms)]

    def call(self, caller: "Subscriber", callee: "Subscriber | str") -> LabCall:
        """Return the next recorded call of ``caller``; ImslabError when there is none."""
        mine = set(caller.card.profile.impu)
        calls = [call for call in self.capture.call_list if call.caller in mine]
        if not calls:
            raise ImslabError(f"the trace holds no call of {caller.name}")
        found = calls[self._next(f"calls of {caller.name}", len(calls))]
        return LabCall(
            lambda: self.capture, found.call_id, caller, None if isinstance(callee, str) else callee
        )

    def _next(self, what: str, count: int) -> int:
        given = self._given.get(what, 0)
        self._given[what] = given + 1
        return min(given, count - 1)
