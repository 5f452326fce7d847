"""Who is awaited, since when, and with how many octets: RFC 3261's 32 seconds, without a socket."""

from hypothesis import given
from hypothesis import strategies as st

from imslab.net.waiting import MOST_OCTETS, PATIENCE, Waiting


def test_who_says_nothing_is_overdue_after_32_seconds() -> None:
    waiting: Waiting[str] = Waiting()
    assert (len(waiting), waiting.timer(), waiting.oldest()) == (0, None, None)
    waiting.begin("a", 10.0)
    waiting.begin("b", 11.0)
    assert PATIENCE == 32.0 and waiting.timer() == 42.0 and waiting.oldest() == "a"
    assert waiting.overdue(41.9) == []
    assert waiting.overdue(42.0) == ["a"]
    assert waiting.overdue(43.0) == ["a", "b"]
    waiting.end("a")
    assert waiting.timer() == 43.0 and len(waiting) == 1


def test_who_has_said_something_whole_is_waited_for_no_more() -> None:
    waiting: Waiting[str] = Waiting()
    waiting.begin("a", 0.0)
    waiting.heard("a", 0, 1.0, complete=True)
    assert waiting.timer() is None and waiting.octets == 0
    waiting.heard("a", 100, 5.0, complete=False)
    assert waiting.timer() == 37.0 and waiting.octets == 100


def test_an_octet_a_minute_does_not_help() -> None:
    waiting: Waiting[str] = Waiting()
    waiting.begin("a", 0.0)
    for second in range(1, 32):
        waiting.heard("a", second, float(second), complete=False)
    assert waiting.overdue(32.0) == ["a"] and waiting.octets == 31


def test_a_stream_of_messages_is_always_in_the_middle_of_one_and_never_late() -> None:
    waiting: Waiting[str] = Waiting()
    waiting.begin("a", 0.0)
    for second in range(100):
        waiting.heard("a", 50, float(second), complete=True)
    assert waiting.timer() == 99.0 + PATIENCE and waiting.octets == 50


def test_too_many_octets_are_given_up_by_those_who_hold_them_longest() -> None:
    waiting: Waiting[str] = Waiting(most_octets=250)
    for number, who in enumerate("abcd"):
        waiting.begin(who, float(number))
        waiting.heard(who, 100, float(number), complete=False)
    assert waiting.octets == 400 and waiting.excess() == ["a", "b"]
    for who in waiting.excess():
        waiting.end(who)
    assert waiting.octets == 200 and waiting.excess() == []
    assert Waiting()._most == MOST_OCTETS == 64 * 1024 * 1024


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans(), st.booleans()))


@given(STEPS)
def test_the_count_of_octets_is_that_of_those_who_are_there(steps: list[tuple[str, int, bool, bool]]) -> None:
    waiting: Waiting[str] = Waiting()
    held: dict[str, int] = {}
    for now, (who, octets, complete, leaves) in enumerate(steps):
        waiting.heard(who, octets, float(now), complete=complete)
        held[who] = octets
        if leaves:
            waiting.end(who)
            del held[who]
    assert waiting.octets == sum(held.values())
    assert {who for who, octets in held.items() if octets} <= set(waiting.overdue(1e9))
