"""AKAv2 by its name only: a core that compares with what the HSS gives, and one that computes."""

import pytest

import imslab
from imslab.capture.unlock import holds
from imslab.data import path
from imslab.errors import RegistrationFailed
from imslab.ims.scscf import Policy
from imslab.lab.akav2 import ALGORITHM, by_name_only


def judged(login):
    """The result of a login, and whether its answer is that of AKAv2, and that of AKAv1."""
    given = [g for e in login.messages for g in e.message.authorization if g.response][-1]
    opened = login.challenge.opened
    return login.result, *(holds(opened, name, "REGISTER", given, b"") for name in (ALGORITHM, "AKAv1-MD5"))


def attempts(lab):
    impi = lab.alice.card.profile.impi
    mine = [one for one in lab.capture.logins if one.impi == impi and one.algorithm == ALGORITHM]
    return [judged(one) for one in mine if one.result != "deregistered"]


EXPECTED = [("registered", True, False), ("rejected", True, False), ("registered", False, True)]


@pytest.mark.component("kamailio")
async def test_a_real_core_that_knows_the_name():
    lab = imslab.Lab(core="kamailio", seed="by name", policy=Policy(algorithms=(ALGORITHM,)))
    try:
        await by_name_only(lab)
        assert attempts(lab) == EXPECTED
    finally:
        await lab.aclose()


def test_the_trace_shows_the_same():
    assert attempts(imslab.Lab(trace=path("traces", "kamailio-call.pcapng"))) == EXPECTED


async def test_a_core_that_computes_is_told_from_one_that_does_not():
    lab = imslab.Lab(seed="by name", policy=Policy(algorithms=(ALGORITHM,)))
    try:
        with pytest.raises(RegistrationFailed, match="computes AKAv2 by itself"):
            await by_name_only(lab)
    finally:
        await lab.aclose()
