"""Cards for the tests of the card."""

import pytest

from imslab.data import profile_path
from imslab.uicc import Card, Profile


@pytest.fixture
def alice() -> Profile:
    return Profile.load(profile_path("alice"))


@pytest.fixture
def carol() -> Profile:
    return Profile.load(profile_path("carol"))


@pytest.fixture
def card(alice: Profile) -> Card:
    return Card(alice)


@pytest.fixture
def t0(alice: Profile) -> Card:
    return Card(alice, protocol="T=0")
