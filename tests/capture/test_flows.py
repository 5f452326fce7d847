"""Numbers for values, pairs of addresses, and flows."""

import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from imslab.capture import flows as numbered
from imslab.capture.flows import ESP, Flows, Interner, address
from tests.capture.frames import RAW, TCP4, V4, V6, built

Flow = tuple[str, str, int, int, int]
V4_TEXT = st.ip_addresses(v=4).map(str)
V6_TEXT = st.ip_addresses(v=6).map(str).filter(lambda one: ipaddress.IPv6Address(one).ipv4_mapped is None)


def packed(text: str) -> list[int]:
    octets = ipaddress.ip_address(text).packed
    return list(octets if len(octets) == 16 else bytes(10) + b"\xff\xff" + octets)


def rows(texts: list[str]) -> "np.typing.NDArray[np.uint8]":
    return np.array([packed(text) for text in texts], np.uint8).reshape(-1, 16)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3))))
def test_equal_values_have_equal_numbers(parts: list[list[int]]) -> None:
    interner, known = Interner(), dict[int, int]()
    for part in parts:
        numbers = interner.numbers(np.array(part, np.uint64)).tolist()
        for value, number in zip(part, numbers, strict=True):
            assert known.setdefault(value, number) == number
    assert sorted(known.values()) == list(range(len(known)))
    assert [int(value) for value in interner.values] == sorted(known, key=known.__getitem__)


FLOW = st.tuples(
    st.just(""),
    st.just(""),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.sampled_from([numbered.UDP, numbered.TCP]),
)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.tuples(V4_TEXT, V4_TEXT) | st.tuples(V6_TEXT, V6_TEXT) | st.tuples(V4_TEXT, V6_TEXT), FLOW
        )
    )
)
def test_a_flow_says_what_it_was_made_of(drawn: list[tuple[tuple[str, str], Flow]]) -> None:
    flows = Flows()
    if not drawn:
        assert len(flows) == 0
        return
    pair = flows.pairs(rows([one for (one, _), _ in drawn]), rows([other for (_, other), _ in drawn]))
    sport, dport, protocol = (np.array([flow[n] for _, flow in drawn]) for n in (2, 3, 4))
    numbers = flows.numbers(pair, protocol, sport, dport)
    source, target = flows.addresses(flows.pair)
    for number, ((one, other), flow) in zip(numbers.tolist(), drawn, strict=True):
        assert flows.endpoints(number) == ((one, flow[2]), (other, flow[3]))
        assert (source[number].tolist(), target[number].tolist()) == (packed(one), packed(other))
        assert (flows.sport[number], flows.dport[number], flows.protocol[number]) == flow[2:]
    assert len(flows) == len({(ends, flow) for ends, flow in drawn})


def test_both_directions_are_one_conversation() -> None:
    there = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=7, dport=9) / Raw(b"x")
    back = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=9, dport=7) / Raw(b"x")
    others = (
        IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=7, dport=9) / Raw(b"x"),
        IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=7, dport=9),
        IPv6(src="::10.0.0.1", dst="::10.0.0.2") / UDP(sport=7, dport=9) / Raw(b"x"),
    )
    rows = built(RAW, there, back, there, *others)
    number = rows.flows.conversations()[rows.flow].tolist()
    assert number[0] == number[1] == number[2]
    assert len(set(number)) == 4
    assert Flows().conversations().tolist() == []


def test_esp_is_a_flow_without_ports() -> None:
    flows = Flows()
    zero, pair = np.zeros(1, np.int64), flows.pairs(rows(["10.0.0.1"]), rows(["10.0.0.2"]))
    number = flows.numbers(pair, np.array([ESP]), zero, zero)
    assert (flows.protocol.tolist(), number.tolist()) == ([ESP], [0])


def test_addresses_are_written_in_their_own_form() -> None:
    assert address(bytes(packed("192.0.2.1"))) == "192.0.2.1"
    assert address(bytes(packed("2001:db8::1"))) == "2001:db8::1"
    assert address(bytes(16)) == "::"


def test_rows_of_one_flow_share_a_number() -> None:
    found = built(RAW, V4, V6, V4, TCP4, V6)
    assert found.flow.tolist() == [found.flow[0], found.flow[1], found.flow[0], found.flow[3], found.flow[1]]
    assert len(found.flows) == 3
