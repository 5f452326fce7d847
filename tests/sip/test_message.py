"""Messages: octet-exact reading, building, edits that touch only their rows, bad input."""

import time

import pytest

from imslab.errors import Malformed
from imslab.sip import STAR, BadMessage, Challenge, Header, Limits, Message, NameAddr, Uri, Via

REGISTER = (
    b"REGISTER sip:ims.example.org SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bK1;rport,\r\n  SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0\r\n"
    b"Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK\xff\r\n"
    b"X-Unknown :  kept \xff\xfe as it is \r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:alice@ims.example.org>;tag=a1\r\n"
    b'To: "Al, ice" <sip:alice@ims.example.org>\r\n'
    b"Call-ID: c1@127.0.0.11\r\n"
    b"CSeq: 2 REGISTER\r\n"
    b'm: <sip:alice@127.0.0.11>;expires=60;+sip.instance="<urn:uuid:1>", <sip:b@c>;q=0.5\r\n'
    b"x-unknown: twice\r\n"
    b"Supported: path, gruu\r\n"
    b"Supported:\r\n"
    b'P-Visited-Network-ID: "visited, one", two\r\n'
    b'P-Charging-Vector: icid-value="a b";orig-ioi=home\r\n'
    b"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=001;np, IEEE-802.11\r\n"
    b"Content-Type: application/reginfo+xml ; charset=UTF-8\r\n"
    b"Event: reg;id=7\r\n"
    b"Expires: 600000\r\n"
    b"L: 4\r\n"
    b"\r\n"
    b"\x00\xff\r\n"
)


@pytest.fixture
def register() -> Message:
    return Message.parse(REGISTER)


def test_octets_are_those_received_without_what_follows() -> None:
    assert bytes(Message.parse(REGISTER)) == REGISTER
    assert bytes(Message.parse(REGISTER + b"INVITE")) == REGISTER
    assert bytes(Message.parse(bytearray(REGISTER))) == REGISTER


def test_start_line(register: Message) -> None:
    assert register.is_request
    assert (register.method, register.uri_text, register.status, register.reason) == (
        "REGISTER",
        "sip:ims.example.org",
        0,
        "",
    )
    assert register.uri == Uri("sip", host="ims.example.org")


def test_rows_keep_name_value_and_octets(register: Message) -> None:
    assert register.headers[0] == Header(
        "v",
        "SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0",
        b"v: SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bK1;rport,\r\n  SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0",
    )
    assert register.headers[2].name == "X-Unknown"
    assert register.headers[2].raw == b"X-Unknown :  kept \xff\xfe as it is "
    head = b"\r\n".join([b"REGISTER sip:ims.example.org SIP/2.0", *(h.raw for h in register.headers)])
    assert head + b"\r\n\r\n" + register.body == REGISTER


def test_names_are_matched_without_case_and_in_compact_form(register: Message) -> None:
    assert register.get("VIA") == register.get("v") == register.all("Via")[0]
    assert register.all("x-UNKNOWN") == ["kept \udcff\udcfe as it is", "twice"]
    assert register.get("none") is None
    assert register.get("none", "there") == "there"
    assert "content-length" in register
    assert "l" in register
    assert "Route" not in register


def test_values_split_lists_but_not_quotes(register: Message) -> None:
    assert register.values("P-Visited-Network-ID") == ['"visited, one"', "two"]
    assert register.values("supported") == ["path", "gruu"]
    assert len(register.values("Via")) == 3


def test_typed_views(register: Message) -> None:
    assert [v.transport for v in register.vias] == ["UDP", "TCP", "WSS"]
    assert register.via.wants_rport
    assert register.to.display == "Al, ice"
    assert register.cseq.number == 2
    assert register.call_id == "c1@127.0.0.11"
    assert [c.expires for c in register.contacts] == [60, None]
    assert register.contacts[0].params["+sip.instance"] == "<urn:uuid:1>"
    assert register.contacts[1].q == 0.5
    assert register.supported == ("path", "gruu")
    assert register.p_visited_network_id == ("visited, one", "two")
    assert register.p_charging_vector is not None
    assert register.p_charging_vector.icid_value == "a b"
    assert register.p_charging_vector.orig_ioi == "home"
    assert [i.access_type for i in register.p_access_network_info] == ["3GPP-E-UTRAN-FDD", "IEEE-802.11"]
    assert [i.network_provided for i in register.p_access_network_info] == [True, False]
    assert register.content_type is not None
    assert register.content_type.essence == "application/reginfo+xml"
    assert register.event is not None
    assert (register.event.package, register.event.id) == ("reg", "7")
    assert (register.expires, register.max_forwards, register.content_length) == (600000, 70, 4)
    assert register.problems() == ()


def test_absent_headers_read_as_nothing() -> None:
    m = Message.parse(b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n")
    for name in (
        "vias",
        "routes",
        "contacts",
        "require",
        "www_authenticate",
        "authorization",
        "security_server",
    ):
        assert getattr(m, name) == ()
    for name in ("expires", "event", "content_type", "p_charging_vector", "authentication_info"):
        assert getattr(m, name) is None
    for name in ("via", "to", "from_", "call_id", "cseq", "method"):
        with pytest.raises(Malformed, match="has no"):
            getattr(m, name)
    with pytest.raises(Malformed, match="no Request-URI"):
        _ = m.uri


def test_a_view_is_read_once_and_cannot_be_set(register: Message) -> None:
    assert register.vias is register.vias
    with pytest.raises(AttributeError, match="immutable"):
        register.vias = ()
    with pytest.raises(AttributeError):
        register.body = b""  # type: ignore[misc]


def test_a_broken_view_names_its_header() -> None:
    m = Message.parse(b"SIP/2.0 200 OK\r\nRoute: <sip:a\xff@b>\r\nExpires: soon\r\n\r\n")
    with pytest.raises(Malformed, match="Route"):
        _ = m.routes
    with pytest.raises(Malformed, match="Expires"):
        _ = m.expires
    assert len([p for p in m.problems() if "missing" not in p]) == 2


def test_star_contact() -> None:
    m = Message.parse(REGISTER.replace(b"m: <sip:alice@127.0.0.11>", b"m: *\r\nX: <sip:alice@127.0.0.11>"))
    assert m.contacts == (STAR,)


def test_request_is_built_with_its_length() -> None:
    m = Message.request(
        "MESSAGE", Uri.parse("sip:b@c"), [("To", NameAddr(Uri.parse("sip:b@c"))), ("X", 7)], b"hi"
    )
    assert bytes(m) == b"MESSAGE sip:b@c SIP/2.0\r\nTo: <sip:b@c>\r\nX: 7\r\nContent-Length: 2\r\n\r\nhi"
    assert Message.parse(bytes(m)) == m
    assert hash(Message.parse(bytes(m))) == hash(m)
    assert m != "x"
    given = Message.request("MESSAGE", "sip:b@c", [("l", "0")])
    assert given.all("Content-Length") == ["0"]


def test_reply_copies_what_identifies_the_transaction(register: Message) -> None:
    challenge = Challenge.digest(realm="r", nonce="n")
    reply = Message.reply(register, 401, headers=[("WWW-Authenticate", challenge)], to_tag="t9", body=b"x")
    assert reply.start_line == "SIP/2.0 401 Unauthorized"
    assert [h.raw for h in reply.headers[:3]] == [
        *(h.raw for h in register.headers[:2]),
        register.headers[4].raw,
    ]
    assert bytes(reply).startswith(
        b"SIP/2.0 401 Unauthorized\r\n" + REGISTER[REGISTER.index(b"v:") : REGISTER.index(b"X-Unknown")]
    )
    assert (reply.method, reply.status, reply.reason) == ("REGISTER", 401, "Unauthorized")
    assert reply.to.tag == "t9"
    assert reply.vias == register.vias
    assert reply.www_authenticate == (challenge,)
    assert Message.parse(bytes(reply)) == reply
    assert Message.reply(register, 299).reason == ""
    assert Message.reply(register, 200, "Fine").reason == "Fine"


def test_reply_keeps_a_to_tag_that_is_there() -> None:
    m = Message.parse(REGISTER.replace(b'To: "Al, ice" <sip:alice@ims.example.org>', b"To: sip:a@b;tag=old"))
    assert Message.reply(m, 200, to_tag="new").to.tag == "old"


def test_reply_copies_a_to_tag_that_is_no_token() -> None:
    m = Message.parse(REGISTER.replace(b'To: "Al, ice" <sip:alice@ims.example.org>', b"To: sip:a@b;tag=o:d"))
    assert Message.reply(m, 400, to_tag="o:d").get("To") == "sip:a@b;tag=o:d"
    with pytest.raises(Malformed, match="bad tag"):
        Message.reply(Message.parse(REGISTER), 400, to_tag="o:d")


def test_another_status(register: Message) -> None:
    reply = Message.reply(register, 503, to_tag="t")
    assert reply.with_status(500).start_line == "SIP/2.0 500 Server Internal Error"
    assert reply.with_status(299, "Odd").reason == "Odd"
    assert reply.with_status(500).headers == reply.headers and reply.status == 503
    for wrong in (
        lambda: reply.with_status(99),
        lambda: register.with_status(200),
        lambda: reply.with_status(200, "\n"),
    ):
        with pytest.raises(Malformed):
            wrong()


def test_edits_touch_only_their_rows(register: Message) -> None:
    vias = register.vias
    edited = register.with_header("Max-Forwards", 69)
    assert bytes(edited) == REGISTER.replace(b"Max-Forwards: 70", b"Max-Forwards: 69")
    assert bytes(register) == REGISTER
    assert edited.max_forwards == 69
    assert edited.vias is vias


def test_with_header_replaces_all_rows_in_the_place_of_the_first(register: Message) -> None:
    assert bytes(register.with_header("X-Unknown", "one")) == REGISTER.replace(
        b"X-Unknown :  kept \xff\xfe as it is ", b"X-Unknown: one"
    ).replace(b"x-unknown: twice\r\n", b"")
    assert register.with_header("New", "row").headers[-1].raw == b"New: row"


def test_prepend_append_without(register: Message) -> None:
    m = register.prepend("Via", "SIP/2.0/UDP 9.9.9.9;branch=z9hG4bK9").append("Supported", "sec-agree")
    assert m.via.host == "9.9.9.9"
    assert len(m.vias) == 4
    assert m.supported == ("path", "gruu", "sec-agree")
    assert m.prepend("Path", "<sip:p;lr>").headers[0].name == "Path"
    assert m.append("Path", "<sip:p;lr>").headers[-1].name == "Path"
    gone = m.without("via", "P-Charging-Vector")
    assert gone.vias == ()
    assert "P-Charging-Vector" not in gone


def test_drop_first_takes_one_of_a_list_or_the_row(register: Message) -> None:
    once = register.drop_first("Via")
    assert once.headers[0].raw == b"v: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK0"
    twice = once.drop_first("Via")
    assert twice.via.transport == "WSS"
    assert len(twice.headers) == len(once.headers) - 1
    assert twice.drop_first("Route") is twice


def test_replace_first_leaves_the_rest_of_the_list(register: Message) -> None:
    m = register.replace_first("Via", Via("UDP", "h"))
    assert [v.host for v in m.vias] == ["h", "10.0.0.1", "df7jal23ls0d.invalid"]
    with pytest.raises(Malformed, match="no Route"):
        register.replace_first("Route", "<sip:x>")


def test_with_rows_puts_all_in_one_place(register: Message) -> None:
    m = register.with_rows("x-unknown", ["1", "2"])
    assert m.all("X-Unknown") == ["1", "2"]
    assert m.headers[2].raw == b"x-unknown: 1"
    assert register.with_rows("X-Unknown", []).get("X-Unknown") is None
    assert register.with_rows("Path", ["<sip:p>"]).headers[-1].name == "Path"


def test_with_uri_and_body(register: Message) -> None:
    m = register.with_uri("sip:x@y").with_body(b"12345", "text/plain")
    assert (m.uri_text, m.content_length, m.body) == ("sip:x@y", 5, b"12345")
    assert m.get("c") == "text/plain"
    assert Message.parse(bytes(m)) == m
    with pytest.raises(Malformed):
        Message.parse(b"SIP/2.0 200 OK\r\n\r\n").with_uri("sip:x@y")


def test_seen_from_marks_the_top_via(register: Message) -> None:
    m = register.seen_from("192.0.2.7", 40000)
    assert m.via.response_address == ("192.0.2.7", 40000)
    assert len(m.vias) == 3
    plain = Message.parse(REGISTER.replace(b";rport", b""))
    assert plain.seen_from("127.0.0.11", 40000) is plain
    assert plain.seen_from("10.1.1.1", 40000).via.response_address == ("10.1.1.1", 5060)


@pytest.mark.parametrize("value", ["a\r\nInjected: yes", "a\nb", "a\rb", "a\0b", "lone \ud800 surrogate"])
def test_values_that_would_break_the_message_are_refused(register: Message, value: str) -> None:
    for edit in (register.with_header, register.prepend, register.append):
        with pytest.raises(Malformed):
            edit("X", value)
    with pytest.raises(Malformed):
        Message.request("OPTIONS", "sip:a@b", [("X", value)])
    with pytest.raises(Malformed):
        Message.reply(register, 200, value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä"])
def test_names_that_are_no_tokens_are_refused(register: Message, name: str) -> None:
    with pytest.raises(Malformed):
        register.with_header(name, "x")
    with pytest.raises(Malformed):
        register.get(name)


def test_bad_start_lines_cannot_be_built(register: Message) -> None:
    for method, uri in (("A B", "sip:a"), ("", "sip:a"), ("A", "sip:a b"), ("A", "sip:a\r\nX: y"), ("A", "")):
        with pytest.raises(Malformed):
            Message.request(method, uri)
    with pytest.raises(Malformed):
        register.with_uri("sip:a b")
    for status in (99, 700):
        with pytest.raises(Malformed):
            Message.reply(register, status)
    with pytest.raises(Malformed):
        Message.reply(register, 200, to_tag="no token")


def test_repr_shows_the_start_line_and_no_header(register: Message) -> None:
    assert repr(register) == "<REGISTER sip:ims.example.org SIP/2.0: 19 headers, 4 octets>"


START = b"OPTIONS sip:a@b SIP/2.0\r\n"


def test_ten_thousand_headers_are_one_error() -> None:
    with pytest.raises(BadMessage, match="512") as caught:
        Message.parse(START + b"X: y\r\n" * 10_000 + b"\r\n")
    assert caught.value.status == 513
    assert len(Message.parse(START + b"X: y\r\n" * 512 + b"\r\n").headers) == 512
    with pytest.raises(BadMessage):
        Message.parse(START + b"X: y\r\n" * 513 + b"\r\n")


def test_a_header_of_a_megabyte_is_one_error() -> None:
    with pytest.raises(BadMessage, match="65536") as caught:
        Message.parse(START + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n")
    assert caught.value.status == 513
    fits = START + b"X: " + b"y" * (65_536 - len(START) - 3)
    assert len(fits) == 65_536
    assert len(bytes(Message.parse(fits + b"\r\n\r\n"))) == 65_540
    with pytest.raises(BadMessage):
        Message.parse(fits + b"y\r\n\r\n")


def test_a_body_of_a_mebibyte_and_no_more() -> None:
    length = 1_048_576
    assert len(Message.parse(START + b"l: %d\r\n\r\n" % length + bytes(length)).body) == length
    with pytest.raises(BadMessage, match="more than 1048576"):
        Message.parse(START + b"l: %d\r\n\r\n" % (length + 1) + bytes(length + 1))


@pytest.mark.parametrize("row", [b"To", b"To <sip:a@b>", b"X-Any", b"l"])
def test_a_row_without_a_colon_is_refused(row: bytes) -> None:
    with pytest.raises(BadMessage):
        Message.parse(START + row + b"\r\n\r\n")


def test_bounds_are_arguments() -> None:
    limits = Limits(head=100, headers=3, body=10)
    Message.parse(START + b"a:b\r\nc:d\r\nl: 10\r\n\r\n0123456789", limits)
    for rows in (b"a:b\r\nc:d\r\ne:f\r\nl: 0\r\n", b"l: 11\r\n", b"x: " + b"y" * 80 + b"\r\n"):
        with pytest.raises(BadMessage) as caught:
            Message.parse(START + rows + b"\r\n0123456789a", limits)
        assert caught.value.status == 513


def test_nul_is_refused_unless_a_backslash_escapes_it() -> None:
    for octets in (START + b"X: a\0b\r\n\r\n", b"OPT\0IONS sip:a@b SIP/2.0\r\n\r\n"):
        with pytest.raises(BadMessage):
            Message.parse(octets)
    with pytest.raises(BadMessage, match="NUL") as caught:
        Message.parse(START + b"X: \xc3\xa4\0b\r\n\r\n")
    assert caught.value.offset == len(START) + 5
    assert Message.parse(START + b'To: "\\\0" <sip:a@b>\r\n\r\n').to.display == "\0"


@pytest.mark.parametrize("row", [b"X: a\nb", b"X: a\rb", b"X\n: a", b"\n"])
def test_cr_or_lf_alone_is_refused(row: bytes) -> None:
    with pytest.raises(BadMessage, match="CR or LF alone"):
        Message.parse(START + row + b"\r\n\r\n")


def test_octets_that_are_not_utf8_are_data_in_values_and_errors_elsewhere() -> None:
    m = Message.parse(START + b"X: \xff\xc3\r\n\r\n")
    assert m.headers[0].raw == b"X: \xff\xc3"
    assert bytes(m.with_header("Y", m.get("X"))).endswith(b"Y: \xff\xc3\r\n\r\n")
    for octets in (
        b"OPT\xff sip:a@b SIP/2.0\r\n\r\n",
        b"O sip:\xff@b SIP/2.0\r\n\r\n",
        START + b"X\xff: a\r\n\r\n",
    ):
        with pytest.raises(BadMessage):
            Message.parse(octets)


def test_same_length_twice_is_one_length() -> None:
    assert Message.parse(START + b"l: 2\r\nContent-Length: 02\r\n\r\nabc").body == b"ab"
    with pytest.raises(BadMessage, match="contradict"):
        Message.parse(START + b"l: 2\r\nContent-Length: 3\r\n\r\nabc")


def test_spaces_and_folds_cost_no_square() -> None:
    started = time.process_time()
    long = b"X: a" + b" " * 60_000 + b"b\r\n c"
    assert Message.parse(START + long + b"\r\n\r\n").get("X") == "a" + " " * 60_000 + "b c"
    assert time.process_time() - started < 1
    m = Message.parse(START + b"X: a" + b"\r\n b" * 400 + b"\r\n\r\n")
    assert m.get("X") == "a" + " b" * 400


VIAS = (
    b"OPTIONS sip:a@b SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP one;branch=z9hG4bK1;rport, SIP/2.0/TCP two;branch=z9hG4bK2\r\n"
    b"v: SIP/2.0/WS three;branch=z9hG4bK3\r\nContact: <sip:c@d>;expires=7, <sip:e@f>\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.prepend("Via", Via("UDP", "new", 5060)),
        lambda m: m.prepend("Via", "SIP/2.0/UDP text"),
        lambda m: m.drop_first("Via"),
        lambda m: m.drop_first("Via").drop_first("Via").drop_first("Via"),
        lambda m: m.replace_first("Via", Via("TLS", "new")),
        lambda m: m.seen_from("192.0.2.7", 4),
        lambda m: m.with_header("Contact", NameAddr(Uri.parse("sip:x@y"))),
        lambda m: m.with_header("Contact", "<sip:x@y>"),
        lambda m: m.with_header("Via", Via("UDP", "only")),
        lambda m: m.prepend("Contact", NameAddr(Uri.parse("sip:x@y"))).drop_first("Contact"),
        lambda m: m.append("Via", Via("UDP", "last")),
        lambda m: m.extended([("Via", "SIP/2.0/UDP last"), ("Contact", "<sip:last@x>")]),
        lambda m: Message.reply(m, 200, to_tag="2"),
        lambda m: Message.reply(m.prepend("Via", Via("UDP", "new")), 401, headers=[("Contact", "<sip:r@s>")]),
    ],
)
def test_a_view_that_an_edit_carries_over_is_what_a_new_reading_gives(edit):
    message = Message.parse(VIAS)
    _ = message.vias, message.contacts, message.from_, message.to, message.cseq, message.call_id
    edited = edit(message)
    again = Message.parse(bytes(edited))
    for name in ("vias", "contacts", "from_", "to", "cseq", "call_id"):
        assert getattr(edited, name) == getattr(again, name), name


def test_a_proxy_looks_for_gaps_only():
    broken = VIAS.replace(b"From:", b"Min-Expires: soon\r\nFrom:")
    message = Message.parse(broken)
    assert message.gaps() == () and len(message.problems()) == 1
    assert Message.parse(broken.replace(b"Call-ID: x\r\n", b"")).gaps() == ("call-id is missing",)
    twice = broken.replace(b"Call-ID: x", b"Call-ID: x\r\nCall-ID: y")
    assert Message.parse(twice).gaps() == ("call-id stands 2 times",)
