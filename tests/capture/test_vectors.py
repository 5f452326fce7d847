"""What a capture tells of AKA challenges by itself."""

from typing import Any

from imslab.capture import apdu, open_capture
from imslab.capture.vectors import told


def of(login: Any) -> dict[tuple[bytes, bytes], Any]:
    capture = open_capture(login.octets)
    return told(capture.cx_events, apdu.pairs(capture.apdu_events))


def test_the_hss_tells(login: Any) -> None:
    login.vector_from_hss()
    (key, opened), *rest = of(login).items()
    vector = login.vector
    assert key == (vector.rand, vector.autn) and rest == []
    assert (opened.res, opened.ck, opened.ik, opened.source) == (vector.xres, vector.ck, vector.ik, "Cx")
    assert (opened.sqn, opened.functions, opened.password) == (b"", None, None)
    assert vector.ck.hex() not in repr(opened) and repr(vector.ck) not in repr(opened)


def test_the_card_tells_and_counts_more(login: Any) -> None:
    login.vector_from_hss()
    login.card()
    (opened,) = of(login).values()
    assert (opened.res, opened.ck, opened.ik, opened.source) == (
        login.vector.xres,
        login.vector.ck,
        login.vector.ik,
        "card",
    )


def test_a_card_that_refuses_tells_nothing(login: Any) -> None:
    login.card(auts=bytes(14))
    assert of(login) == {}


def test_nothing_from_nothing(login: Any) -> None:
    login.register(1, login.first())
    assert of(login) == {}
