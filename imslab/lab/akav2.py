"""What AKAv2 is in a core that knows it by name only, and how that shows.

Spec: RFC 4169, 2.1: the password of AKAv2 is an HMAC over RES, IK and CK. A core that takes the name and goes
on as in AKAv1 compares with what the HSS calls SIP-Authorization, whatever that is (TS 29.229, 6.3.11): XRES
with most, and with ours, for such cores, the password itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from imslab.aka import digest
from imslab.errors import RegistrationFailed
from imslab.kamailio import Kamailio
from imslab.net import cx

if TYPE_CHECKING:
    from imslab.lab import Lab

ALGORITHM = "AKAv2-MD5"


@contextmanager
def hss_gives_xres() -> Iterator[None]:
    """Let our HSS give XRES for AKAv2 too, as most others do."""
    with patch.object(cx, "_expected", lambda vector, scheme: vector.xres):
        yield


@contextmanager
def everybody_computes_akav1() -> Iterator[None]:
    """Let both ends take RES for the password of AKAv2: AKAv1 under another name."""
    with patch.object(digest, "password", lambda algorithm, res, ck, ik: res):
        yield


async def by_name_only(lab: "Lab") -> None:
    """Let alice log in three times with AKAv2-MD5, on a core that offers it, and leave again.

    First with the password of RFC 4169 from the HSS; then with XRES from it, and the right answer of alice
    is refused; then with the answer of AKAv1. Raises RegistrationFailed where it goes otherwise.
    """
    await lab.alice.register(ALGORITHM)
    await lab.alice.deregister()
    core = lab.core
    if isinstance(core, Kamailio):
        await core.restart("scscf")  # it may still have a vector, with a password, that it has not used
    try:
        with hss_gives_xres():
            await lab.alice.register(ALGORITHM)
    except RegistrationFailed as refused:
        if refused.status != 403:
            raise
    else:
        raise RegistrationFailed("this core computes AKAv2 by itself", status=200)
    with everybody_computes_akav1():
        await lab.alice.register(ALGORITHM)
        await lab.alice.deregister()
