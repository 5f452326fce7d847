"""Security agreements in a capture: which associations a 401 and its REGISTER set up."""

import pytest

from imslab.aka.digest import session_keys
from imslab.capture.file import read_file
from imslab.capture.index import build
from imslab.capture.registrations import Login, gather
from imslab.capture.sec_agree import agreements, keys
from imslab.capture.sip import read
from imslab.capture.unlock import Keyring, keyring
from imslab.sip import SecurityMechanism
from tests.capture.gm import KEYS, PCSCF, UE, Gm


def logins(gm: Gm, ring: Keyring | None = None) -> list[Login]:
    file = read_file(gm.octets)
    return gather(read(file, build(file), []), ring or keyring(**KEYS))


def test_an_agreement() -> None:
    gm = Gm().register().challenge()
    (found,) = agreements(logins(gm))
    assert (found.ue, found.pcscf, found.frame, found.source) == (UE, PCSCF, 2, "key")
    assert found.associations == gm.associations


def test_without_keys_there_is_none() -> None:
    assert agreements(logins(Gm().register().challenge(), Keyring())) == []
    wrong = keyring(k=KEYS["opc"], opc=KEYS["k"])
    assert agreements(logins(Gm().register().challenge(), wrong)) == []


def test_the_keys_in_the_401_will_do() -> None:
    gm = Gm().register().challenge(keys=True)
    (found,) = agreements(logins(gm, Keyring()))
    assert (found.associations, found.source) == (gm.associations, "401")
    (login,) = logins(gm, Keyring())
    assert login.challenge is not None and login.challenge.verified is None
    assert login.challenge.opened is not None and login.challenge.opened.ck == gm.vector.ck


@pytest.mark.parametrize("ck", ["zz", "00", ""])
def test_keys_that_are_none_open_nothing(ck: str) -> None:
    gm = (
        Gm()
        .register()
        .challenge(
            f'WWW-Authenticate: Digest realm="r", nonce="n", ck="{ck}", ik="{"00" * 16}"',
            f"Security-Server: {Gm().server}",
        )
    )
    assert agreements(logins(gm, Keyring())) == []


def test_akav2_has_keys_of_its_own_and_the_others_are_tried_too() -> None:
    gm = Gm(algorithm="AKAv2-MD5").register().challenge()
    (login,) = logins(gm)
    assert login.challenge is not None
    v = gm.vector
    assert list(keys(login.challenge)) == [session_keys("AKAv2-MD5", v.ck, v.ik), (v.ck, v.ik)]
    first, second = agreements([login])
    assert first.associations == gm.associations != second.associations


def test_keys_of_another_length_are_none_for_ipsec() -> None:
    gm = Gm(algorithm="AKAv2-SHA-256").register().challenge()  # CK' and IK' have 32 octets
    (login,) = logins(gm)
    assert login.challenge is not None
    assert list(keys(login.challenge)) == [(gm.vector.ck, gm.vector.ik)]


@pytest.mark.parametrize("algorithm", ["AKAv9-MD5", "FOO"])
def test_an_algorithm_that_nobody_knows_has_the_keys_that_stand_there(algorithm: str) -> None:
    v = Gm().vector
    told = f'nonce="n", algorithm={algorithm}, ck="{v.ck.hex()}", ik="{v.ik.hex()}"'
    gm = (
        Gm()
        .register()
        .challenge(f'WWW-Authenticate: Digest realm="r", {told}', f"Security-Server: {Gm().server}")
    )
    (login,) = logins(gm, Keyring())
    assert list(keys(login.challenges[-1])) == [(v.ck, v.ik)]
    assert agreements([login])[0].associations == gm.associations


def test_every_pair_that_goes_together_is_a_candidate_once() -> None:
    gm = Gm(alg="hmac-md5-96", ealg="null")
    other = SecurityMechanism.parse(str(gm.server).replace("hmac-md5-96", "hmac-sha-1-96"))
    bad = SecurityMechanism.parse(str(gm.server).replace("hmac-md5-96", "hmac-sha-9"))
    tls = SecurityMechanism.parse("tls")
    row = f"Security-Server: {tls}, {gm.server}, {other}, {bad}"
    gm.register().challenge(row).challenge(row)
    found = agreements(logins(gm))
    assert [one.associations.request.sa.integrity for one in found] == ["hmac-md5-96", "hmac-sha-1-96"]


def test_a_401_without_security_server_sets_up_nothing() -> None:
    assert agreements(logins(Gm().register().challenge("Security-Server: tls"))) == []
    assert agreements(logins(Gm().challenge())) == []  # nor one whose REGISTER was not seen


def test_a_flood_of_mechanisms_is_bounded() -> None:
    gm = Gm()
    many = [str(gm.server).replace("2001", str(3000 + number)) for number in range(40)]
    found = agreements(logins(gm.register().challenge(f"Security-Server: {', '.join(many)}")))
    assert [one.associations.network_answer.sa.spi for one in found] == list(range(3000, 3032))
