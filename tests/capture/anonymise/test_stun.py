"""STUN: names, addresses and transactions are others; checks are right again where the password is known."""

import hmac
import ipaddress
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.stun import COOKIE, Stun
from imslab.octets import xor
from tests.capture.anonymise.parts import Parts, parts

TRANSACTION = bytes(range(12))
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"


def attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2) + len(value).to_bytes(2) + value + bytes(-len(value) % 4)


def message(
    *attributes: tuple[int, bytes], password: str = "", fingerprint: bool = False, kind: int = 1
) -> bytes:
    body = b"".join(attribute(*one) for one in attributes)
    head = kind.to_bytes(2)
    tail = COOKIE + TRANSACTION
    if password:
        check = hmac.digest(password.encode(), head + (len(body) + 24).to_bytes(2) + tail + body, "sha1")
        body += attribute(8, check)
    if fingerprint:
        crc = zlib.crc32(head + (len(body) + 8).to_bytes(2) + tail + body) ^ 0x5354554E
        body += attribute(0x8028, crc.to_bytes(4))
    return head + len(body).to_bytes(2) + tail + body


def values(octets: bytes) -> dict[int, bytes]:
    found, at = {}, 20
    while at < len(octets):
        length = int.from_bytes(octets[at + 2 : at + 4])
        found[int.from_bytes(octets[at : at + 2])] = octets[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    return found


def stun(made: Parts, passwords: dict[str, str] | None = None) -> Stun:
    return Stun(made.texts, passwords or {}, lambda octets: bytes(len(octets)))


def test_names_and_addresses(made: Parts) -> None:
    address = ipaddress.ip_address("192.0.2.7").packed
    xored = b"\0\1" + b"\x12\x34" + xor(address, COOKIE)
    old = message(
        (6, b"evtj:h6vY"),
        (0x8022, b"Vendor agent"),
        (1, b"\0\1\x12\x34" + address),
        (0x20, xored),
        (0x24, b"\x6e\0\1\xff"),
    )
    new = stun(made).rewrite(old)
    assert (new[:8], len(new)) == (old[:8], len(old))
    assert new[8:20] != TRANSACTION
    found = values(new)
    assert found[6].decode() == made.texts.words("evtj:h6vY")
    assert b"Vendor" not in found[0x8022]
    other = made.addresses.ip(address)
    assert found[1] == b"\0\1\x12\x34" + other
    assert found[0x20] == b"\0\1" + b"\x12\x34" + xor(other, COOKIE)
    assert found[0x24] == b"\x6e\0\1\xff"


def test_an_ipv6_address_goes_with_its_transaction(made: Parts) -> None:
    address = ipaddress.ip_address("2001:db8::7").packed
    new = stun(made).rewrite(message((0x20, b"\0\2\x12\x34" + xor(address, COOKIE + TRANSACTION))))
    assert xor(values(new)[0x20][4:], new[4:20]) == made.addresses.ip(address)


def test_checks_are_right_again(made: Parts) -> None:
    old = message((6, b"evtj:h6vY"), password=PASSWORD, fingerprint=True)
    new = stun(made, {"evtj": PASSWORD}).rewrite(old)
    again = message((6, values(new)[6]), password=made.texts.words(PASSWORD), fingerprint=True)
    assert values(new)[8] == values(again[:8] + new[8:20] + again[20:])[8] or new[20:] != again[20:]
    text = new[:2] + (len(new) - 20 - 8).to_bytes(2) + new[4 : len(new) - 8 - 24]
    assert values(new)[8] == hmac.digest(made.texts.words(PASSWORD).encode(), text, "sha1")
    crc = zlib.crc32(new[:-8]) ^ 0x5354554E
    assert values(new)[0x8028] == crc.to_bytes(4)


def test_an_answer_has_the_password_of_its_request(made: Parts) -> None:
    both = stun(made, {"evtj": PASSWORD})
    both.rewrite(message((6, b"evtj:h6vY"), password=PASSWORD))
    new = both.rewrite(message((0x8022, b"agent"), password=PASSWORD, kind=0x101))
    text = new[:2] + (len(new) - 20).to_bytes(2) + new[4 : len(new) - 24]
    assert values(new)[8] == hmac.digest(made.texts.words(PASSWORD).encode(), text, "sha1")


def test_wrong_checks_stay_wrong(made: Parts) -> None:
    old = bytearray(message((6, b"evtj:h6vY"), password=PASSWORD, fingerprint=True))
    old[-1] ^= 1
    old[-12] ^= 1
    new = stun(made, {"evtj": PASSWORD}).rewrite(bytes(old))
    assert zlib.crc32(new[:-8]) ^ 0x5354554E != int.from_bytes(values(new)[0x8028])


def test_what_turn_passes_on_is_rewritten(made: Parts) -> None:
    assert values(stun(made).rewrite(message((0x13, b"inner"))))[0x13] == bytes(5)


def test_an_error_keeps_its_number(made: Parts) -> None:
    new = values(stun(made).rewrite(message((9, b"\0\0\4\1Alice is unknown"))))[9]
    assert new[:4] == b"\0\0\4\1"
    assert b"Alice" not in new


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (message(), True),
        (message()[:19], False),
        (b"\x80" + message()[1:], False),
        (message((6, b"abcd"))[:-4], False),
    ],
)
def test_what_is_stun(octets: bytes, answer: bool) -> None:
    assert Stun.is_stun(octets) is answer


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_message_keeps_its_length(body: bytes) -> None:
    body += bytes(-len(body) % 4)
    octets = b"\0\1" + len(body).to_bytes(2) + COOKIE + TRANSACTION + body
    assert len(stun(parts(), {"a": "b"}).rewrite(octets)) == len(octets)
