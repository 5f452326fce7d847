"""``with imslab.refuses(...)``: it fails when nothing is refused."""

import pytest

import imslab
from imslab import MacFailure, Malformed, SyncFailure


def test_shows_and_keeps_what_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with imslab.refuses(MacFailure) as caught:
        raise MacFailure("the network has not proved that it knows K")
    assert isinstance(caught.error, MacFailure)
    assert "refused: MacFailure: the network has not proved" in capsys.readouterr().out
    assert "has not proved" in repr(caught)


def test_fails_when_nothing_is_refused() -> None:
    wanted = "nothing was refused; expected MacFailure or SyncFailure"
    with pytest.raises(AssertionError, match=wanted), imslab.refuses(MacFailure, SyncFailure):
        pass


def test_another_error_goes_through() -> None:
    with pytest.raises(Malformed, match="odd"), imslab.refuses(MacFailure):
        raise Malformed("odd")


def test_a_subclass_is_caught() -> None:
    with imslab.refuses(imslab.ImslabError) as caught:
        raise SyncFailure("stale", auts=bytes(14))
    assert isinstance(caught.error, SyncFailure)


def test_local_values_are_let_go() -> None:
    with imslab.refuses(MacFailure) as caught:
        raise MacFailure("no")
    assert caught.error.__traceback__ is None


def test_used_again_it_forgets() -> None:
    caught = imslab.refuses(MacFailure)
    with caught:
        raise MacFailure("no")
    with pytest.raises(AssertionError), caught:
        pass
    with pytest.raises(AssertionError, match="nothing was refused"):
        _ = caught.error


def test_needs_an_error() -> None:
    with pytest.raises(TypeError):
        imslab.refuses()
