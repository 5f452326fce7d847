"""URIs: RFC 3261, section 19.1, with its tables of equal and different URIs."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.sip import Uri
from imslab.sip.uri import unescape

# RFC 3261, 19.1.4
EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("tel:+1-201-555-0123", "tel:+12015550123"),
    ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1-914-555"),
    ("urn:service:sos", "urn:service:sos"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@b", "sips:a@b"),
    ("sip:a@b", "sip:a:secret@b"),
    ("sip:a@b;user=phone", "sip:a@b"),
    ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
    ("sip:a@b;ttl=1", "sip:a@b"),
    ("sip:a@b;method=INVITE", "sip:a@b"),
    ("sip:a@b", "tel:+1"),
    ("tel:+1", "tel:1"),
    ("tel:1;phone-context=+1", "tel:1"),
    ("urn:a:b", "urn:a:c"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    assert Uri.parse(a).matches(Uri.parse(b))
    assert Uri.parse(b).matches(Uri.parse(a))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert not Uri.parse(a).matches(Uri.parse(b))
    assert not Uri.parse(b).matches(Uri.parse(a))


def test_equality_is_not_transitive() -> None:
    plain, on, off = (Uri.parse(f"sip:carol@chicago.com{p}") for p in ("", ";security=on", ";security=off"))
    assert plain.matches(on)
    assert plain.matches(off)
    assert not on.matches(off)


def test_every_part() -> None:
    uri = Uri.parse("sips:al%20ice:pw&1@[2001:db8::1]:5061;transport=TCP;lr;x=%41?Subject=a&b=c")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sips",
        "al%20ice",
        "pw&1",
        "[2001:db8::1]",
        5061,
    )
    assert (uri.address, uri.hostport, uri.user_text) == ("2001:db8::1", "[2001:db8::1]:5061", "al ice")
    assert uri.params == {"transport": "TCP", "lr": None, "x": "A"}
    assert (uri.transport, uri.is_loose_router, uri.headers) == ("tcp", True, "Subject=a&b=c")
    assert uri.is_sip


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@example.org",
        "sip:example.org",
        "sips:alice:secret@example.org:5061;transport=tcp;lr",
        "sip:a%40b;c?d@[::1]:1;x=%22%20?h=v",
        "tel:+358-555-1234567;postd=pp22",
        "tel:7042;phone-context=example.com",
        "urn:service:sos.police",
        "http://www.example.com/a?b",
        "sip:*21#@example.org",
        "sip:x@df7jal23ls0d.invalid;transport=ws;ob",
    ],
)
def test_written_as_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "aor"),
    [
        ("sip:Alice@EXAMPLE.org;transport=tcp?x=y", "sip:Alice@example.org"),
        ("sip:%61li%63e:pw@example.org:5060;user=phone", "sip:alice@example.org:5060"),
        ("sip:a%2fb%40c@h", "sip:a/b%40c@h"),
        ("sip:a%20%c3@h", "sip:a%20%C3@h"),
        ("sips:h", "sips:h"),
        ("SIP:+1-2@H;user=phone", "sip:+1-2@h"),
        ("tel:+1-(201).555", "tel:+1201555"),
        ("tel:70-42;ext=1;phone-context=EXAMPLE.com", "tel:7042;phone-context=example.com"),
        ("URN:service:SOS", "urn:service:SOS"),
    ],
)
def test_address_of_record(text: str, aor: str) -> None:
    assert Uri.parse(text).canonical == aor
    assert Uri.parse(aor).canonical == aor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@",
        "sip:a@",
        "sip:a b@c",
        "sip:a@b:x",
        "sip:a@b:65536",
        "sip:a@b:123456",
        "sip:a@@b",
        "sip:a@[::1",
        "sip:a@[g::1]",
        "sip:2001:db8::10",
        "sip:a%4@b",
        "sip:a%zz@b",
        "sip:a@b;",
        "sip:a@b;;c",
        "sip:a@b;x=1;X=2",
        "sip:a@b;x=%4",
        "sip:a@b?",
        "sip:a@b;x=<",
        "sip:\xe4@b",
        "sip:a@b\n",
        "sip:a\0@b",
        "<sip:a@b>",
        "tel:",
        "tel:abc xyz",
        "tel:+1;",
        "tel:xyz",
        ":a",
        "1a:b",
        "a:",
        "a: b",
        "a:\xff",
        "*",
    ],
)
def test_bad(text: str) -> None:
    with pytest.raises(Malformed):
        Uri.parse(text)


def test_edits() -> None:
    uri = Uri.parse("sip:a@b;lr;transport=udp")
    assert str(uri.without_params()) == "sip:a@b"
    assert str(uri.without_params("lr")) == "sip:a@b;transport=udp"
    assert str(uri.with_params(transport="ws", ob=None)) == "sip:a@b;lr;transport=ws;ob"


def test_unescape_is_done_once_and_keeps_what_is_no_escape() -> None:
    assert unescape("%2541%") == "%41%"
    assert unescape("%ff%c3%a4") == "\udcffä"
    with pytest.raises(Malformed):
        unescape("%41\ud800")


@pytest.mark.parametrize("unit", ["a", ";a", ";a=", "%41", "@", ":", "a:", "?", "[", "&", ";=", "1"])
@pytest.mark.parametrize("start", ["", "sip:", "sip:a@b", "tel:", "sip:a@b;"])
def test_time_is_linear(start: str, unit: str) -> None:
    started = time.process_time()
    with contextlib.suppress(Malformed):
        Uri.parse(f"{start}{unit * 20_000}")
    assert time.process_time() - started < 1


def test_long_texts_are_not_cached() -> None:
    text = f"sip:{'a' * 300}@b"
    assert Uri.parse(text) == Uri.parse(text)
    assert Uri.parse(text) is not Uri.parse(text)
    assert Uri.parse("sip:short@b") is Uri.parse("sip:short@b")


@given(st.text(), st.text(min_size=1))
def test_any_parameter_can_be_written(name: str, value: str) -> None:
    try:
        written = str(Uri.parse("sip:a@b").with_params(**{f"p{name}": value}))
    except Malformed:
        return  # a lone surrogate
    assert Uri.parse(written).params == {
        unescape(k): v for k, v in {f"p{name.lower()}".replace("_", "-"): value}.items()
    }
