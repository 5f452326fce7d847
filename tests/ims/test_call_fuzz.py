"""Whatever arrives in the middle of a call: no error escapes, nothing hangs, and the next call works."""

import random
from contextlib import suppress

import pytest

from benchmarks.fuzz_sip import mutated
from imslab.errors import ImslabError
from imslab.ims import Address
from imslab.ims.call import CallState, Times
from imslab.ims.scscf import Policy
from imslab.sip import Message

ROWS = [
    "Via: SIP/2.0/UDP x;branch=z9hG4bK1", "Route: <sip:127.0.0.21;lr>", "Record-Route: <<", "Contact: *",
    "RAck: 4294967295 1 INVITE", "Session-Expires: 1;refresher=uas", "Min-SE: 99999999", "Require: 100rel",
    "Supported:", "P-Asserted-Identity: <tel:1>", "P-Called-Party-ID: x y", "To: <sip:a@b>;tag=1", "RSeq: 0",
    'Proxy-Authenticate: Digest nonce="A", algorithm=AKAv1-MD5', 'Reason: SIP;text="x"', "Privacy: id",
    "Content-Type: application/sdp", "P-Early-Media: x", "Max-Forwards: 0", "Call-ID: other", "Warning: x",
    "CSeq: 1 ACK", "Contact: <sip:[::1]:0;transport=sctp>", "Via: SIP/2.0/TLS [::]:0;branch=z9hG4bK",
]  # fmt: skip


def twisted(octets, rng):
    """Change a message as a peer with bad intentions, or a bad memory, would: a row, or any octet."""
    if rng.random() < 0.4:
        return mutated(octets, rng)
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(lines))
        choice = rng.random()
        if choice < 0.4:
            lines.insert(at + 1, rng.choice(ROWS).encode())
        elif choice < 0.7 and len(lines) > 2:
            del lines[at]
        else:
            lines[at] = mutated(lines[at], rng).replace(b"\r\n", b"")
    return (
        b"\r\n".join(lines)
        + b"\r\n\r\n"
        + (body if rng.random() < 0.8 else mutated(body, rng) if body else b"")
    )


@pytest.fixture
def lab(home, answers):
    def careful(person, indication, now):
        try:
            answers(person, indication, now)
        except ImslabError:
            if indication.call.ending is None:  # else it has ended between the telling and the hearing
                person.ue.refuse(indication.call, 488, now)

    return home(times=Times(no_answer=30), policy=Policy(challenge_calls=True), habit=careful)


def dialogue(lab):
    """A call with everything in it; whatever is impossible by then is left out."""
    call = lab.alice.calls(lab.bob)
    for act in (
        lambda: lab.alice.do("hold", call, lab.alice.sdp("sendonly", version=2)),
        lambda: lab.alice.do("update", call, b""),
        lambda: lab.alice.do("message", lab.bob.uri, "hello"),
        lambda: lab.alice.do("hang_up", call),
    ):
        with suppress(ImslabError):
            act()
    lab.network.advance(3)


def still_works(lab, left_over):
    """Whatever happened: no call hangs, after a while nothing is left, and the next call is a call."""
    lab.network.intercept = None
    lab.network.advance(300)
    for person in lab.people:
        states = {call.state for call in person.ue.calls}
        assert states <= {CallState.CONFIRMED}, states
        for call in person.ue.calls:
            person.do("hang_up", call)
    lab.network.advance(120)
    waiting, _, calls = left_over(lab)
    assert (waiting, calls) == (0, 0)
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED


@pytest.mark.parametrize("seed", range(12))
def test_messages_twisted_on_their_way(lab, left_over, seed):
    rng = random.Random(seed)
    lab.network.intercept = lambda send: (
        [send._replace(octets=twisted(send.octets, rng))] if rng.random() < 0.06 else [send]
    )
    for _ in range(3):
        dialogue(lab)
    still_works(lab, left_over)


@pytest.mark.parametrize("seed", range(6))
def test_messages_that_come_again_twisted(lab, left_over, seed):
    """Every message of a call, twisted, arrives once more where the right one did."""
    rng = random.Random(1000 + seed)
    dialogue(lab)
    recorded = list(lab.network.passed)
    call = lab.alice.calls(lab.bob)
    assert call.state is CallState.CONFIRMED
    for send in recorded:
        lab.network.inject(twisted(send.octets, rng), send.source, send.destination)
        if rng.random() < 0.05:
            lab.network.advance(1)
    still_works(lab, left_over)


@pytest.mark.parametrize("seed", range(3))
def test_messages_of_strangers(lab, left_over, seed):
    """The same from addresses that have no part in the call: nothing of it is believed."""
    rng = random.Random(2000 + seed)
    dialogue(lab)
    recorded = list(lab.network.passed)
    call = lab.alice.calls(lab.bob)
    stranger = Address("127.0.0.66", 5060)
    for send in recorded:
        if send.destination != lab.scscf.address:  # nobody from outside reaches it (TS 33.210)
            lab.network.inject(twisted(send.octets, rng), stranger, send.destination)
    assert call.state is CallState.CONFIRMED and call.ending is None
    lab.alice.do("hang_up", call)
    assert lab.bob.ue.calls == []


@pytest.mark.parametrize("seed", range(8))
def test_descriptions_twisted_on_their_way(lab, left_over, seed):
    """An SDP that is no SDP is refused or ends the call; never anything else."""
    rng = random.Random(3000 + seed)

    def twist(send):
        message = Message.parse(send.octets)
        if message.body and rng.random() < 0.3:
            return [send._replace(octets=bytes(message.with_body(mutated(message.body, rng))))]
        return [send]

    lab.network.intercept = twist
    for _ in range(3):
        dialogue(lab)
    still_works(lab, left_over)
