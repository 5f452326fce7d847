"""Header values: parse, write, and what is refused."""

import pytest

from imslab.errors import Malformed
from imslab.sip import STAR, ChargingVector, CSeq, Event, NameAddr, Params, Quoted, Uri, Via, WithParameters
from imslab.sip.headers import AccessNetworkInfo, MediaType, RAck, SessionExpires, contact, token_or_quoted


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@b>", "", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("sip:a@b ; tag = 1", "", "sip:a@b", {"tag": "1"}),
        ('"A \\"B\\", C" <sip:a@b;lr>;tag=x;y', 'A "B", C', "sip:a@b;lr", {"tag": "x", "y": None}),
        ("A  B <tel:+1>", "A  B", "tel:+1", {}),
        ("caller<sip:a@b>;q=0.5", "caller", "sip:a@b", {"q": "0.5"}),
        ('"ä\udcff"<sip:a@b>', "ä\udcff", "sip:a@b", {}),
        ("<urn:service:sos>", "", "urn:service:sos", {}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
    ],
)
def test_name_addr(text: str, display: str, uri: str, params: dict[str, str | None]) -> None:
    value = NameAddr.parse(text)
    assert (value.display, str(value.uri), value.params) == (display, uri, params)
    again = NameAddr.parse(str(value))
    assert (again.uri, again.params, again.display.split()) == (value.uri, value.params, display.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        '"A <sip:a@b>',
        "A, B <sip:a@b>",
        "< sip:a@b >",
        "<sip:a@b>;",
        "<sip:a@b>;;",
        "<sip:a@b> x",
        "<sip:a@b>;tag=1;TAG=2",
        "sip:a@b?x=y",
        "sip:a@b, sip:c@d",
        '"a" sip:a@b',
        "<sip:a@b><sip:c@d>",
        "ä <sip:a@b>",
        "*",
    ],
)
def test_bad_name_addr(text: str) -> None:
    with pytest.raises(Malformed):
        NameAddr.parse(text)


def test_contact_parameters() -> None:
    value = NameAddr.parse('<sip:a@b>;expires=60;q=0.25;+sip.instance="<urn:uuid:1>";reg-id=1')
    assert (value.expires, value.q) == (60, 0.25)
    assert str(value) == '<sip:a@b>;expires=60;q=0.25;+sip.instance="<urn:uuid:1>";reg-id=1'
    assert NameAddr.parse("<sip:a@b>;expires=280297596632815;q=2").expires is None
    assert NameAddr.parse("<sip:a@b>;expires=280297596632815;q=2").q is None
    assert NameAddr.parse("<sip:a@b>").q is NameAddr.parse("<sip:a@b>").expires is None
    assert value.with_params(expires="0").expires == 0
    assert NameAddr.parse("<sip:a@b>").with_tag("t").tag == "t"


def test_star() -> None:
    assert contact("*") is STAR
    assert str(STAR) == "*"
    assert contact("<sip:a@b>").uri == Uri.parse("sip:a@b")


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "written"),
    [
        ("SIP/2.0/UDP h;branch=z9hG4bKa", "UDP", "h", None, "SIP/2.0/UDP h;branch=z9hG4bKa"),
        ("sip / 2.0 / tcp   [::1] : 5070 ; rport", "TCP", "[::1]", 5070, "SIP/2.0/TCP [::1]:5070;rport"),
        ("SIP/2.0/WSS x.invalid;keep", "WSS", "x.invalid", None, "SIP/2.0/WSS x.invalid;keep"),
    ],
)
def test_via(text: str, transport: str, host: str, port: int | None, written: str) -> None:
    via = Via.parse(text)
    assert (via.transport, via.host, via.port, str(via)) == (transport, host, port, written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP h",
        "SIP/1.0/UDP h",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP h;;",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP <h>",
        "SIP/2.0/UDP h, SIP/2.0/UDP i",
        "SIP/2.0/UDP [::1",
    ],
)
def test_bad_via(text: str) -> None:
    with pytest.raises(Malformed):
        Via.parse(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("SIP/2.0/UDP 10.0.0.1", ("10.0.0.1", 5060)),
        ("SIP/2.0/TLS h", ("h", 5061)),
        ("SIP/2.0/WS h", ("h", 80)),
        ("SIP/2.0/WSS h", ("h", 443)),
        ("SIP/2.0/UDP h:7", ("h", 7)),
        ("SIP/2.0/UDP h:7;received=192.0.2.1", ("192.0.2.1", 7)),
        ("SIP/2.0/UDP h:7;received=192.0.2.1;rport=9", ("192.0.2.1", 9)),
        ("SIP/2.0/UDP h;received=[2001:db8::1]", ("2001:db8::1", 5060)),
        ("SIP/2.0/UDP h;maddr=224.2.0.1;received=1.1.1.1", ("224.2.0.1", 5060)),
        ("SIP/2.0/UDP h;rport=99999", ("h", 5060)),
    ],
)
def test_where_responses_go(text: str, where: tuple[str, int]) -> None:
    assert Via.parse(text).response_address == where


def test_reliable_transports() -> None:
    reliable = {t: Via(t, "h").is_reliable for t in ("UDP", "TCP", "TLS", "WS", "WSS", "SCTP")}
    assert reliable == {"UDP": False, "TCP": True, "TLS": True, "WS": True, "WSS": True, "SCTP": True}


def test_magic_cookie() -> None:
    branches = {
        b: Via.parse(f"SIP/2.0/UDP h;branch={b}").is_rfc3261 for b in ("z9hG4bK", "z9hG4bKa", "Z9HG4BKa", "a")
    }
    assert branches == {"z9hG4bK": False, "z9hG4bKa": True, "Z9HG4BKa": True, "a": False}
    assert not Via.parse("SIP/2.0/UDP h").is_rfc3261


def test_seen_from() -> None:
    via = Via.parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z")
    assert str(via.seen_from("192.0.2.1", 1024)) == (
        "SIP/2.0/UDP 10.0.0.1:5060;rport=1024;branch=z;received=192.0.2.1"
    )
    assert via.rport is None
    assert via.seen_from("10.0.0.1", 5060).rport == 5060
    plain = Via.parse("SIP/2.0/UDP [::1]")
    assert plain.seen_from("::1", 5060) is plain
    assert plain.seen_from("::2", 5060).received == "::2"


def test_cseq() -> None:
    assert CSeq.parse("0009 INVITE") == CSeq(9, "INVITE")
    assert str(CSeq(7, "ACK")) == "7 ACK"
    for text in ("", "1", "INVITE", "1 A B", "-1 A", "4294967296 A", "1A"):
        with pytest.raises(Malformed):
            CSeq.parse(text)


def test_values_with_parameters() -> None:
    event = Event.parse("reg ; id = 3")
    assert (event.package, event.id, str(event)) == ("reg", "3", "reg;id=3")
    media = MediaType.parse('multipart/mixed;boundary="a b"')
    assert (media.essence, media.boundary, str(media)) == (
        "multipart/mixed",
        "a b",
        'multipart/mixed;boundary="a b"',
    )
    info = AccessNetworkInfo.parse("3GPP-NR-FDD;utran-cell-id-3gpp=1;np")
    assert (info.access_type, info.network_provided) == ("3GPP-NR-FDD", True)
    assert str(WithParameters(Quoted("a b"), Params({"c": None}))) == '"a b";c'
    assert token_or_quoted('"a, b"') == "a, b"
    for text in ("", "a b", "a;", "a/b/c", ";x"):
        with pytest.raises(Malformed):
            WithParameters.parse(text)


def test_charging_vector() -> None:
    text = 'icid-value="1;2";icid-generated-at=[::1];orig-ioi=home;term-ioi=other'
    vector = ChargingVector.parse(text)
    assert (vector.icid_value, vector.orig_ioi, vector.term_ioi) == ("1;2", "home", "other")
    assert str(vector) == text
    for text in ("", ";", "a=1;;"):
        with pytest.raises(Malformed):
            ChargingVector.parse(text)


@pytest.mark.parametrize("text", ["776656 1 INVITE", "1 0 PRACK", "4294967295 4294967295 INVITE"])
def test_rack(text: str) -> None:
    """RFC 3262, 7.2."""
    value = RAck.parse(text)
    assert str(value) == text
    first, second, method = text.split()
    assert (value.rseq, value.cseq) == (int(first), CSeq(int(second), method))


@pytest.mark.parametrize("text", ["", "1", "1 INVITE", "x 1 INVITE", "4294967296 1 INVITE", "1 1"])
def test_what_is_no_rack(text: str) -> None:
    with pytest.raises(Malformed):
        RAck.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds", "refresher"),
    [("1800", 1800, None), ("90;refresher=UAS", 90, "uas"), ("4000;refresher=uac;x=y", 4000, "uac")],
)
def test_session_expires(text: str, seconds: int, refresher: str | None) -> None:
    """RFC 4028, 4."""
    value = SessionExpires.parse(text)
    assert (value.seconds, value.refresher) == (seconds, refresher)


def test_a_session_interval_that_is_no_number() -> None:
    with pytest.raises(Malformed, match="Session-Expires"):
        _ = SessionExpires.parse("soon").seconds
