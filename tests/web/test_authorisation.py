"""Web credentials and the token that stands for them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import WrongResponse
from imslab.ims.http import Request
from imslab.lab import Seeded
from imslab.web.authorisation import LIFETIME, MOST_WRONG, PAUSE, Authorisation

IMPI, NOW = "1@ims.example", 1_700_000_000.0


@pytest.fixture
def accounts() -> Authorisation:
    return Authorisation({"alice": ("secret", IMPI), "bob": ("other", "2@ims.example")}, random=Seeded("waf"))


def test_a_token_says_whose_it_is_as_long_as_it_lasts(accounts: Authorisation) -> None:
    token = accounts.issue("alice", "secret", NOW)
    assert accounts.vouch(token, NOW) == accounts.vouch(token, NOW + LIFETIME) == IMPI
    with pytest.raises(WrongResponse, match="run out"):
        accounts.vouch(token, NOW + LIFETIME + 1)


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "other"), ("bob", "secret"), ("x", ""), ("alice", "\ud800")]
)
def test_a_wrong_name_or_password(accounts: Authorisation, name: str, password: str) -> None:
    with pytest.raises(WrongResponse, match="name or the password"):
        accounts.issue(name, password, NOW)


def test_guessing_ends_after_five_tries_and_a_minute_later_goes_on(accounts: Authorisation) -> None:
    for _ in range(MOST_WRONG):
        with pytest.raises(WrongResponse, match="name or"):
            accounts.issue("alice", "wrong", NOW)
    with pytest.raises(WrongResponse, match="too many"):
        accounts.issue("alice", "secret", NOW + PAUSE - 1)
    assert accounts.issue("bob", "other", NOW)
    assert accounts.issue("alice", "secret", NOW + PAUSE)


def test_a_token_that_was_changed_or_comes_from_elsewhere(accounts: Authorisation) -> None:
    token = accounts.issue("alice", "secret", NOW)
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(WrongResponse):
            accounts.vouch(changed, NOW)
    other = Authorisation({"alice": ("secret", IMPI)}, random=Seeded("another"))
    with pytest.raises(WrongResponse):
        other.vouch(token, NOW)


@given(st.text(max_size=200))
def test_whatever_is_no_token(text: str) -> None:
    accounts = Authorisation({}, random=Seeded("waf"))
    with pytest.raises(WrongResponse):
        accounts.vouch(text, NOW)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"password": "secret"}', 200), (b'{"password": "wrong"}', 403), (b"", 400), (b"[]", 400),
        (b'{"password": 5}', 400), (b"\xff", 400), (b"[" * 5000, 400), (b'"password"', 400),
    ],
)  # fmt: skip
def test_what_the_web_server_answers(accounts: Authorisation, body: bytes, status: int) -> None:
    answer = accounts.answer("alice", Request("POST", "/alice/token", body=body), NOW)
    assert answer.status == status
    assert b"secret" not in answer.body
    if status == 200:
        assert accounts.vouch(json.loads(answer.body)["token"], NOW) == IMPI
