"""Text: identities in URIs, hosts and words; what the protocol says stays."""

import re
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.vocabulary import WORDS
from imslab.sip.uri import Uri
from tests.capture.anonymise.parts import Parts, parts

URIS = [
    "sip:alice@ims.mnc001.mcc001.3gppnetwork.org",
    "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org:5060;transport=udp",
    "sips:j%C3%BCrgen:secret@example.com:5061;lr",
    "sip:+15550100001;phone-context=+44@gw.example.com;user=phone",
    "tel:+1-201-555-0123;phone-context=example.com",
    "sip:[2001:db8::7]:5060",
    "sip:10.0.0.1",
    "urn:gsma:imei:35209900-176148-1",
    "sip:bob@example.com?Replaces=one%40host%3Bto-tag%3D7743%3Bfrom-tag%3D88",
    "https://portal.example.com:8443/people/alice?who=alice#bob",
]


@pytest.mark.parametrize("uri", URIS)
def test_a_uri_names_somebody_else_and_keeps_its_form(made: Parts, uri: str) -> None:
    new = made.texts.uri(uri)
    assert len(new) == len(uri)
    assert re.sub(r"[A-Za-z0-9%]+", "w", new) == re.sub(r"[A-Za-z0-9%]+", "w", uri)
    for word in (
        "alice",
        "bob",
        "secret",
        "example",
        "gw",
        "portal",
        "15550100001",
        "001010123456789",
        "j%C3%BC",
    ):
        assert word not in new
    if not uri.startswith("https"):
        old, other = Uri.parse(uri), Uri.parse(new)
        assert (old.scheme, old.port, list(old.params)) == (other.scheme, other.port, list(other.params))


def test_the_same_user_is_the_same_user_everywhere(made: Parts) -> None:
    new = made.texts.word("alice")
    assert made.texts.uri("sip:alice@example.com").startswith(f"sip:{new}@")
    assert made.texts.words("Alice called ALICE").split()[::2] == [new.capitalize(), new.upper()]
    assert made.texts.uri("sip:%61lice@example.com") == f"sip:%{ord(new[0]):x}{new[1:]}@" + made.texts.host(
        "example.com"
    )


@pytest.mark.parametrize(
    "kept",
    [
        "urn:urn-7:3gpp-service.ims.icsi.mmtel",
        "urn:service:sos",
        "sip:anonymous@anonymous.invalid",
        "sip:localhost",
    ],
)
def test_what_names_nobody_stays(made: Parts, kept: str) -> None:
    assert made.texts.uri(kept) == kept


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("pcscf.ims.mnc001.mcc001.3gppnetwork.org", r"pcscf\.ims\.mnc0\d\d\.mcc999\.3gppnetwork\.org"),
        ("sip.example.com", r"sip\.[a-z]{7}\.com"),
        ("ims.org", r"[a-z]{3}\.org"),  # a label in front of the last belongs to somebody, whatever it says
        ("sbc-01.core", r"[a-z]{3}-0\d\.[a-z]{4}"),
        ("df7jal23ls0d.invalid", r"[a-z0-9]{12}\.invalid"),
    ],
)
def test_labels_that_say_what_a_host_is_for_stay(made: Parts, host: str, pattern: str) -> None:
    new = made.texts.host(host)
    assert re.fullmatch(pattern, new)
    assert new != host


@pytest.mark.parametrize(
    "text",
    [
        "2001:db8::1",
        "::ffff:10.1.2.3",
        "1:2:3:4:5:6:10.1.2.3",
        "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789",
        "1::",
        "::2:3",
        "::ffff:bd0e:a00",
        "::ffff:a:b",
    ],
)
def test_an_address_is_written_as_it_was(made: Parts, text: str) -> None:
    new = made.texts.ip(text)
    assert len(new) == len(text)
    assert new != text
    assert re.sub(r"\w", "", new) == re.sub(r"\w", "", text)


def test_words_stay_where_the_protocol_has_its_own(made: Parts) -> None:
    assert made.texts.words("REGISTER expires 3600", WORDS, numbers=6) == "REGISTER expires 3600"
    assert "REGISTER" not in made.texts.words("REGISTER")
    assert made.texts.words("12345678", WORDS, numbers=6)[-3:] == "678"


def test_parameters(made: Parts) -> None:
    new = made.texts.params(
        ';branch=z9hG4bKabcdef;received=10.0.0.7;rport=5060;tag=abc;lr;+sip.instance="<urn:uuid:ab>"'
    )
    assert new.startswith(";branch=z9hG4bK")
    assert f";received={made.texts.ip('10.0.0.7')};rport=5060;" in new
    assert ';lr;+sip.instance="<urn:uuid:' in new
    assert "abc" not in new


def test_base64_and_hex_follow_what_is_known(made: Parts) -> None:
    made.pseudonyms.known_octets[bytes(16)] = b"\x01" * 16
    assert made.texts.base64("AAAAAAAAAAAAAAAAAAAAAA==") == "AQEBAQEBAQEBAQEBAQEBAQ=="
    assert made.texts.hex("00" * 16) == "01" * 16
    assert made.texts.hex("AB" * 16).isupper()
    assert len(made.texts.base64("not base64!")) == 11
    assert len(made.texts.hex("xyz")) == 3


def test_a_known_name_in_a_text_is_found(made: Parts) -> None:
    made.pseudonyms.known["AAAAAAAAAAAAAAAAAAAAAA=="] = "BBBBBBBBBBBBBBBBBBBBBA=="
    assert (
        made.texts.words("id AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.com")
        .split("@")[0]
        .endswith("BBBBBBBBBBBBBBBBBBBBBA==")
    )
    assert made.texts.name("AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.com").startswith("BBBBBBBBBBBBBBBBBBBBBA==@")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_keep_their_number(octets: bytes) -> None:
    text = octets.decode("utf-8", "surrogateescape")
    texts = parts().texts
    for rewrite in (
        texts.words,
        texts.uri_or_words,
        texts.name,
        texts.host,
        texts.params,
        texts.user,
        texts.base64,
    ):
        assert len(rewrite(text).encode("utf-8", "surrogateescape")) == len(octets)


@settings(deadline=None)
@given(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20),
    st.text("abc.-", min_size=1, max_size=20),
)
def test_an_escaped_user_is_the_user(user: str, host: str) -> None:
    texts = parts().texts
    plain, escaped = texts.user(user), texts.user(urllib.parse.quote(user, safe=""))
    assert urllib.parse.unquote(escaped) == plain or not user.isascii() or "%" not in escaped
