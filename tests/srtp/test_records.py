"""DTLS records and handshake messages: fragments in any order, retransmission, faults, bounds."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.errors import Malformed
from imslab.srtp import records
from imslab.srtp.records import Assembler, Message, is_dtls


def record(octets, *, kind=22, version=0xFEFD, epoch=0, number=0):
    header = bytes([kind]) + version.to_bytes(2) + epoch.to_bytes(2) + number.to_bytes(6)
    return header + len(octets).to_bytes(2) + octets


def fragment(kind, sequence, body, offset=0, size=None):
    size = len(body) - offset if size is None else size
    header = (
        bytes([kind]) + len(body).to_bytes(3) + sequence.to_bytes(2) + offset.to_bytes(3) + size.to_bytes(3)
    )
    return header + body[offset : offset + size]


BODY = bytes(range(200))


def test_the_records_of_a_datagram():
    datagram = record(b"one", number=5) + record(b"", kind=20) + record(b"two", epoch=1, version=0xFEFF)
    found = list(records.records(datagram))
    assert [(r.content_type, r.version, r.epoch, r.sequence, r.octets) for r in found] == [
        (22, 0xFEFD, 0, 5, b"one"),
        (20, 0xFEFD, 0, 0, b""),
        (22, 0xFEFF, 1, 0, b"two"),
    ]


def test_an_encrypted_record_of_dtls_1_3_is_the_rest():
    found = list(records.records(record(b"hello") + b"\x2e\0\0secret"))
    assert [(r.content_type, r.octets) for r in found] == [(22, b"hello"), (0x2E, b"\x2e\0\0secret")]


@pytest.mark.parametrize("size", range(1, 16))
def test_a_cut_record_gives_what_was_before_it(size):
    whole = record(b"one")
    cut = records.records(whole + whole[:size])
    assert next(cut).octets == b"one"
    with pytest.raises(Malformed, match="at octet 16"):
        next(cut)


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (record(b"x"), True),
        (record(b"x", kind=23, version=0xFEFF), True),
        (record(b"x", version=0x0100), True),
        (b"\x2f\0\0abcdef", True),
        (record(b"x", version=0x0303), False),  # TLS
        (record(b"x", kind=19), False),
        (record(b"x", kind=25), False),
        (b"\x16\xfe\xfd", False),
        (b"\x80" * 20, False),  # RTP
        (b"\0\1" * 10, False),  # STUN
        (b"", False),
        (b"\x2f", False),
    ],
)
def test_what_looks_like_dtls(datagram, answer):
    assert is_dtls(datagram) is answer


def receive(*datagrams):
    assembler = Assembler()
    return [message for datagram in datagrams for message in assembler.receive(datagram)]


def test_several_messages_in_a_record_and_several_records_in_a_datagram():
    octets = record(fragment(2, 1, b"hello") + fragment(14, 2, b"")) + record(fragment(11, 3, BODY))
    assert receive(octets) == [Message(2, 1, b"hello"), Message(14, 2, b""), Message(11, 3, BODY)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 199), max_size=6, unique=True), st.randoms(use_true_random=False))
def test_fragments_in_any_order(cuts, random):
    edges = [0, *sorted(cuts), 200]
    pieces = [record(fragment(11, 3, BODY, a, b - a)) for a, b in pairwise(edges)]
    random.shuffle(pieces)
    assert receive(*pieces) == [Message(11, 3, BODY)]


def test_fragments_may_overlap_and_come_again():
    pieces = [record(fragment(11, 3, BODY, a, 80)) for a in (0, 120, 60, 0, 110, 30)]
    assert receive(*pieces) == [Message(11, 3, BODY)]


def test_a_retransmission_gives_nothing_again_and_another_handshake_does():
    first, second = record(fragment(1, 0, b"client hello")), record(fragment(1, 0, b"CLIENT HELLO"))
    assert receive(first, first, second, second, first) == [
        Message(1, 0, b"client hello"),
        Message(1, 0, b"CLIENT HELLO"),
        Message(1, 0, b"client hello"),
    ]
    longer = record(fragment(1, 0, b"a longer client hello"))
    assert [m.body for m in receive(first, longer)] == [b"client hello", b"a longer client hello"]


def test_what_is_encrypted_is_not_read():
    assert receive(record(fragment(20, 5, b"finished"), epoch=1), record(b"anything", kind=23)) == []


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (fragment(1, 0, b"hello")[:-1], "no whole fragment"),
        (fragment(1, 0, b"hello")[:11], "no whole fragment"),
        (b"\1\0\0\4\0\0\0\0\2\0\0\3abc", "no whole fragment"),  # beyond the message's end
        (b"\1\1\0\1\0\0\0\0\0\0\0\0", "65537 octets"),
    ],
)
def test_faults(octets, why):
    messages = Assembler().receive(record(fragment(2, 1, b"good")) + record(octets))
    assert next(messages) == Message(2, 1, b"good")
    with pytest.raises(Malformed, match=why):
        next(messages)


def test_memory_is_bounded():
    assembler = Assembler()
    for sequence in range(1000):
        assert list(assembler.receive(record(fragment(11, sequence, bytes(60_000), 0, 10)))) == []
    assert len(assembler._parts) == records.MOST_MESSAGES


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_malformed(octets):
    assembler = Assembler()
    try:
        list(assembler.receive(octets))
        list(assembler.receive(record(octets)))
    except Malformed:
        pass
