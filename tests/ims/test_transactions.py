"""The transaction layer: whose a message is, what comes again, what nobody answers (RFC 3261 17, 18, 9)."""

import pytest

from imslab.ims import Address
from imslab.ims.timers import Timers
from imslab.ims.transactions import Transactions
from imslab.sip import Message
from imslab.sip.transaction import ack_for, cancel_for

PEER, OTHER = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)
TCP = PEER._replace(transport="TCP")


def request(method, branch="1", cseq=1):
    headers = [
        ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}"),
        ("From", "<sip:a@x>;tag=a"),
        ("To", "<sip:b@x>"),
        ("Call-ID", "c"),
        ("CSeq", f"{cseq} {method}"),
    ]
    return Message.request(method, "sip:b@x", headers)


@pytest.fixture
def layer():
    sent, timers = [], Timers()
    made = Transactions(lambda message, peer: sent.append((message, peer)), lambda: "mytag", timers, most=10)
    made.sent, made.told = sent, []
    made.tell = lambda client, response, now: made.told.append((response.status, client.silent))
    return made


def start_lines(layer):
    return [message.start_line.split(" ")[0 if message.is_request else 1] for message, _ in layer.sent]


def test_a_response_is_of_whom_was_asked(layer):
    layer.ask(request("OPTIONS"), PEER, 0.0, layer.tell)
    reply = Message.reply(request("OPTIONS"), 200)
    assert not layer.response(reply, OTHER, 0.0)
    assert not layer.response(Message.reply(request("OPTIONS", "2"), 200), PEER, 0.0)
    assert layer.told == []
    assert layer.response(reply, TCP, 0.0)  # the same end over another transport
    assert layer.told == [(200, False)]


def test_nobody_answers(layer):
    layer.ask(request("OPTIONS"), PEER, 0.0, layer.tell)
    while layer.timers.next() < 32.0:
        layer.timers.fire(layer.timers.next())
    assert start_lines(layer).count("OPTIONS") == 11 and layer.told == []
    layer.timers.fire(32.0)
    assert layer.told == [(408, True)] and layer.clients == {} and len(layer.timers) == 0


def test_a_connection_that_is_gone(layer):
    layer.ask(request("INVITE"), TCP, 0.0, layer.tell)
    layer.unreachable(request("INVITE"), 1.0)
    layer.unreachable(request("INVITE"), 1.0)
    layer.unreachable(None, 1.0)
    assert layer.told == [(503, True)] and layer.clients == {}


def test_who_is_behind_a_lost_connection_answers_nothing(layer):
    layer.ask(request("OPTIONS"), TCP, 0.0, layer.tell)
    layer.ask(request("OPTIONS", "2"), OTHER, 0.0, layer.tell)
    layer.lost(TCP, 1.0)
    assert layer.told == [(503, True)] and len(layer.clients) == 1


def test_over_tcp_a_transaction_ends_with_its_answer(layer):
    layer.ask(request("OPTIONS"), TCP, 0.0, layer.tell)
    layer.response(Message.reply(request("OPTIONS"), 200), TCP, 0.0)
    server = layer.serve(request("MESSAGE", "2"), TCP, 0.0)
    server.reply(200, 0.0)
    assert layer.clients == layer.servers == {} and len(layer.timers) == 0


def test_a_copy_of_a_request_gets_the_answer_again(layer):
    server = layer.serve(request("MESSAGE"), PEER, 0.0)
    assert layer.serve(request("MESSAGE"), PEER, 0.0) is None and layer.sent == []
    server.reply(202, 0.0)
    assert layer.serve(request("MESSAGE"), PEER, 1.0) is None
    assert start_lines(layer) == ["202", "202"]
    assert layer.serve(request("MESSAGE"), OTHER, 1.0) is not None  # somebody else's
    layer.timers.fire(32.0)
    assert layer.serve(request("MESSAGE"), PEER, 32.0) is not None


def test_every_answer_has_the_same_tag_but_trying(layer):
    server = layer.serve(request("INVITE"), PEER, 0.0)
    assert not server.has_answered
    replies = [server.reply(status, 0.0) for status in (100, 180, 486)]
    assert [reply.to.tag for reply in replies] == [None, "mytag", "mytag"]
    assert server.has_answered


@pytest.mark.parametrize("to", ["<sip:b@x>;tag=theirs", "<sip:b@x>;tag=the:irs", "<<<", "x y"])
def test_a_request_whose_to_is_anything_can_be_answered(layer, to):
    server = layer.serve(request("MESSAGE").with_header("To", to), PEER, 0.0)
    assert server.reply(400, 0.0).get("To") == to
    assert start_lines(layer) == ["400"]


def test_cancel(layer):
    invite = request("INVITE")
    server = layer.serve(invite, PEER, 0.0)
    asked = []
    server.cancelled = asked.append
    assert layer.serve(cancel_for(invite), OTHER, 1.0) is None
    assert layer.serve(cancel_for(invite), PEER, 1.0) is None
    assert asked == [1.0]
    assert [message.status for message, _ in layer.sent] == [481, 200]
    assert [peer for _, peer in layer.sent] == [OTHER, PEER]
    layer.serve(cancel_for(invite), PEER, 2.0)
    assert asked == [1.0]  # a copy
    assert layer.sent[-1][0].status == 200 and layer.sent[-1][0].to.tag == server.tag


def test_an_ack_is_of_its_transaction_or_of_nobody_here(layer):
    invite = request("INVITE")
    server = layer.serve(invite, PEER, 0.0)
    refusal = server.reply(486, 0.0)
    ack = ack_for(invite, refusal)
    assert not layer.acknowledges(ack, OTHER, 0.0)
    assert layer.acknowledges(ack, PEER, 0.0) and layer.acknowledges(ack, PEER, 0.0)
    accepted = layer.serve(request("INVITE", "2"), PEER, 0.0)
    accepted.reply(200, 0.0)
    assert not layer.acknowledges(request("ACK", "3"), PEER, 0.0)
    assert not layer.acknowledges(request("ACK", "2"), PEER, 0.0)  # with the branch of its INVITE: passed on


def test_a_2xx_goes_out_also_when_its_transaction_has_ended(layer):
    """RFC 6026, 7.1: the user repeats it, not the transaction."""
    server = layer.serve(request("INVITE"), PEER, 0.0)
    answer = server.reply(200, 0.0)
    layer.timers.fire(32.0)
    assert layer.servers == {}
    server.respond(answer, 33.0)
    server.respond(Message.reply(request("INVITE"), 180), 33.0)
    assert start_lines(layer) == ["200", "200"]


def test_trying_is_said_after_200_ms(layer):
    layer.serve(request("INVITE"), PEER, 0.0)
    layer.timers.fire(0.19)
    assert layer.sent == []
    layer.timers.fire(0.2)
    assert start_lines(layer) == ["100"]


def test_what_is_abandoned_is_forgotten(layer):
    client = layer.ask(request("INVITE"), PEER, 0.0, layer.tell)
    layer.response(Message.reply(request("INVITE"), 100), PEER, 0.0)
    client.abandon(1.0)
    assert layer.clients == {} and layer.told == [(100, False)] and len(layer.timers) == 0
    assert not layer.response(Message.reply(request("INVITE"), 200), PEER, 2.0)


def test_memory_is_bounded(layer):
    for n in range(15):
        layer.serve(request("MESSAGE", str(n)), PEER, 0.0)
    assert len(layer.servers) == 10
    assert start_lines(layer) == ["503"] * 5 and layer.sent[0][0].get("Retry-After") == "5"
