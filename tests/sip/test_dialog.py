"""Dialogs: RFC 3261, section 12."""

import pytest

from imslab.errors import Malformed
from imslab.sip import Message
from imslab.sip.dialog import Dialog

SUBSCRIBE = Message.parse(
    b"SUBSCRIBE sip:alice@h SIP/2.0\r\nVia: SIP/2.0/UDP u;branch=z9hG4bK1\r\nRecord-Route: <sip:p2;lr>\r\n"
    b"Record-Route: <sip:p1;lr>\r\nFrom: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>\r\nCall-ID: c\r\n"
    b"CSeq: 41 SUBSCRIBE\r\nContact: <sip:alice@u:1234>\r\nEvent: reg\r\n\r\n"
)
OK = Message.reply(
    SUBSCRIBE,
    200,
    headers=[
        ("Record-Route", "<sip:p2;lr>"),
        ("Record-Route", "<sip:p1;lr>"),
        ("Contact", "<sip:scscf:6060>"),
    ],
    to_tag="t",
)
VIA = ("Via", "SIP/2.0/UDP u;branch=z9hG4bK2")


def test_both_sides_are_mirror_images() -> None:
    client, server = Dialog.of_client(SUBSCRIBE, OK), Dialog.of_server(SUBSCRIBE, OK)
    assert client.id == ("c", "f", "t")
    assert server.id == ("c", "t", "f")
    assert str(client.remote_target) == "sip:scscf:6060"
    assert str(server.remote_target) == "sip:alice@u:1234"
    assert [r.uri.host for r in client.routes] == ["p1", "p2"]
    assert [r.uri.host for r in server.routes] == ["p2", "p1"]
    assert (client.local_cseq, client.remote_cseq) == (41, None)
    assert (server.local_cseq, server.remote_cseq) == (0, 41)


def test_requests_within_the_dialog() -> None:
    server = Dialog.of_server(SUBSCRIBE, OK)
    notify, later = server.request("NOTIFY", [VIA, ("Event", "reg")], b"<xml/>")
    assert (notify.uri_text, str(notify.cseq), notify.call_id) == ("sip:alice@u:1234", "1 NOTIFY", "c")
    assert (notify.from_.tag, notify.to.tag, notify.max_forwards) == ("t", "f", 70)
    assert [r.uri.host for r in notify.routes] == ["p2", "p1"]
    assert notify.headers[0].name == "Via"
    assert notify.problems() == ()
    again, _ = later.request("NOTIFY", [VIA])
    assert again.cseq.number == 2
    client = Dialog.of_client(SUBSCRIBE, OK).received(notify)
    assert client.remote_cseq == 1
    with pytest.raises(Malformed, match="answer 500"):
        client.received(notify)
    assert client.received(again).remote_cseq == 2


def test_ack_repeats_the_number() -> None:
    dialog = Dialog.of_client(SUBSCRIBE, OK)
    ack, same = dialog.request("ACK", [VIA])
    assert ack.cseq.number == 41
    assert same == dialog


def test_the_ack_of_an_invite_has_its_number_whatever_came_between() -> None:
    """RFC 3261, 13.2.2.4; a PRACK takes a number before the ACK does."""
    _, later = Dialog.of_client(SUBSCRIBE, OK).request("PRACK", [VIA])
    ack = later.ack(41, [VIA], b"x")
    assert (str(ack.cseq), ack.body, later.local_cseq) == ("41 ACK", b"x", 42)
    assert [r.uri.host for r in ack.routes] == ["p1", "p2"] and ack.uri_text == "sip:scscf:6060"


def test_a_dialog_is_confirmed_by_the_2xx() -> None:
    """RFC 3261, 13.2.2.4: its route set and target replace those of the provisional response."""
    early = Dialog.of_client(SUBSCRIBE, OK)
    final = OK.with_rows("Record-Route", ["<sip:p9;lr>"]).with_header("Contact", "<sip:elsewhere>")
    confirmed = early.confirmed(final)
    assert [r.uri.host for r in confirmed.routes] == ["p9"]
    assert str(confirmed.remote_target) == "sip:elsewhere" and confirmed.id == early.id
    with pytest.raises(Malformed, match="no Contact"):
        early.confirmed(OK.without("Contact"))


def test_a_2xx_to_a_change_moves_the_target() -> None:
    """RFC 3261, 12.2.1.2; other responses, and those to other methods, do not."""
    dialog = Dialog.of_client(SUBSCRIBE, OK)
    moved = OK.with_header("Contact", "<sip:new>")
    assert str(dialog.answered(moved).remote_target) == "sip:new"
    for other in (moved.with_status(180), moved.with_header("CSeq", "2 MESSAGE"), moved.without("Contact")):
        assert dialog.answered(other) == dialog


def test_a_strict_router_takes_the_request_uri() -> None:
    ok = OK.with_rows("Record-Route", ["<sip:p2;lr>", "<sip:strict>"])
    bye, _ = Dialog.of_client(SUBSCRIBE, ok).request("BYE", [VIA])
    assert bye.uri_text == "sip:strict"
    assert [str(r.uri) for r in bye.routes] == ["sip:p2;lr", "sip:scscf:6060"]


def test_the_target_moves() -> None:
    dialog = Dialog.of_server(SUBSCRIBE, OK)
    refresh = SUBSCRIBE.with_header("CSeq", "42 SUBSCRIBE").with_header("Contact", "<sip:new>")
    assert str(dialog.received(refresh).remote_target) == "sip:new"
    message = Message.request("MESSAGE", "sip:x", [("CSeq", "43 MESSAGE"), ("Contact", "<sip:other>")])
    assert str(dialog.received(message).remote_target) == "sip:alice@u:1234"


def test_what_cannot_be() -> None:
    with pytest.raises(Malformed, match="no Contact"):
        Dialog.of_client(SUBSCRIBE, OK.without("Contact"))
    used_up = Dialog.of_client(SUBSCRIBE.with_header("CSeq", f"{2**32 - 1} SUBSCRIBE"), OK)
    with pytest.raises(Malformed, match="used up"):
        used_up.request("BYE", [VIA])
