"""Wireshark's associations: made of K, a RAND and two headers, they are those that open the packets."""

from dataclasses import replace

import pytest

from imslab.capture import esp_sa
from imslab.data import profile_path
from imslab.errors import Malformed
from imslab.interop import Agreement, Target, judge, wireshark
from imslab.ipsec import UDP, Inbound, Outbound
from imslab.sip.sec_agree import SecurityMechanism
from imslab.uicc import Profile

ALICE = Profile.load(profile_path("alice"))
RAND = bytes(range(16))
UE, PCSCF = "192.0.2.11", "192.0.2.21"


def agreement(alg: str = "hmac-sha-1-96", ealg: str = "aes-cbc", mode: str = "trans") -> Agreement:
    text = (
        f"ipsec-3gpp;alg={alg};ealg={ealg};prot=esp;mod={mode};spi-c={{}};spi-s={{}};port-c={{}};port-s={{}}"
    )
    client, server = text.format(1001, 1002, 5100, 5101), text.format(2001, 2002, 5102, 5103)
    return Agreement(RAND, SecurityMechanism.parse(client), SecurityMechanism.parse(server), UE)


def target(of: Agreement) -> Target:
    return Target(pcscf=PCSCF, agreement=of)


def reasons(profile: Profile, where: Target) -> list[str]:
    verdict = next(one for one in judge(profile, where) if one.peer.name == "wireshark")
    return [limit.why for limit in verdict.limits if limit.blocks]


@pytest.mark.parametrize(
    ("alg", "ealg"), [("hmac-sha-1-96", "aes-cbc"), ("hmac-md5-96", "des-ede3-cbc"), ("null", "aes-gcm")]
)
def test_the_table_opens_what_the_ends_send(alg: str, ealg: str) -> None:
    where = target(agreement(alg, ealg))
    assert reasons(ALICE, where) == []
    rows = esp_sa.parse(wireshark.files(ALICE, where)["esp_sa"])
    assert {(row.source, row.destination, int(row.spi, 16)) for row in rows} == {
        (UE, PCSCF, 2002), (PCSCF, UE, 1001), (PCSCF, UE, 1002), (UE, PCSCF, 2001),
    }  # fmt: skip
    vector = ALICE.functions
    ck, ik = vector.f3(RAND), vector.f4(RAND)
    for row in rows:
        assert row.encryption == ealg and row.integrity == alg
        assert row.encryption_key.startswith(ck)
        assert row.integrity_key.startswith(ik) or alg == "null"
        sa = row.association(int(row.spi, 16))
        sent = Outbound(sa, bytes).seal(UDP, b"REGISTER")
        assert Inbound(sa).open(sent).payload == b"REGISTER"


def test_what_wireshark_cannot_open() -> None:
    assert "give --rand, --security-client, --security-server" in reasons(ALICE, Target())[0]
    assert reasons(ALICE, target(agreement("aes-gmac", "null"))) == ["Wireshark has no name for AES-GMAC"]
    assert "alg=null does not go with ealg=aes-cbc" in reasons(ALICE, target(agreement("null")))[0]
    assert "mod=udp-enc-tun" in reasons(ALICE, target(agreement(mode="udp-enc-tun")))[0]
    carol = replace(Profile.load(profile_path("carol")), ck_length=32)
    assert reasons(carol, target(agreement())) == [
        "IPsec keys are made of CK and IK of 16 octets; CK has 32 here"
    ]
    with pytest.raises(Malformed):
        wireshark.rows(ALICE, target(agreement("null")), agreement("null"))
