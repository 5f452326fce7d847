"""A procedure runs on with the answer, whether that is there at once or comes later."""

from typing import Any

import pytest

from imslab.errors import Malformed
from imslab.ims import cx
from imslab.ims.procedure import Later, Procedure, run

LIR, FOUND = cx.LocationInfoRequest("sip:a@b"), cx.LocationInfoAnswer(cx.Result.SUCCESS, "sip:s")


def twice() -> Procedure[list[object]]:
    """Ask two questions; return the answers and their times."""
    first, at = yield LIR
    second, later = yield LIR
    return [first, at, second, later]


def fails(after: int) -> Procedure[None]:
    for _ in range(after):
        yield LIR
    raise Malformed("no good")


class Hss:
    """Answers at once, or later: ``later`` holds what was asked and is not answered yet."""

    def __init__(self, *at_once: bool) -> None:
        self._at_once = list(at_once)
        self.later: list[Later] = []

    def __call__(self, request: cx.Request, now: float) -> cx.Answer | Later:
        assert request is LIR
        if self._at_once.pop(0):
            return FOUND
        self.later.append(Later())
        return self.later[-1]


def ended(procedure: Procedure[Any], hss: Hss) -> tuple[list[Any], list[Any]]:
    done: list[Any] = []
    failed: list[Any] = []
    run(procedure, hss, 1.0, lambda *end: done.append(end), lambda *end: failed.append(end))
    for number, later in enumerate(hss.later):
        assert (done, failed) == ([], [])
        later.answer(FOUND, 10.0 + number)
        later.answer(FOUND, 99.0)  # a second answer is for nobody
    return done, failed


@pytest.mark.parametrize(
    ("at_once", "times"),
    [
        ((True, True), (1.0, 1.0)),
        ((False, True), (10.0, 10.0)),
        ((True, False), (1.0, 10.0)),
        ((False, False), (10.0, 11.0)),
    ],
)
def test_the_answer_comes_with_its_time(at_once: tuple[bool, bool], times: tuple[float, float]) -> None:
    done, failed = ended(twice(), Hss(*at_once))
    assert done == [([FOUND, times[0], FOUND, times[1]], times[1])] and failed == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_is_malformed_ends_it(after: int, at_once: bool) -> None:
    done, failed = ended(fails(after), Hss(*[at_once] * after))
    ((error, at),) = failed
    assert done == [] and str(error) == "no good"
    assert at == (1.0 if at_once or not after else 9.0 + after)


def test_an_answer_for_which_nobody_waits_yet_is_no_fault() -> None:
    Later().answer(FOUND, 1.0)


def test_a_failure_has_the_shape_of_its_answer() -> None:
    requests: list[cx.Request] = [
        cx.UserAuthorizationRequest("sip:a@b", None, "v"),
        cx.MultimediaAuthRequest("sip:a@b", "a@b", "sip:s"),
        cx.ServerAssignmentRequest("sip:a@b", "a@b", "sip:s", cx.Assignment.REGISTRATION),
        LIR,
    ]
    kinds = [
        cx.UserAuthorizationAnswer,
        cx.MultimediaAuthAnswer,
        cx.ServerAssignmentAnswer,
        cx.LocationInfoAnswer,
    ]
    for request, kind in zip(requests, kinds, strict=True):
        assert cx.failure(request, cx.Result.UNABLE_TO_COMPLY) == kind(cx.Result.UNABLE_TO_COMPLY)
