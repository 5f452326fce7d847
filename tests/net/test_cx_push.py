"""RTR and PPR through Diameter octets and back, and their answers."""

import pytest

from imslab.ims.cx import PushProfileRequest, RegistrationTerminationRequest, Result
from imslab.net import diameter
from imslab.net.cx import LAB, decode, encode_profile, encode_push_answer, encode_termination

IMPI, IMPUS = "1@ims.example", ("sip:alice@ims.example", "tel:+1<&>")


@pytest.mark.parametrize("impus", [(), IMPUS[:1], IMPUS])
def test_a_termination_comes_back(impus: tuple[str, ...]) -> None:
    said = decode(octets := encode_termination(IMPI, impus, LAB, identifier=3))
    assert (said.name, said.value) == ("RTR", RegistrationTerminationRequest(IMPI, impus))
    _, avps = diameter.parse(octets)
    reason = avps.group(615)
    assert reason.octets(616) == bytes(4) and reason.text(617) == "taken out by the operator"
    assert avps.text(diameter.DESTINATION_HOST) == LAB.scscf


def test_a_profile_comes_back() -> None:
    said = decode(encode_profile(IMPI, IMPUS, LAB, identifier=3))
    assert (said.name, said.value) == ("PPR", PushProfileRequest(IMPI, IMPUS))
    assert decode(encode_profile(IMPI, (), LAB, identifier=3)).value is None


@pytest.mark.parametrize("result", list(Result))
def test_an_answer_belongs_to_its_request(result: Result) -> None:
    asked = decode(encode_termination(IMPI, (), LAB, identifier=3))
    octets = encode_push_answer(asked, result, "scscf.x", "x")
    said = decode(octets)
    assert (said.name, said.identifier, said.end_to_end, said.session) == ("RTA", 3, 3, asked.session)
    assert (said.result, said.origin, said.value) == (result, "scscf.x", None)
    in_experimental = diameter.parse(octets)[1].number(diameter.RESULT) == 0
    assert in_experimental == (result in (5001, 5002, 5004, 5006))
