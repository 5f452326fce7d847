"""What each attacker gets, from a run: the claims that notebook 10 makes are held here."""

import pytest

from imslab.data import profile_path
from imslab.ims import Address
from imslab.lab import Seeded
from imslab.uicc import Profile
from imslab.web.comparison import (
    ATTACKERS,
    CARD,
    CARD_ANSWERS,
    PASSWORD,
    TOKEN,
    WAYS,
    WORDS,
    Comparison,
    World,
    compare,
)

STRONG = "no word of the eavesdropper"


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.load(profile_path("alice"))


@pytest.fixture(scope="module")
def weak(profile: Profile) -> Comparison:
    return compare(profile, random=Seeded("comparison"), password=WORDS[5])


@pytest.fixture(scope="module")
def strong(profile: Profile) -> Comparison:
    return compare(profile, random=Seeded("comparison"), password=STRONG)


NOTHING, OPEN = "gets nothing", "is the user while the page is open"
FOR_GOOD, UNTIL = "is the user for good", "is the user until the token runs out"


@pytest.mark.parametrize(
    ("attacker", "words"),
    [
        ("network", (NOTHING, NOTHING, NOTHING, UNTIL)),
        ("server", (NOTHING, NOTHING, NOTHING, FOR_GOOD)),
        ("script", (FOR_GOOD, OPEN, OPEN, UNTIL)),
        ("laptop", (FOR_GOOD, NOTHING, NOTHING, UNTIL)),
        ("replay", (NOTHING, NOTHING, NOTHING, UNTIL)),
    ],
)
def test_how_long_an_attacker_can_be_the_user(
    strong: Comparison, attacker: str, words: tuple[str, ...]
) -> None:
    assert tuple(strong.of(attacker, way).words for way in WAYS) == words


def test_a_weak_password_is_guessed_by_who_only_listens(weak: Comparison, strong: Comparison) -> None:
    assert weak.of("network", PASSWORD).words == FOR_GOOD
    assert weak.of("network", PASSWORD).learns == "the password"
    assert strong.of("network", PASSWORD).learns == "no secret"
    same = [(one, other) for one, other in zip(weak.outcomes, strong.outcomes, strict=True) if one != other]
    assert len(same) == 1  # and nothing else changes


def test_what_a_script_learns_depends_on_the_mode_of_the_bridge(strong: Comparison) -> None:
    assert strong.of("script", CARD).learns == "RES, CK and IK of this login"
    assert strong.of("script", CARD_ANSWERS).learns == "no secret"
    assert strong.of("script", TOKEN).learns == "the token"


def test_the_table_has_a_cell_for_each_attacker_and_way(strong: Comparison) -> None:
    head, user, *rows = strong.rows()
    assert head[1:] == list(WAYS) and [row[0] for row in rows] == list(ATTACKERS)
    assert user[2] == "clicks once"
    assert {len(row) for row in [head, user, *rows]} == {1 + len(WAYS)}
    assert strong._repr_html_().count("<td") == (1 + len(ATTACKERS)) * (1 + len(WAYS))


def test_no_secret_is_in_the_table_nor_in_what_is_shown(weak: Comparison) -> None:
    assert WORDS[5] not in repr(weak) + weak._repr_html_()


@pytest.mark.parametrize("way", list(WAYS))
def test_the_user_himself_gets_in(profile: Profile, way: str) -> None:
    world = World(profile, way, Seeded("user"), STRONG)
    assert world.log_in()
    bindings = world.scscf.registrar.by_impi(profile.impi)
    assert bindings is not None and len(bindings.bindings) == 1


def test_a_way_that_a_user_does_not_have_is_closed(profile: Profile) -> None:
    world = World(profile, CARD, Seeded("closed"), STRONG)
    other = World(profile, TOKEN, Seeded("closed"), STRONG)
    token = other.accounts.issue("user", STRONG, 0.0)
    stranger = Address("127.0.0.66", 5060)
    assert world.register(stranger, f'Bearer access_token="{token}"').status == 401
