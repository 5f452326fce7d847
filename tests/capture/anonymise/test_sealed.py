"""ESP: opened with the keys of the capture, sealed with those that follow from them."""

from typing import Any

import pytest

from imslab.aka import Milenage, generate_vector
from imslab.aka.digest import nonce_for
from imslab.capture.anonymise.sealed import Sealed
from imslab.errors import EspError
from imslab.ipsec import Associations
from imslab.sip import SecurityMechanism
from tests.capture.anonymise.parts import OPC, K, Parts

MILENAGE = Milenage(K, OPC)
RAND, SQN = bytes(range(16)), bytes.fromhex("000000000120")
VECTOR = generate_vector(MILENAGE, RAND, SQN)
NONCE = nonce_for(VECTOR.rand, VECTOR.autn)
UDP = b"\x13\xc4\x13\xc4\0\x0d\0\0hello"
ALGORITHMS = [
    ("hmac-md5-96", "null"),
    ("hmac-sha-1-96", "aes-cbc"),
    ("hmac-sha-1-96", "des-ede3-cbc"),
    ("null", "aes-gcm"),
    ("aes-gmac", "null"),
]


def mechanism(alg: str, ealg: str, first: int) -> SecurityMechanism:
    ports: dict[str, Any] = {"port_c": first + 5000, "port_s": first + 5001}
    return SecurityMechanism.ipsec_3gpp(alg=alg, ealg=ealg, spi_c=first, spi_s=first + 1, **ports)


def register(side: str, one: SecurityMechanism, more: str = "") -> str:
    return f"REGISTER sip:x SIP/2.0\r\nCall-ID: a@b\r\nSecurity-{side}: {one}\r\n{more}\r\n"


def inside(kind: int, octets: bytes) -> bytes:
    assert kind == 17
    return octets[:8] + octets[8:].upper()


@pytest.mark.parametrize(("alg", "ealg"), ALGORITHMS)
def test_a_packet_opens_with_the_new_keys(keyed: Parts, alg: str, ealg: str) -> None:
    keyed.challenges.note(RAND, VECTOR.autn)
    client, server = mechanism(alg, ealg, 100), mechanism(alg, ealg, 200)
    keyed.sealed.survey(register("Client", client))
    keyed.sealed.survey(
        register("Server", server, f'WWW-Authenticate: Digest nonce="{NONCE}", algorithm=AKAv1-MD5\r\n')
    )
    assert keyed.sealed.count == 4
    new = generate_vector(keyed.challenges.made[0], keyed.challenges.rand(RAND), SQN)
    before, after = (Associations.agree(client, server, v.ck, v.ik) for v in (VECTOR, new))
    for old_sa, new_sa in zip(before, after, strict=True):
        sealed = old_sa.sa.seal(7, 17, UDP, bytes(old_sa.sa.transform.iv_length))
        moved = keyed.sealed.rewrite(sealed, inside)
        assert len(moved) == len(sealed)
        packet = new_sa.sa.open(moved)
        assert (packet.sequence, packet.payload) == (7, b"\x13\xc4\x13\xc4\0\x0d\0\0HELLO")
        with pytest.raises(EspError):
            old_sa.sa.open(moved)
    assert keyed.sealed.opened == 4


def test_keys_that_reached_the_ue_do_as_well(made: Parts) -> None:
    client, server = mechanism("hmac-sha-1-96", "aes-cbc", 100), mechanism("hmac-sha-1-96", "aes-cbc", 200)
    keys = f'WWW-Authenticate: Digest nonce="{NONCE}", ck="{VECTOR.ck.hex()}", ik="{VECTOR.ik.hex()}"\r\n'
    made.sealed.survey(register("Server", server, keys))
    made.sealed.survey(register("Client", client))
    octets = made.pseudonyms.octets
    old = Associations.agree(client, server, VECTOR.ck, VECTOR.ik).request.sa
    new = Associations.agree(client, server, octets(VECTOR.ck), octets(VECTOR.ik)).request.sa
    assert new.open(made.sealed.rewrite(old.seal(1, 17, UDP, bytes(16)), inside)).payload.endswith(b"HELLO")


def test_null_encryption_is_seen_without_a_key(made: Parts) -> None:
    old = Associations.agree(
        mechanism("hmac-md5-96", "null", 100), mechanism("hmac-md5-96", "null", 200), bytes(16), bytes(16)
    )
    sealed = old.request.sa.seal(7, 17, UDP, b"")
    moved = made.sealed.rewrite(sealed, inside)
    assert (made.sealed.clear, made.sealed.closed) == (1, 0)
    assert moved[:8] == sealed[:8]
    assert b"HELLO" in moved
    assert moved[-12:] != sealed[-12:]  # the check was made with a key that nobody gave
    assert moved[-15:-12] == sealed[-15:-12]  # the trailer


def test_a_closed_packet_becomes_noise(made: Parts) -> None:
    sealed = b"\0\0\0\7\0\0\0\1" + bytes(range(40))
    moved = Sealed(made.pseudonyms, made.challenges).rewrite(sealed, inside)
    assert moved[:8] == sealed[:8]
    assert len(moved) == len(sealed)
    assert bytes(range(8, 40)) not in moved


@pytest.mark.parametrize(
    "head", ["", "Call-ID: a\r\nSecurity-Client: ;;;\r\n", "Call-ID: a\r\nSecurity-Client: tls\r\n"]
)
def test_what_agrees_on_nothing(made: Parts, head: str) -> None:
    made.sealed.survey(head)
    assert made.sealed.count == 0
