"""A card, its key sets, and a server with them."""

from collections.abc import Callable
from itertools import count

import pytest

from imslab.data import profile_path
from imslab.uicc import Card, Profile
from imslab.uicc.ota import KeySet, ResponsePacket, Spi, command_packet, deliver, seal, unseal_response

Send = Callable[..., ResponsePacket]


@pytest.fixture
def alice() -> Profile:
    return Profile.load(profile_path("alice"))


@pytest.fixture(params=["T=0", "T=1"])
def card(request: pytest.FixtureRequest, alice: Profile) -> Card:
    return Card(alice, protocol=request.param)


@pytest.fixture
def keys(alice: Profile) -> KeySet:
    return alice.ota[0]


@pytest.fixture
def send(card: Card, keys: KeySet) -> Send:
    """Send one script with the next counter, and open what comes back."""
    counters = count(1)

    def one(tar: bytes, data: bytes, *, counter: int | None = None, spi: Spi | None = None) -> ResponsePacket:
        command = command_packet(keys, tar, data, next(counters) if counter is None else counter, spi)
        return unseal_response(deliver(card, seal(command, keys)), command, keys)

    return one
