"""The four security associations: TS 33.203, 7.1 and 7.2, against data/vectors/sec_agree.json."""

from typing import Any

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.ipsec import Associations, agreed
from imslab.ipsec.associations import MECHANISM, algorithms
from imslab.ipsec.keys import gcm_salt
from imslab.sip import SecurityMechanism
from imslab.sip.sec_agree import same_list

KNOWN = vectors("sec_agree")
CK, IK = bytes(range(16)), bytes(range(16, 32))


def mechanism(**more: Any) -> SecurityMechanism:
    values = {"alg": "hmac-sha-1-96", "spi_c": 1001, "spi_s": 1002, "port_c": 5062, "port_s": 5064, **more}
    return SecurityMechanism.ipsec_3gpp(**values)


def server(**more: Any) -> SecurityMechanism:
    return mechanism(**{"spi_c": 2001, "spi_s": 2002, "port_c": 5104, "port_s": 6104, **more})


def mechanisms(value: str) -> list[SecurityMechanism]:
    return [SecurityMechanism.parse(text.strip()) for text in value.split(",")]


@pytest.mark.parametrize("entry", KNOWN["sa_matrix"], ids=lambda entry: str(entry["id"]))
def test_who_uses_which_spi_and_ports(entry: dict[str, Any]) -> None:
    ue, pcscf = entry["ue"], entry["pcscf"]
    client = mechanism(spi_c=ue["spi_uc"], spi_s=ue["spi_us"], port_c=ue["port_uc"], port_s=ue["port_us"])
    serving = mechanism(
        spi_c=pcscf["spi_pc"], spi_s=pcscf["spi_ps"], port_c=pcscf["port_pc"], port_s=pcscf["port_ps"]
    )
    values = ue | pcscf
    expected = [
        (sa["dir"] == "UE->P-CSCF", values[sa["src_port"]], values[sa["dst_port"]], values[sa["spi"]])
        for sa in entry["sas"]
    ]
    found = Associations.agree(client, serving, CK, IK)
    assert [(a.from_ue, a.source_port, a.destination_port, a.sa.spi) for a in found] == expected
    assert [found.request, found.answer, found.network_request, found.network_answer] == list(found)


@pytest.mark.parametrize("entry", KNOWN["headers"], ids=lambda entry: str(entry["id"]))
def test_headers(entry: dict[str, Any]) -> None:
    if not entry["valid"]:
        with pytest.raises(Malformed):
            Associations.agree(mechanisms(entry["value"])[0], server(), CK, IK)
        return
    found = mechanisms(entry["value"])
    assert [(m.name, dict(m.params)) for m in found] == [
        (row["mechanism"], {name: value.strip('"') for name, value in row["params"].items()})
        for row in entry["parsed"]
    ]
    for one in found:
        if one.name == MECHANISM:
            assert Associations.agree(mechanism(), one, CK, IK).request.sa.spi == one.spi_s
        else:
            with pytest.raises(Malformed, match="is no ipsec-3gpp"):
                Associations.agree(mechanism(), one, CK, IK)


@pytest.mark.parametrize("entry", KNOWN["negotiation"], ids=lambda entry: str(entry["id"]))
def test_negotiation(entry: dict[str, Any]) -> None:
    offered = [SecurityMechanism.parse(text) for text in entry["server"]]
    if "chosen" not in entry:
        returned = [SecurityMechanism.parse(text) for text in entry["security_verify"]]
        assert same_list(offered, returned) == entry["accept"]
        return
    clients = [
        mechanism(alg=alg, ealg=ealg) for alg, ealg in (both.split("/") for both in entry["client_supports"])
    ]
    assert agreed(clients, offered) == (clients[0], offered[entry["chosen"]])


def test_every_list_of_the_file_is_read() -> None:
    lists = {name for name, value in KNOWN.items() if isinstance(value, list)}
    assert lists == {"key_expansion", "esp", "headers", "negotiation", "sa_matrix"}


def test_keys_are_those_of_the_agreed_algorithms() -> None:
    found = Associations.agree(mechanism(), server(ealg="aes-cbc"), CK, IK)
    for one in found:
        assert (one.sa.encryption, one.sa.encryption_key) == ("aes-cbc", CK)
        assert (one.sa.integrity, one.sa.integrity_key) == ("hmac-sha-1-96", IK + bytes(4))
    gcm = Associations.agree(mechanism(), server(alg="null", ealg="AES-GCM"), CK, IK)
    assert gcm.request.sa.encryption_key == CK + gcm_salt(CK, IK)
    assert gcm.request.sa.integrity_key == b""


def test_an_association_is_found_by_its_receiver_and_spi() -> None:
    found = Associations.agree(mechanism(), server(spi_s=1001), CK, IK)  # the same number at both ends
    assert found.to_pcscf(1001) is found.request
    assert found.to_ue(1001) is found.answer
    assert found.to_ue(1002) is found.network_request
    assert found.to_pcscf(2001) is found.network_answer
    assert found.to_pcscf(1002) is found.to_ue(2001) is None


def test_what_one_seals_the_other_opens() -> None:
    one = Associations.agree(mechanism(), server(ealg="aes-cbc"), CK, IK).request.sa
    other = Associations.agree(mechanism(), server(ealg="aes-cbc"), CK, IK).to_pcscf(2002)
    assert other is not None
    assert other.sa.open(one.seal(1, 17, b"REGISTER", bytes(16))).payload == b"REGISTER"


def test_the_mode_is_kept() -> None:
    assert Associations.agree(mechanism(), server(), CK, IK).mode == "trans"
    assert Associations.agree(mechanism(), server(mod="UDP-enc-tun"), CK, IK).mode == "udp-enc-tun"


@pytest.mark.parametrize(
    "more",
    [
        {"alg": "hmac-sha-1-96", "ealg": "aes-gcm"},
        {"alg": "null"},
        {"alg": "null", "ealg": "aes-cbc"},
        {"alg": "aes-gmac", "ealg": "aes-cbc"},
        {"prot": "ah"},
        {"mod": "tun"},
        {"spi_c": 2002},
        {"spi_c": 0},
        {"alg": "hmac-sha-9"},
        {"ealg": "rot13"},
    ],
    ids=str,
)
def test_what_is_no_protection_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Associations.agree(mechanism(), server(**more), CK, IK)


def test_both_ends_must_say_what_they_must_say() -> None:
    for missing in ("spi-c", "spi-s", "port-c", "port-s", "alg"):
        text = ";".join(part for part in str(server()).split(";") if not part.startswith(missing))
        for pair in ((mechanism(), SecurityMechanism.parse(text)), (SecurityMechanism.parse(text), server())):
            with pytest.raises(Malformed, match="without"):
                Associations.agree(*pair, CK, IK)


def test_the_highest_preference_that_both_have() -> None:
    low = server(q="0.2", ealg="aes-cbc")
    high = server(q="0.9", alg="hmac-md5-96")
    clients = [mechanism(alg="hmac-md5-96", ealg="aes-cbc"), mechanism(ealg="aes-cbc")]
    tls = SecurityMechanism.parse("tls;q=1")
    assert agreed([tls, *clients], [tls, high, low]) == (clients[1], low)
    assert agreed(clients, [high]) is None
    assert agreed([tls], [tls]) is None
    assert agreed([], []) is None


def test_algorithms_have_defaults() -> None:
    assert algorithms(SecurityMechanism.parse("IPSEC-3GPP;alg=HMAC-MD5-96")) == (
        "hmac-md5-96",
        "null",
        "trans",
    )
