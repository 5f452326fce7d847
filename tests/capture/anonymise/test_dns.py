"""DNS: names by their labels, addresses, NAPTR and NetBIOS; pointers and times stay."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRNAPTR, DNSRRSRV

from imslab.capture.anonymise.dns import Dns
from tests.capture.anonymise.parts import Parts, parts


def rewritten(made: Parts, octets: bytes) -> DNS:
    new = Dns(made.texts).rewrite(octets)
    assert new is not None
    assert len(new) == len(octets)
    return DNS(new)


def name_of(value: bytes) -> str:
    return value.decode().rstrip(".")


def test_a_question_and_its_answers(made: Parts) -> None:
    host = "pcscf.ims.mnc001.mcc001.3gppnetwork.org"
    old = DNS(
        id=7,
        qr=1,
        qd=DNSQR(qname=host),
        an=[
            DNSRR(rrname=host, type="A", rdata="192.0.2.7", ttl=300),
            DNSRR(rrname=host, type="AAAA", rdata="2001:db8::7"),
            DNSRR(rrname=host, type="CNAME", rdata="sbc.example.com"),
        ],
    )
    new = rewritten(made, bytes(old))
    assert name_of(new.qd[0].qname) == name_of(new.an[0].rrname) == made.texts.host(host)
    assert new.an[0].rdata == made.texts.ip("192.0.2.7")
    assert ipaddress.ip_address(new.an[1].rdata) == ipaddress.ip_address(made.texts.ip("2001:db8::7"))
    assert name_of(new.an[2].rdata) == made.texts.host("sbc.example.com")
    assert (new.id, new.an[0].ttl) == (7, 300)


def test_a_compressed_name_is_the_whole_name(made: Parts) -> None:
    question = b"\x03sbc\x07example\x03com\x00\x00\x01\x00\x01"
    answer = b"\x03pcf\xc0\x10\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04" + bytes((192, 0, 2, 7))
    new = Dns(made.texts).rewrite(b"\0\7\x81\x80\0\1\0\1\0\0\0\0" + question + answer)
    assert new is not None
    first = made.texts.host("sbc.example.com").split(".")
    assert new[12:16] == b"\x03" + first[0].encode()
    assert new[16:24] == b"\x07" + first[1].encode()
    assert b"\xc0\x10" in new


def test_services(made: Parts) -> None:
    old = DNS(
        id=7,
        qr=1,
        qd=DNSQR(qname="home.example.com", qtype="NAPTR"),
        an=[
            DNSRRNAPTR(
                rrname="home.example.com",
                order=1,
                flags=b"s",
                services=b"SIP+D2U",
                replacement=b"_sip._udp.home.example.com",
            ),
        ],
        ar=[DNSRRSRV(rrname="_sip._udp.home.example.com", port=5060, target="node1.home.example.com")],
    )
    new = rewritten(made, bytes(old))
    assert new.an[0].services == b"SIP+D2U"
    assert name_of(new.an[0].replacement) == made.texts.host("_sip._udp.home.example.com")
    assert name_of(new.an[0].replacement).startswith("_sip._udp.")
    assert new.ar[0].port == 5060
    assert name_of(new.ar[0].target) == made.texts.host("node1.home.example.com")


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_the_name_of_an_address(made: Parts, address: str) -> None:
    pointer = ipaddress.ip_address(address).reverse_pointer
    new = rewritten(made, bytes(DNS(id=7, qd=DNSQR(qname=pointer, qtype="PTR"))))
    other = ipaddress.ip_address(made.addresses.ip(ipaddress.ip_address(address).packed))
    assert name_of(new.qd[0].qname) == other.reverse_pointer


def test_netbios(made: Parts) -> None:
    name = "".join(
        chr(65 + half) for octet in b"ALICES-PC".ljust(15) + b"\x20" for half in (octet >> 4, octet & 15)
    )
    record = b"\x20" + name.encode() + b"\0\0\x20\0\1\0\0\1\x2c\0\6\0\0" + bytes((192, 0, 2, 7))
    new = Dns(made.texts).rewrite(b"\0\7\x85\0\0\0\0\1\0\0\0\0" + record)
    assert new is not None
    letters = new[13:45].decode()
    decoded = bytes(
        (ord(a) - 65) << 4 | ord(b) - 65 for a, b in zip(letters[::2], letters[1::2], strict=True)
    )
    assert decoded[:9].decode() == made.texts.words("ALICES-PC")
    assert decoded[9:] == b" " * 6 + b"\x20"
    assert new[-4:] == made.addresses.ip(bytes((192, 0, 2, 7)))


@pytest.mark.parametrize(
    "octets", [b"", b"short", bytes(12), b"\0\7\1\0" + b"\xff" * 8, b"\0\7\1\0\0\1\0\0\0\0\0\0\x3fcut"]
)
def test_what_is_no_message(made: Parts, octets: bytes) -> None:
    assert Dns(made.texts).rewrite(octets) is None


@settings(deadline=None)
@given(st.binary(max_size=90), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_any_octets_keep_their_number(tail: bytes, counts: list[int]) -> None:
    octets = b"\0\7\1\0" + b"".join(count.to_bytes(2) for count in counts) + tail
    new = Dns(parts().texts).rewrite(octets)
    assert new is None or len(new) == len(octets)
