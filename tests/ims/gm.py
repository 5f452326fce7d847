"""A home network whose access is protected, and somebody who stands between the UE and its P-CSCF."""

from collections.abc import Callable

from imslab.data import profile_path
from imslab.ims.home import HomeNetwork
from imslab.ims.node import Send
from imslab.lab import Seeded
from imslab.sip import Message
from imslab.uicc import Profile

ALICE = Profile.load(profile_path("alice"))


def gm(**options) -> HomeNetwork:
    return HomeNetwork(ALICE, random=Seeded("gm"), **{"ipsec": True, **options})


def altered(network: HomeNetwork, change: Callable[[Message], Message], *, status: int | None = None) -> None:
    """Change what passes in clear between the UE and the P-CSCF: requests, or responses with ``status``."""
    ends = {network.ue.address, network.pcscf.address}

    def intercept(send: Send) -> list[Send]:
        if send.destination.is_protected or {send.source, send.destination} != ends:
            return [send]
        message = Message.parse(send.octets)
        meant = message.is_request if status is None else message.status == status
        return [send._replace(octets=bytes(change(message)))] if meant else [send]

    network.intercept = intercept


def opened(network: HomeNetwork, send: Send) -> Message:
    """Return the message in an ESP packet, read with the keys of whoever receives it."""
    node = network.ue if send.destination.host == network.ue.address.host else network.pcscf
    assert node.database is not None
    association = node.database.receiving(int.from_bytes(send.octets[:4]))
    assert association is not None
    return Message.parse(association.sa.open(send.octets).payload[8:])


def dropped(network: HomeNetwork) -> list[str]:
    """Why ESP packets were dropped."""
    return [event.why for event in network.log if event.what == "ESP packet dropped"]
