"""The P-CSCF at its borders: TS 24.229 5.2, RFC 3261 16.3, RFC 5626 5.2, RFC 6455 10.2."""

import pytest

from imslab.ims import Address
from imslab.sip import Message

STRANGER = Address("127.0.0.66", 5060)

REGISTER = (
    b"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.66:5060;branch=z9hG4bKa;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:alice@ims.mnc001.mcc001.3gppnetwork.org>;tag=1\r\n"
    b"To: <sip:alice@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
    b"Call-ID: one\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@127.0.0.66:5060>\r\nContent-Length: 0\r\n\r\n"
)


def ask(lab, octets, source=STRANGER):
    passed = lab.network.inject(octets, source, lab.pcscf.address)
    return [Message.parse(s.octets) for s in passed if s.destination == source]


def test_a_register_without_authorization_is_challenged(make):
    """SIPp and others begin so; the HSS finds the private identity (TS 24.229, 5.4.1.2.1)."""
    (reply,) = ask(make(), REGISTER)
    assert reply.status == 401 and reply.via.received == "127.0.0.66" and reply.via.rport == 5060


def test_a_retransmission_gets_the_same_answer(make):
    lab = make()
    first, second = ask(lab, REGISTER), ask(lab, REGISTER)
    assert bytes(first[0]) == bytes(second[0])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Max-Forwards: 70", b"Max-Forwards: 0"), 483),
        ((b"CSeq: 1 REGISTER", b"CSeq: 1 OPTIONS"), 400),
        ((b"SIP/2.0\r\n", b"SIP/7.0\r\n"), 505),
        ((b"Call-ID: one\r\n", b""), 400),
        ((b"Content-Length: 0", b"Content-Length: 5"), 400),
        ((b"Contact: <sip:alice@127.0.0.66:5060>", b"Contact: *\r\nExpires: 7"), 401),
        ((b"REGISTER", b"OPTIONS"), 403),
        ((b"REGISTER", b"INVITE"), 403),
        ((b"sip:alice@ims", b"sip:nobody@ims"), 403),
    ],
)
def test_what_is_refused_and_how(make, change, status):
    (reply,) = ask(make(), REGISTER.replace(*change))
    assert reply.status == status


@pytest.mark.parametrize(
    "octets", [b"", b"\0" * 50, b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 2000, b"SIP/2.0 200 OK\r\n\r\n"]
)
def test_garbage_gets_no_answer_and_does_no_harm(make, octets):
    lab = make()
    assert ask(lab, octets) == []
    assert ask(lab, REGISTER)[0].status == 401


def test_a_forged_flow_token_leads_nowhere(make):
    lab = make()
    lab.ue.register(lab.network.now)
    lab.network.run()
    notify = (
        b"NOTIFY sip:alice@127.0.0.11:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.31:5060;branch=z9hG4bKx\r\n"
        b"Route: <sip:%s@127.0.0.21:5060;lr>\r\nMax-Forwards: 70\r\n"
        b"From: <sip:s@x>;tag=1\r\nTo: <sip:a@x>;tag=2\r\n"
        b"Call-ID: two\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n"
    )
    token = Message.parse(lab.network.passed[1].octets).paths[0].uri.user
    for bad in (b"", b"x", b"////", token[:-4].encode() + b"AAAA"):
        (reply,) = ask(
            lab,
            notify.replace(b"%s@", bad + b"@" if bad else b"").replace(
                b"z9hG4bKx", b"z9hG4bKy" + bad.hex().encode()
            ),
            lab.scscf.address,
        )
        assert reply.status == 430
    good = lab.network.inject(notify % token.encode(), lab.scscf.address, lab.pcscf.address)
    assert any(s.destination == lab.ue.address for s in good)


def test_a_closed_connection_ends_the_association(make):
    lab = make(transport="WS")
    lab.ue.register(lab.network.now)
    lab.network.run()
    assert lab.ue.address in lab.pcscf.associations
    lab.pcscf.closed(lab.ue.address, lab.network.now)
    assert lab.pcscf.associations == {}


def test_origins(make):
    pcscf = make().pcscf
    assert pcscf.admits(None) and pcscf.admits("http://lab.example")
    assert not pcscf.admits("http://evil.example") and not pcscf.admits("null")


def test_contact_star_removes_all(make):
    lab = make()
    lab.ue.register(lab.network.now)
    lab.network.run()

    def star(send):
        if send.source == lab.ue.address:
            message = Message.parse(send.octets).with_header("Contact", "*").with_header("Expires", "0")
            return [send._replace(octets=bytes(message))]
        return [send]

    lab.network.intercept = star
    lab.ue.deregister(lab.network.now)
    lab.network.run()
    assert lab.scscf.registrar.by_impi(lab.profile.impi) is None
