"""Pager messages: RFC 3428."""

import pytest

from imslab.errors import Malformed
from imslab.ims.attacks import rewrite
from imslab.ims.indications import Delivered, Text
from imslab.ims.messaging import LONGEST


@pytest.mark.parametrize("transports", [("UDP", "UDP"), ("TCP", "WS"), ("WS", "UDP")], ids="-".join)
@pytest.mark.parametrize("text", ["hello", "", "grüße, 你好\r\nsecond line", "x" * LONGEST])
def test_a_text_arrives(home, left_over, transports, text):
    lab = home(transports)
    id_ = lab.alice.do("message", lab.bob.uri, text)
    assert [(one.id, one.status) for one in lab.alice.heard(Delivered)] == [(id_, 200)]
    (got,) = lab.bob.heard(Text)
    assert (got.sender, got.text) == (lab.alice.uri, text)
    lab.network.advance(40)
    assert left_over(lab) == (0, 0, 0)


def test_too_long(home):
    with pytest.raises(Malformed, match="1301 octets"):
        home().alice.do("message", "sip:bob@x", "x" * 1301)


@pytest.mark.parametrize(
    ("target", "status"), [("sip:nobody@ims.mnc001.mcc001.3gppnetwork.org", 404), ("sip:bob@x", 404)]
)
def test_nobody_there(home, target, status):
    lab = home()
    lab.alice.do("message", target, "hello")
    (outcome,) = lab.alice.heard(Delivered)
    assert outcome.status == status and "no such user" in outcome.reason


def test_not_registered(home):
    lab = home()
    lab.bob.do("deregister")
    lab.alice.do("message", lab.bob.uri, "hello")
    assert [one.status for one in lab.alice.heard(Delivered)] == [480]


def test_a_message_leaves_no_route_behind(home):
    lab = home()
    lab.alice.do("message", lab.bob.uri, "hello")
    assert lab.bob.got()[0].record_routes == () and lab.bob.got()[0].contacts == ()


def test_what_is_no_plain_text(home):
    lab = home()
    lab.network.intercept = rewrite(lambda m: m.with_header("Content-Type", "text/html"), to=lab.bob.address)
    lab.alice.do("message", lab.bob.uri, "<b>hello</b>")
    assert [one.status for one in lab.alice.heard(Delivered)] == [415] and lab.bob.told == []


def test_who_wrote_it_is_the_networks_word(home):
    lab = home()
    lab.network.intercept = rewrite(
        lambda m: m.with_header("From", "<sip:boss@x>;tag=1").append("P-Asserted-Identity", "<sip:boss@x>"),
        to=lab.pcscf.address,
        where=lambda m: m.is_request and len(m.vias) == 1,
    )
    lab.alice.do("message", lab.bob.uri, "raise bob's salary")
    assert lab.bob.heard(Text)[0].sender == lab.alice.uri
