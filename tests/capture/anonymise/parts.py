"""The parts that rewrite text, put together under one seed, without a capture."""

from dataclasses import dataclass

from imslab.aka import AkaFunctions
from imslab.capture.anonymise.addresses import Addresses
from imslab.capture.anonymise.aka import Challenges
from imslab.capture.anonymise.bodies import Bodies
from imslab.capture.anonymise.credentials import Authentication
from imslab.capture.anonymise.messages import Messages
from imslab.capture.anonymise.numbers import Numbers
from imslab.capture.anonymise.pseudonyms import Pseudonyms
from imslab.capture.anonymise.sdp import Sdp
from imslab.capture.anonymise.sealed import Sealed
from imslab.capture.anonymise.text import Texts

SEED = b"a seed of the tests"
K, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")


@dataclass
class Parts:
    """Everything that rewrites text, with the keys of TS 35.208, set 1."""

    pseudonyms: Pseudonyms
    numbers: Numbers
    addresses: Addresses
    texts: Texts
    challenges: Challenges
    authentication: Authentication
    sdp: Sdp
    bodies: Bodies
    sealed: Sealed
    messages: Messages


def parts(seed: bytes = SEED, keys: tuple[AkaFunctions, ...] = ()) -> Parts:
    pseudonyms = Pseudonyms(seed)
    numbers, addresses = Numbers(pseudonyms), Addresses(pseudonyms)
    texts = Texts(pseudonyms, numbers, addresses)
    challenges = Challenges(pseudonyms, keys)
    authentication, sdp = Authentication(texts, challenges), Sdp(texts)
    bodies, sealed = Bodies(texts, sdp), Sealed(pseudonyms, challenges)
    messages = Messages(texts, authentication, bodies, sealed)
    return Parts(
        pseudonyms, numbers, addresses, texts, challenges, authentication, sdp, bodies, sealed, messages
    )
