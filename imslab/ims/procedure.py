"""A procedure that asks the HSS on its way, whether the answer is there at once or comes later.

Spec: 3GPP TS 29.228, 6. A procedure is a generator: it yields a question of `imslab.ims.cx`, and gets the
answer with the time at which that came. So a registration reads from its first line to its last; it runs in
one step with an HSS in the same process, in several with one at the other end of a Diameter connection.
"""

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from imslab.errors import Malformed
from imslab.ims import cx

T = TypeVar("T")


class Later:
    """The answer to a question, still on its way: it comes once, and whoever waits is told."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: Callable[[cx.Answer, float], None] | None = None

    def then(self, taken: Callable[[cx.Answer, float], None]) -> None:
        """Call ``taken`` with the answer, and its time, when it comes."""
        self._taken = taken

    def answer(self, answer: cx.Answer, now: float) -> None:
        """Give the answer to whoever waits; a second one is for nobody."""
        taken, self._taken = self._taken, None
        if taken is not None:
            taken(answer, now)


Ask = Callable[
    [cx.Request, float], cx.Answer | Later
]  # the question and now -> the answer, or what it will be
Procedure = Generator[cx.Request, tuple[cx.Answer, float], T]


def run(
    procedure: Procedure[T],
    ask: Ask,
    now: float,
    done: Callable[[T, float], None],
    failed: Callable[[Malformed, float], None],
    said: Any = None,
) -> None:
    """Run ``procedure`` until it ends, or until an answer is awaited; when that comes, on from there.

    ``done``    called with what the procedure returned, and when
    ``failed``  called with the Malformed that it raised, and when
    ``said``    the answer and its time to go on with; None begins
    """
    while True:
        try:
            question = procedure.send(said)
        except StopIteration as end:
            done(end.value, now)
            return
        except Malformed as error:
            failed(error, now)
            return
        answer = ask(question, now)
        if isinstance(answer, Later):
            answer.then(lambda came, at: run(procedure, ask, at, done, failed, (came, at)))
            return
        said = answer, now
