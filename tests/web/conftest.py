"""What the tests of the demo share: software cards with access rules for a page's origin."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imslab.data import profile_path
from imslab.lab import Seeded
from imslab.uicc import Card, Exchange, Profile
from imslab.uicc.access import AccessRules, lab_rules
from imslab.uicc.personalisation import ISIM_AID
from imslab.web.element import SecureElement
from imslab.web.slot import SoftwareSlot

PAGE = "http://127.0.0.1:8080"


class Desk:
    """One card in one slot, and what was said to it."""

    def __init__(self, name: str = "alice", *, protocol: Any = "T=0", **element: Any) -> None:
        access = element.pop("access", lab_rules(ISIM_AID, PAGE))
        self.profile = replace(Profile.load(profile_path(name)), access=access)
        self.card = Card(self.profile, protocol=protocol)
        self.slot = SoftwareSlot("reader", self.card)
        self.exchanges: list[Exchange] = []
        self.resets: list[bytes] = []
        self.random = Seeded("desk")
        self.element = SecureElement(
            self.slot,
            clock=lambda: 0.0,
            on_exchange=self.exchanges.append,
            on_reset=self.resets.append,
            **element,
        )


@pytest.fixture
def desk() -> Callable[..., Desk]:
    return Desk


@pytest.fixture
def no_rules() -> AccessRules:
    return AccessRules()
