"""The search: a name is found in every coding, and not within longer words."""

import base64
import urllib.parse

import pytest

from imslab.capture.anonymise.leftovers import codings, leftovers, shows
from imslab.uicc import bcd

NAME, NUMBER, HOST = "liddell", "001010123456789", "pcscf.ims.mnc001.mcc001.3gppnetwork.org"
HIDDEN = [
    (NAME, b"Liddell"),
    (NAME, b"LIDDELL"),
    (NAME, NAME.encode("utf-16-le")),
    (NAME, NAME.encode("utf-16-be")),
    (NAME, NAME.encode().hex().encode()),
    (NAME, "".join(f"%{ord(letter):02X}" for letter in NAME).encode()),
    (NAME, base64.b64encode(NAME.encode())),
    (NAME, base64.b64encode(b"xy" + NAME.encode() + b"z")),
    (NAME, base64.b64encode(b"x" + NAME.encode())),
    (HOST, HOST.encode()),
    (HOST, b"".join(bytes((len(label),)) + label.encode() for label in HOST.split("."))),
    (NUMBER, bcd.encode(NUMBER)),
    (NUMBER, bcd.encode_imsi(NUMBER)),
    (NUMBER, bytes.fromhex(NUMBER + "f")),
    ("Müller", "Müller".encode()),
]


@pytest.mark.parametrize(("name", "octets"), HIDDEN, ids=lambda each: ascii(each)[:30])
@pytest.mark.parametrize("before", range(4))
def test_a_name_is_found_in_every_coding(name: str, octets: bytes, before: int) -> None:
    found = leftovers({name, "somebody"}, b"\x00" * before + octets + b"\x00\xff")
    assert found
    assert min(found) >= before - 1  # UTF-16 may begin with the octet before
    assert leftovers({name}, b"\x00" * 100) == []


def test_a_part_of_a_longer_word_is_no_name() -> None:
    assert leftovers({"authorized"}, b"401 Unauthorized") == []
    assert leftovers({"authorized"}, b"401 authorized ") == [4]


def test_words_of_the_protocol_and_short_names_are_not_searched() -> None:
    assert (
        leftovers({"register", "expires", "bob", "00000000000000"}, b"REGISTER Expires bob " + bytes(20))
        == []
    )


def test_places_are_found_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imslab.capture.anonymise.leftovers._STEP", 10)
    octets = b"." * 7 + b"liddell" + b"." * 20 + b"liddell"
    assert leftovers({NAME}, octets) == [7, 34]


def test_short_names_in_letters() -> None:
    assert shows({"bob"}, b"..BoB..")
    assert not shows({"bob", "12", "via", "1234"}, b"bo b via 1234 12")


def test_codings_are_those_of_others() -> None:
    assert urllib.parse.quote("(é)").lower().encode() in [
        coding.lower() for coding in codings("(é)")
    ] or "%" in urllib.parse.quote("(é)")
    assert NAME.encode() in set(codings(NAME))
