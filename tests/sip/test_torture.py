"""The torture messages of RFC 4475 and RFC 5118: each comes out as data/vectors/sip_torture.json says."""

import base64
import hashlib
from typing import Any

import pytest

from imslab.data import vectors
from imslab.errors import Malformed
from imslab.sip import BadMessage, Message, StreamFramer, Uri, datagram

MESSAGES = vectors("sip_torture")["messages"]
OCTETS = {m["id"].partition("-")[2]: base64.b64decode(m["octets_base64"]) for m in MESSAGES}


def sip(text: str) -> bytes:
    return text.lstrip("\n").replace("\n", "\r\n").encode()


@pytest.mark.parametrize("entry", MESSAGES, ids=[m["id"] for m in MESSAGES])
def test_message_comes_out_as_the_file_says(entry: dict[str, Any]) -> None:
    octets = base64.b64decode(entry["octets_base64"])
    assert hashlib.sha256(octets).hexdigest() == entry.get("normalised_sha256", entry["sha256"])
    message: Message | None
    try:
        message = Message.parse(octets)
    except Malformed:
        message = None
    allowed = {"must_accept": (True,), "must_reject": (False,)}.get(entry["parse"], (True, False))
    assert (message is not None) in allowed
    if message is None:
        return
    assert octets.startswith(bytes(message))
    assert message.is_request is (entry["kind"] == "request")
    assert message.start_line.startswith(entry["first_line"].split("\n")[0])
    assert isinstance(message.problems(), tuple)


@pytest.mark.parametrize("entry", MESSAGES, ids=[m["id"] for m in MESSAGES])
def test_valid_messages_have_no_problems_and_every_view_reads(entry: dict[str, Any]) -> None:
    if entry["parse"] == "must_accept":
        assert Message.parse(base64.b64decode(entry["octets_base64"])).problems() == ()


@pytest.mark.parametrize("entry", MESSAGES, ids=[m["id"] for m in MESSAGES])
def test_stream_gives_the_same_message_octet_by_octet(entry: dict[str, Any]) -> None:
    octets = base64.b64decode(entry["octets_base64"])
    try:
        message = Message.parse(octets)
    except Malformed:
        return
    framer = StreamFramer()
    found = [m for i in range(len(bytes(message))) for m in framer.receive(octets[i : i + 1])]
    assert found == [message]


def parse(name: str) -> Message:
    return Message.parse(OCTETS[name])


def test_wsinv_is_read_through_its_folding() -> None:
    m = parse("wsinv")
    assert (m.method, m.max_forwards, m.cseq.number, m.cseq.method) == ("INVITE", 68, 9, "INVITE")
    assert m.to.tag == "1918181833n"
    assert m.from_.display == 'J Rosenberg \\"'
    assert m.from_.tag == "98asjd8"
    assert [(v.transport, v.host) for v in m.vias] == [
        ("UDP", "192.0.2.2"),
        ("TCP", "spindle.example.com"),
        ("UDP", "192.168.255.111"),
    ]
    assert [v.branch for v in m.vias] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert not m.via.is_rfc3261
    assert m.get("subject") == ""
    assert m.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert m.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert m.contacts[0].display == 'Quoted string ""'
    assert m.contacts[0].q == 0.33
    assert m.contacts[0].params["newparam"] == "newvalue"
    assert m.routes[0].uri.is_loose_router
    assert m.routes[0].uri.params["unknown-no-value"] is None
    assert len(m.body) == 150


def test_intmeth_keeps_odd_tokens_and_nul() -> None:
    m = parse("intmeth")
    assert m.method == "!interesting-Method0123456789_*+`.%indeed'~" == m.cseq.method
    assert m.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert m.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert m.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert m.from_.display == "token1~` token2'+_ token3*%!.-"
    assert m.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert m.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert m.max_forwards == 255


def test_esc01_unescapes_users_and_parameters_but_not_the_scheme() -> None:
    m = parse("esc01")
    assert m.uri.scheme == "sip"
    assert (m.uri.user_text, m.uri.host) == ("sips:user@example.com", "example.net")
    assert m.to.uri.canonical == "sip:user@example.com"
    assert m.contacts[0].uri.user_text == "caller"
    assert m.contacts[0].uri.is_loose_router
    assert m.contacts[0].uri.params["name"] == "value%41"


def test_esc02_never_unescapes_a_method_or_a_header_name() -> None:
    m = parse("esc02")
    assert m.method == "RE%47IST%45R"
    assert len(m.contacts) == 2
    assert m.to.display == "%Z%45"
    assert m.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_escnull_has_two_different_contacts() -> None:
    a, b = parse("escnull").contacts
    assert a.uri.user_text == "\x00"
    assert not a.uri.matches(b.uri)


def test_dblreq_ignores_what_follows_in_the_datagram() -> None:
    m = parse("dblreq")
    assert m.method == "REGISTER"
    assert len(bytes(m)) < len(OCTETS["dblreq"])
    assert datagram(OCTETS["dblreq"]) == m


def test_dblreq_on_a_stream_is_two_messages_and_a_cut_one_waits() -> None:
    # Its second body is five octets longer than its Content-Length says: they start a third message.
    with pytest.raises(BadMessage, match="start line") as caught:
        StreamFramer().receive(OCTETS["dblreq"])
    assert [m.method for m in caught.value.complete] == ["REGISTER", "INVITE"]
    framer = StreamFramer()
    assert [m.method for m in framer.receive(OCTETS["dblreq"][:-20])] == ["REGISTER"]
    with pytest.raises(BadMessage, match="middle of a message"):
        framer.eof()


def test_clerr_waits_on_a_stream_and_is_refused_in_a_datagram() -> None:
    framer = StreamFramer()
    assert framer.receive(OCTETS["clerr"]) == []
    assert not framer.closed
    with pytest.raises(BadMessage, match="Content-Length is 9999"):
        datagram(OCTETS["clerr"])


def test_ncl_closes_the_stream() -> None:
    framer = StreamFramer()
    with pytest.raises(BadMessage):
        framer.receive(OCTETS["ncl"])
    assert framer.closed


def test_noreason_has_an_empty_reason_phrase() -> None:
    m = parse("noreason")
    assert (m.status, m.reason, m.start_line) == (100, "", "SIP/2.0 100 ")


def test_unkscm_is_opaque_and_unksm2_too() -> None:
    m = parse("unkscm")
    assert (m.uri.scheme, m.uri.opaque) == ("nobodyknowsthisscheme", "totallyopaquecontent")
    m = parse("unksm2")
    assert m.to.uri == Uri("isbn", opaque="2983792873")
    assert str(m.from_.uri) == "http://www.example.com"
    assert m.contacts[0].uri.opaque == "John_Smith"


def test_transports_known_and_unknown() -> None:
    assert [v.transport for v in parse("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_badbranch_falls_back_to_rfc_2543() -> None:
    assert parse("badbranch").via.branch == "z9hG4bK"
    assert not parse("badbranch").via.is_rfc3261


def test_bext01_names_the_extensions_to_refuse() -> None:
    m = parse("bext01")
    assert m.require == ("nothingSupportsThis", "nothingSupportsThisEither")
    assert m.proxy_require == ("noProxiesSupportThis", "norDoAnyProxiesSupportThis")


def test_cparam02_regescrt_and_escruri_tell_uri_from_header() -> None:
    contact = parse("cparam02").contacts[0]
    assert "unknownparam" in contact.uri.params
    assert contact.params == {}
    assert parse("regescrt").contacts[0].uri.headers == "Route=%3Csip:sip.example.com%3E"
    assert "the Request-URI carries headers" in parse("escruri").problems()


def test_multi01_lists_what_stands_twice() -> None:
    text = " ".join(parse("multi01").problems())
    assert all(name in text for name in ("cseq", "call-id", "from", "to", "max-forwards"))


def test_mpart01_has_a_binary_body() -> None:
    m = parse("mpart01")
    assert m.content_type is not None
    assert (m.content_type.essence, m.content_type.boundary) == ("multipart/mixed", "7a9cbec02ceef655")
    assert len(m.body) == 553
    assert b"\0" in m.body


def test_lwsdisp_needs_no_space_before_the_bracket() -> None:
    assert parse("lwsdisp").from_.display == "caller"


def test_ipv6_ports_and_addresses() -> None:
    assert (parse("port-ambiguous").uri.host, parse("port-ambiguous").uri.port) == (
        "[2001:db8::10:5070]",
        None,
    )
    assert (parse("port-unambiguous").uri.address, parse("port-unambiguous").uri.port) == (
        "2001:db8::10",
        5070,
    )
    assert parse("via-received-param-with-delim").via.received == "2001:db8::9:255"
    assert [v.address for v in parse("mult-ip-in-header").vias] == [
        "2001:db8::9:1",
        "192.0.2.1",
        "2001:db8::9:255",
    ]
    assert parse("mult-ip-in-header").via.port == 6050
    assert parse("ipv6-bug-abnf-3-colons").uri.address == "2001:db8:::192.0.2.1"


# Messages of the same kinds, written by hand after the text of RFC 4475 and RFC 5118.

HEAD = """To: sip:user@example.com
From: sip:caller@example.net;tag=1
Call-ID: a
CSeq: 1 OPTIONS
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa
Max-Forwards: 70
"""
REFUSED = {
    "version": ("OPTIONS sip:u@example.com SIP/7.0\n" + HEAD + "l: 0\n\n", 505),
    "old-version": ("OPTIONS sip:u@example.com SIP/1.0\n" + HEAD + "l: 0\n\n", 505),
    "response-version": ("SIP/3.0 200 OK\n" + HEAD + "l: 0\n\n", 505),
    "two-lengths": (
        "OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "Content-Length: 8\nl: 5\n\nthere's more",
        400,
    ),
    "length-in-words": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "l: five\n\n12345", 400),
    "length-as-list": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "l: 5, 5\n\n12345", 400),
    "length-with-plus": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "l: +5\n\n12345", 400),
    "length-of-other-digits": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "l: ٥\n\n12345", 400),
    "length-of-5000-digits": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + f"l: {'9' * 5000}\n\n", 400),
    "length-beyond-bounds": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "l: 4000000\n\n", 513),
    "cseq-2^32": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("1 OP", "4294967296 OP") + "\n", 400),
    "cseq-in-response": ("SIP/2.0 503 x\n" + HEAD.replace("1 OP", "9223372036854775808 OP") + "\n", 400),
    "cseq-method": ("INVITE sip:u@example.com SIP/2.0\n" + HEAD + "\n", 400),
    "cseq-case": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("1 OPTIONS", "1 options") + "\n", 400),
    "cseq-without-method": (
        "OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("1 OPTIONS", "1") + "\n",
        400,
    ),
    "status-99": ("SIP/2.0 099 Low\n" + HEAD + "\n", 400),
    "status-700": ("SIP/2.0 700 High\n" + HEAD + "\n", 400),
    "status-of-two-digits": ("SIP/2.0 20 OK\n" + HEAD + "\n", 400),
    "max-forwards-256": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("70", "256") + "\n", 400),
    "expires-overlarge": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "Expires: 4294967296\n\n", 400),
    "spaces-in-start-line": ("OPTIONS  sip:u@example.com  SIP/2.0\n" + HEAD + "\n", 400),
    "no-method": (" sip:u@example.com SIP/2.0\n" + HEAD + "\n", 400),
    "uri-without-brackets": ("OPTIONS sip:2001:db8::10 SIP/2.0\n" + HEAD + "\n", 400),
    "uri-port": ("OPTIONS sip:u@example.com:65536 SIP/2.0\n" + HEAD + "\n", 400),
    "uri-without-host": ("OPTIONS sip: SIP/2.0\n" + HEAD + "\n", 400),
    "via-separators": (
        "OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("z9hG4bKa", "z9hG4bKa;;") + "\n",
        400,
    ),
    "via-trailing-comma": (
        "OPTIONS sip:u@example.com SIP/2.0\n" + HEAD.replace("z9hG4bKa", "z9hG4bKa, ") + "\n",
        400,
    ),
    "contact-separators": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + 'm: "J" <sip:j@a.b>; ;\n\n', 400),
    "contact-open-quote": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + 'm: "J <sip:j@a.b>\n\n', 400),
    "contact-open-bracket": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "m: <sip:j@a.b\n\n", 400),
    "row-without-colon": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "what\n\n", 400),
    "row-with-empty-name": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + ": what\n\n", 400),
    "name-with-space": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD + "what is: this\n\n", 400),
    "start-line-folded": ("OPTIONS sip:u@example.com SIP/2.0\n x: y\n" + HEAD + "\n", 400),
    "no-empty-line": ("OPTIONS sip:u@example.com SIP/2.0\n" + HEAD, 400),
    "empty": ("", 400),
    "http": ("GET / HTTP/1.1\nHost: a\n\n", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_status(name: str) -> None:
    text, status = REFUSED[name]
    with pytest.raises(BadMessage) as caught:
        Message.parse(sip(text))
    assert caught.value.status == status


@pytest.mark.parametrize(
    "name", ["version", "two-lengths", "cseq-2^32", "via-separators", "uri-without-brackets"]
)
def test_a_refused_request_can_be_answered(name: str) -> None:
    text, status = REFUSED[name]
    with pytest.raises(BadMessage) as caught:
        Message.parse(sip(text))
    assert caught.value.message is not None
    answer = Message.reply(caught.value.message, caught.value.status, to_tag="t")
    assert answer.status == status
    assert answer.call_id == "a"
    assert answer.to.tag == "t"


def test_missing_mandatory_headers_are_listed_not_refused() -> None:
    m = Message.parse(sip("INVITE sip:u@example.com SIP/2.0\nCSeq: 1 INVITE\nl: 0\n\n"))
    assert m.problems() == ("via is missing", "from is missing", "to is missing", "call-id is missing")
    for name in ("via", "from_", "to", "call_id"):
        with pytest.raises(Malformed, match="has no"):
            getattr(m, name)


def test_semicolons_and_question_marks_belong_to_the_user() -> None:
    m = Message.parse(
        sip("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\n" + HEAD.replace(
            "sip:user@", "sip:j_user;x?y@"
        ) + "m: <sip:a;b,c@host>\n\n")
    )  # fmt: skip
    assert (m.uri.user, m.uri.host) == ("user;par=u%40example.net", "example.com")
    assert m.contacts[0].uri.user == "a;b,c"


def test_reason_phrase_of_other_scripts() -> None:
    m = Message.parse(sip("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\n" + HEAD + "\n"))
    assert m.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"


def test_long_values_are_kept() -> None:
    value = "0" * 8000 + "1"
    row = f"Unknown-{'Long' * 20}: {value}"
    m = Message.parse(
        sip(f"OPTIONS sip:u@example.com SIP/2.0\n{HEAD}{row}\nVia: SIP/2.0/TCP {'a' * 3000}\n\n")
    )
    assert m.get("unknown-" + "long" * 20) == value
    assert len(m.vias[1].host) == 3000


def test_inv2543_without_tags_and_branch() -> None:
    text = """
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Contact: <sip:+13035551111@ift.client.example.net:5060>
Expires: Thu, 01 Dec 1994 16:00:00 GMT

"""
    m = Message.parse(sip(text))
    assert (m.from_.tag, m.to.tag, m.via.branch) == (None, None, None)
    assert m.to.params["user"] == "phone"
    assert any("Expires" in problem for problem in m.problems())


def test_an_unknown_authorization_scheme_is_kept() -> None:
    m = Message.parse(
        sip(
            "OPTIONS sip:u@example.com SIP/2.0\n"
            + HEAD
            + "Authorization: NoOneKnowsThisScheme opaque-data=here\n\n"
        )
    )
    assert m.authorization[0].scheme == "NoOneKnowsThisScheme"
    assert m.authorization[0].params == {"opaque-data": "here"}
    assert m.problems() == ()


def test_ipv4_mapped_ipv6_and_received_without_brackets() -> None:
    row = "v: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKb;received=2001:db8::9:255\n"
    m = Message.parse(sip("OPTIONS sip:u@[::ffff:192.0.2.2] SIP/2.0\n" + row + HEAD + "\n"))
    assert m.via.address == "::ffff:192.0.2.10"
    assert m.via.port == 19823
    assert m.via.received == "2001:db8::9:255"
    assert m.uri.address == "::ffff:192.0.2.2"
