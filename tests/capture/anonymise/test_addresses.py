"""Addresses: subnets, kinds and the length of their text stay; nobody keeps an address."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.addresses import Addresses
from imslab.capture.anonymise.pseudonyms import Pseudonyms

ADDRESSES = Addresses(Pseudonyms(b"a seed of the tests"))


def other(text: str) -> str:
    return str(ipaddress.ip_address(ADDRESSES.ip(ipaddress.ip_address(text).packed)))


@settings(deadline=None)
@given(st.ip_addresses())
def test_the_text_keeps_its_length(address: "ipaddress.IPv4Address | ipaddress.IPv6Address") -> None:
    new = ipaddress.ip_address(ADDRESSES.ip(address.packed))
    assert len(new.exploded) == len(address.exploded)
    if not address.packed.startswith(bytes(10) + b"\xff\xff"):  # written with IPv4 at the end, or not
        assert len(str(new)) == len(str(address))


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "255.255.255.255", "224.0.0.251", "239.1.2.3", "::", "::1", "ff02::1"]
)
def test_what_names_nobody_stays(text: str) -> None:
    assert other(text) == text


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.20.1.2", "172.16.0.0/12"),
        ("192.168.7.9", "192.168.0.0/16"),
        ("169.254.3.4", "169.254.0.0/16"),
        ("127.0.0.11", "127.0.0.0/8"),
        ("100.70.1.1", "100.64.0.0/10"),
        ("fe80::1:2", "fe80::/10"),
        ("fd00:12::5", "fd00::/8"),
        ("::ffff:10.0.0.1", "::ffff:0:0/96"),
    ],
)
def test_a_kind_of_address_stays_one(text: str, network: str) -> None:
    new = other(text)
    assert ipaddress.ip_address(new) in ipaddress.ip_network(network)
    assert new != text


def test_public_addresses_stay_public() -> None:
    public = [
        f"{first}.20.30.40" for first in range(1, 224) if ipaddress.ip_address(f"{first}.20.30.40").is_global
    ]
    assert all(ipaddress.ip_address(other(text)).is_global for text in public)


def test_hosts_of_a_subnet_stay_together_and_stay_apart() -> None:
    hosts = [other(f"192.0.2.{n}") for n in range(256)]
    assert len({host.rpartition(".")[0] for host in hosts}) == 1
    assert len(set(hosts)) == 256
    assert not any(host.endswith(f".{n}") for n, host in enumerate(hosts))  # no octet keeps its value
    assert other("192.0.3.1").rpartition(".")[0] != hosts[0].rpartition(".")[0]


def test_a_solicited_node_group_hides_the_address_in_it() -> None:
    new = other("ff02::1:ff45:6789")
    assert new.startswith("ff02::1:ff")
    assert new != "ff02::1:ff45:6789"


def test_an_ipv4_address_is_the_same_inside_ipv6() -> None:
    mapped = ipaddress.IPv6Address(other("::ffff:10.1.2.3"))
    assert str(mapped.ipv4_mapped) == other("10.1.2.3")


def test_hardware_addresses() -> None:
    card = bytes.fromhex("001122334455")
    new = ADDRESSES.mac(card)
    assert len(new) == 6
    assert new[0] == 0x02  # locally administered: no vendor's
    assert new[1:] != card[1:]
    assert ADDRESSES.mac(card) == new
    for nobody in ("ffffffffffff", "000000000000", "01005e0000fb", "333300000001"):
        assert ADDRESSES.mac(bytes.fromhex(nobody)).hex() == nobody
    neighbour = ADDRESSES.mac(bytes.fromhex("3333ff456789"))
    assert neighbour.hex().startswith("3333ff")
    assert neighbour.hex() != "3333ff456789"
