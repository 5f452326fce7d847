"""Registrations: what belongs together, how it ended, and whether the numbers are right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imslab.aka.digest import password
from imslab.capture import Registration, open_capture

Steps = Callable[[Any], object]


def one(login: Any, keys: dict[str, str] | None = None) -> Registration:
    """Return the only registration in what ``login`` wrote."""
    (found,) = open_capture(login.octets, **(keys or {})).logins
    return found


def test_a_whole_login(login: Any, keys: dict[str, str]) -> None:
    registration = one(login.whole(), keys)
    assert (registration.result, registration.status) == ("registered", 200)
    assert registration.algorithm == "AKAv2-MD5"
    assert registration.impi == "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    assert registration.impu == "sip:alice@ims.mnc001.mcc001.3gppnetwork.org"
    assert registration.frames == (1, 2, 8, 9, 12, 13, 16, 17)
    assert registration.seconds == pytest.approx(0.022, abs=1e-5)
    assert not registration.resync


def test_the_challenge_is_split(login: Any, keys: dict[str, str]) -> None:
    challenge = one(login.whole(), keys).challenge
    assert challenge is not None
    assert challenge.rand == login.vector.rand
    assert (challenge.sqn_xor_ak, challenge.amf, challenge.mac_a) == (
        login.vector.sqn_xor_ak,
        login.vector.amf,
        login.vector.mac_a,
    )
    assert challenge.sqn.hex() == "ff9bb4d0b607"
    assert challenge.frame == 8  # the hop on which the nonce was first seen
    assert challenge.keys_sent  # the S-CSCF gave ck and ik to the P-CSCF
    assert (challenge.answered, challenge.verified, challenge.auts) == (True, True, b"")


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
def test_every_algorithm_verifies(login: Any, keys: dict[str, str], algorithm: str) -> None:
    login.algorithm = algorithm
    registration = one(login.whole(), keys)
    assert registration.algorithm == algorithm
    assert registration.challenge is not None
    assert registration.challenge.verified is True


def test_without_keys_nothing_is_verified(login: Any) -> None:
    login.register(1, login.first())
    login.challenge(1)
    login.register(2, login.answer())
    challenge = one(login).challenge
    assert challenge is not None
    assert (challenge.verified, challenge.sqn) == (None, b"")
    assert challenge.opened is not None and challenge.opened.source == "401"  # the S-CSCF gave ck and ik


@pytest.mark.parametrize("source", ["Cx", "card"])
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_what_the_capture_itself_tells_verifies_an_answer(login: Any, source: str, wrong: bool) -> None:
    login.register(1, login.first())
    if source == "Cx":
        login.vector_from_hss()
    login.challenge(1)
    if source == "card":
        login.card()
    login.register(2, login.answer(wrong=wrong))
    challenge = one(login).challenge
    assert challenge is not None and challenge.opened is not None
    assert (challenge.verified, challenge.sqn, challenge.opened.source) == (not wrong, b"", source)


def test_an_hss_that_computes_the_password_of_akav2_itself(login: Any) -> None:
    """XRES is then the base64 text of RFC 4169: for a core that takes it for AKAv1."""
    v = login.vector
    login.register(1, login.first())
    login.vector = replace(v, xres=password("AKAv2-MD5", v.xres, v.ck, v.ik))
    login.vector_from_hss()
    login.vector = v
    login.challenge(1)
    login.register(2, login.answer())
    challenge = one(login).challenge
    assert challenge is not None and challenge.verified is True


def test_a_resynchronisation_is_not_judged_without_the_key(login: Any) -> None:
    login.resynchronised()
    first, second = one(login).challenges
    assert (first.verified, second.verified) == (None, True)


def test_a_wrong_key_is_found_out(login: Any, keys: dict[str, str]) -> None:
    wrong = {**keys, "opc": "00" * 16}
    challenge = one(login.whole(), wrong).challenge
    assert challenge is not None
    assert challenge.verified is False


def test_a_wrong_response_is_found_out(login: Any, keys: dict[str, str]) -> None:
    login.register(1, login.first())
    login.challenge(1)
    login.register(2, login.answer(wrong=True))
    login.final(2, "403 Forbidden")
    registration = one(login, keys)
    assert (registration.result, registration.status) == ("rejected", 403)
    assert registration.challenge is not None
    assert registration.challenge.verified is False


def test_a_resynchronisation(login: Any, keys: dict[str, str]) -> None:
    registration = one(login.resynchronised(), keys)
    first, second = registration.challenges
    assert registration.resync
    assert registration.result == "registered"
    assert registration.challenge == second
    assert len(first.auts) == 14
    assert [challenge.verified for challenge in (first, second)] == [True, True]
    assert [challenge.sqn.hex() for challenge in (first, second)] == ["ff9bb4d0b607", "ff9bb4d0b720"]


def test_a_wrong_auts_is_found_out(login: Any, keys: dict[str, str]) -> None:
    login.register(1, login.first())
    login.challenge(1)
    login.register(2, login.answer(auts=bytes(14)))
    login.final(2, "403 Forbidden")
    challenge = one(login, keys).challenge
    assert challenge is not None
    assert (challenge.auts, challenge.verified) == (bytes(14), False)


def unanswered(login: Any) -> None:
    login.register(1, login.first())


def challenged(login: Any) -> None:
    login.register(1, login.first())
    login.challenge(1)


def refused(login: Any) -> None:
    login.register(1, login.first())
    login.final(1, "404 Not Found")


def without_challenge(login: Any) -> None:
    login.register(1, login.first())
    login.final(1)


def leaving(login: Any) -> None:
    login.register(1, login.first(), contact="<sip:127.0.0.2>;expires=0")
    login.final(1)


def leaving_everywhere(login: Any) -> None:
    login.register(1, login.first(), contact="*")
    login.final(1)


@pytest.mark.parametrize(
    ("steps", "result", "status"),
    [
        (unanswered, "unanswered", None),
        (challenged, "challenged", 401),
        (refused, "rejected", 404),
        (without_challenge, "registered", 200),
        (leaving, "deregistered", 200),
        (leaving_everywhere, "deregistered", 200),
    ],
)
def test_how_a_registration_ends(login: Any, steps: Steps, result: str, status: int | None) -> None:
    steps(login)
    registration = one(login)
    assert (registration.result, registration.status) == (result, status)


def test_the_next_register_of_the_same_call_id_is_another_registration(
    login: Any, keys: dict[str, str]
) -> None:
    login.whole()
    login.register(3, login.first(), contact="<sip:127.0.0.2>;expires=0")
    login.final(3)
    capture = open_capture(login.octets, **keys)
    assert [found.result for found in capture.logins] == ["registered", "deregistered"]
    assert capture.registrations["result"].tolist() == ["registered", "deregistered"]
    assert capture.registration().result == "deregistered"
    assert capture.registration(0).result == "registered"


def test_two_users_at_once_are_kept_apart(login: Any) -> None:
    login.register(1, login.first())
    login.call_id = "two@127.0.0.2"
    login.register(1, login.first())
    login.final(1)
    login.call_id = "one@127.0.0.2"
    login.challenge(1)
    assert [found.result for found in open_capture(login.octets).logins] == ["challenged", "registered"]


def test_what_is_broken_does_not_end_the_view(login: Any, keys: dict[str, str]) -> None:
    login.register(1, "nonsense")
    login.nonce = "!!!"
    login.challenge(1)
    registration = one(login, keys)
    assert registration.result == "challenged"
    assert registration.challenge is not None
    assert (registration.challenge.rand, registration.challenge.verified) == (b"", None)


def test_the_ladder_of_a_registration_holds_card_and_hss(login: Any) -> None:
    labels = [arrow.label for arrow in one(login.whole()).arrows()]
    assert labels == [
        "REGISTER", "REGISTER", "MAR", "MAA 2001", "401 Unauthorized · AKAv2-MD5",
        "401 Unauthorized · AKAv2-MD5",
        "AUTHENTICATE (3G)", "DB: RES CK IK", "REGISTER", "REGISTER", "SAR", "SAA 2001", "200 OK", "200 OK",
    ]  # fmt: skip


def test_what_others_do_meanwhile_is_not_in_it(login: Any) -> None:
    login.register(1, login.first())
    login.call_id = "two@127.0.0.2"
    login.register(1, login.first())
    login.call_id = "one@127.0.0.2"
    login.final(1)
    registration = open_capture(login.octets).registration(0)
    assert registration.frames == (1, 2, 5, 6)
    assert [arrow.frame for arrow in registration.arrows()] == [1, 2, 5, 6]


def test_a_registration_shows_itself_without_markup_of_strangers(login: Any, keys: dict[str, str]) -> None:
    registration = one(login.whole(), keys)
    assert "AKAv2-MD5" in repr(registration)
    text = registration._repr_html_()
    assert login.vector.rand.hex() in text
    assert login.vector.ck.hex() not in text
    registration.impu = "<script>"
    assert "<script>" not in registration._repr_html_()
