"""Diameter: hosts, identities and vectors are others, codes and results are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.aka import Milenage, generate_auts, generate_vector
from imslab.capture.anonymise.diameter import Diameter, kind_of
from imslab.ims.cx import (
    Assignment,
    MultimediaAuthAnswer,
    MultimediaAuthRequest,
    Result,
    ServerAssignmentAnswer,
    ServerAssignmentRequest,
)
from imslab.net.cx import decode, encode
from tests.capture.anonymise.parts import OPC, K, Parts, parts

HOME = "ims.mnc001.mcc001.3gppnetwork.org"
IMPI, IMPU = f"001010000000001@{HOME}", f"sip:alice@{HOME}"
MILENAGE = Milenage(K, OPC)
RAND, SQN = bytes(range(16)), bytes.fromhex("000000000120")
VECTOR = generate_vector(MILENAGE, RAND, SQN)
AUTS = generate_auts(MILENAGE, RAND, SQN)


def vector_messages(authorization: bytes = b"") -> tuple[bytes, bytes]:
    request = MultimediaAuthRequest(IMPU, IMPI, f"sip:scscf.{HOME}", authorization)
    return encode(request, MultimediaAuthAnswer(Result.SUCCESS, VECTOR), 7)


def rewritten(made: Parts, *messages: bytes) -> list[bytes]:
    diameter = Diameter(made.texts, made.challenges)
    diameter.survey(b"".join(messages))
    return [diameter.rewrite(message) for message in messages]


def test_a_vector_is_one_of_the_new_key(keyed: Parts) -> None:
    question, reply = rewritten(keyed, *vector_messages())
    new = generate_vector(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)
    answer = decode(reply)
    assert answer.value.vector == new  # type: ignore[union-attr]
    assert answer.result == 2001
    asked = decode(question)
    assert asked.impi == keyed.texts.name(IMPI)
    assert asked.impu == keyed.texts.uri(IMPU)
    assert asked.identifier == answer.identifier == 7
    assert asked.session == answer.session
    assert b"alice" not in question + reply


def test_a_resynchronisation(keyed: Parts) -> None:
    question, _ = rewritten(keyed, *vector_messages(RAND + AUTS))
    new = generate_auts(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)
    assert decode(question).value.authorization == keyed.challenges.rand(RAND) + new  # type: ignore[union-attr]


def test_without_a_key_the_vector_is_consistent(made: Parts) -> None:
    (reply,) = rewritten(made, vector_messages()[1])
    vector = decode(reply).value.vector  # type: ignore[union-attr]
    assert vector is not None
    assert vector.rand == made.challenges.rand(RAND)
    assert vector.autn == made.challenges.autn(RAND, VECTOR.autn)
    assert vector.ck == made.pseudonyms.octets(VECTOR.ck)


def test_a_profile_in_xml(made: Parts) -> None:
    request = ServerAssignmentRequest(IMPU, IMPI, f"sip:scscf.{HOME}", Assignment.REGISTRATION)
    (reply,) = rewritten(made, encode(request, ServerAssignmentAnswer(Result.SUCCESS, (IMPU,)), 8)[1])
    assert decode(reply).value.impus == (made.texts.uri(IMPU),)  # type: ignore[union-attr]


def test_several_messages_and_a_cut_one(made: Parts) -> None:
    one, other = vector_messages()
    diameter = Diameter(made.texts, made.challenges)
    diameter.survey(one + other)
    assert diameter.rewrite(one + other) == diameter.rewrite(one) + diameter.rewrite(other)
    for length in range(len(other)):
        cut = diameter.rewrite(other[:length])
        assert len(cut) == length
        assert b"mnc001" not in cut


@pytest.mark.parametrize(
    ("code", "vendor", "kind"),
    [
        (1, 0, "AvpUtf8String"),
        (265, 0, "AvpUnsigned32"),
        (612, 10415, "AvpGrouped"),
        (99999, 10415, ""),
        (1, 4711, ""),
    ],
)
def test_types_are_the_dictionary_s(code: int, vendor: int, kind: str) -> None:
    assert kind_of(code, vendor) == kind


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 200))
def test_any_octets_keep_their_number(noise: bytes, at: int) -> None:
    made, reply = parts(), vector_messages()[1]
    for octets in (noise, reply[:at] + noise + reply[at + len(noise) :], reply[:20] + noise):
        diameter = Diameter(made.texts, made.challenges)
        diameter.survey(octets)
        assert len(diameter.rewrite(octets)) == len(octets)
