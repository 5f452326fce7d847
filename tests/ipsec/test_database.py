"""The associations of an end: RFC 4301, 4.4 and 5; TS 33.203, 7.1 and 7.4. Two ends, one thread, no clock."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import EspAuthenticationFailed, EspError, EspReplayed
from imslab.ipsec.associations import Associations
from imslab.ipsec.database import Database, SaSet
from imslab.ipsec.datagram import datagram
from imslab.ipsec.offer import TRANSFORMS, Receiving, offer

ALICE, PCSCF = "127.0.0.11", "127.0.0.21"
CK, IK = bytes(range(16)), bytes(range(16, 32))
UE_SERVER, PCSCF_SERVER = (ALICE, 5064), (PCSCF, 6104)  # as the other end knows them


def counter(start: int) -> Callable[[int], bytes]:
    """Octets that count: SPIs and IVs that can be told apart."""
    state = iter(range(start, start + 10_000))
    return lambda octets: next(state).to_bytes(16)[16 - octets :]


def agreement(number: int = 0, name: str = TRANSFORMS[0], ik: bytes = IK) -> Associations:
    """Return what both ends have agreed on; of ``number`` come other SPIs and client ports."""
    ten = 10 * number
    client = offer([name], Receiving(1001 + ten, 1002 + ten, 5062 + ten, 5064))[0]
    server = offer([name], Receiving(2001 + ten, 2002 + ten, 5104 + ten, 6104))[0]
    return Associations.agree(client, server, CK, ik)


class Ends:
    """A terminal and a P-CSCF that have agreed, and the terminal's set in use."""

    def __init__(self, name: str = TRANSFORMS[0], until: float = 100.0) -> None:
        self.ue = Database(ALICE, is_ue=True, random=counter(1 << 16))
        self.pcscf = Database(PCSCF, is_ue=False, random=counter(1 << 20))
        self.first = self.agree(0, name, until)

    def agree(self, number: int, name: str = TRANSFORMS[0], until: float = 100.0) -> tuple[SaSet, SaSet]:
        pair = (
            self.ue.add(agreement(number, name), PCSCF, until),
            self.pcscf.add(agreement(number, name), ALICE, until),
        )
        self.ue.use(pair[0])
        return pair

    def up(self, payload: bytes = b"REGISTER") -> bytes:
        return self.ue.seal(PCSCF_SERVER, payload)[0]

    def down(self, payload: bytes = b"200") -> bytes:
        return self.pcscf.seal(UE_SERVER, payload)[0]

    def arrive(self, packet: bytes, now: float = 1.0) -> tuple[SaSet, list[bytes]]:
        return self.pcscf.open(packet, (ALICE, 0), now)

    def come_back(self, packet: bytes, now: float = 1.0) -> tuple[SaSet, list[bytes]]:
        return self.ue.open(packet, (PCSCF, 0), now)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_request_and_its_answer(name: str) -> None:
    ends = Ends(name)
    one, payload = ends.arrive(ends.up())
    assert payload == [b"REGISTER"] and one is ends.first[1] and one.peer == UE_SERVER
    assert ends.come_back(ends.down()) == (ends.first[0], [b"200"])
    assert ends.first[0].peer == PCSCF_SERVER


def test_over_udp_two_of_the_four_carry_everything() -> None:
    """TS 33.203, 7.1: requests and answers go to the server port of who receives."""
    ends = Ends()
    up = ends.up()
    assert int.from_bytes(up[:4]) == 2002
    ends.arrive(up)
    down = ends.down()
    assert int.from_bytes(down[:4]) == 1002
    opened = agreement().request.sa.open(up).payload
    assert opened == datagram((ALICE, 5062), (PCSCF, 6104), b"REGISTER")
    assert ends.pcscf.receiving(2002) == agreement().request and ends.ue.receiving(2002) is None
    assert agreement().network_request.sa.open(down).payload == datagram((PCSCF, 5104), (ALICE, 5064), b"200")


def test_nothing_goes_out_before_the_terminal_has_proved_itself() -> None:
    ends = Ends()
    with pytest.raises(EspError, match=r"no association with 127\.0\.0\.11 port 5064"):
        ends.down()
    assert ends.first[1].proven is False
    one, _ = ends.arrive(ends.up())
    assert one.proven and ends.down()


@pytest.mark.parametrize("at", [0, 3])
def test_another_spi(at: int) -> None:
    ends = Ends()
    packet = bytearray(ends.up())
    packet[at] ^= 1
    with pytest.raises(EspError, match="no association has SPI"):
        ends.arrive(bytes(packet))


def test_the_same_packet_again() -> None:
    ends = Ends()
    packet = ends.up()
    ends.arrive(packet)
    with pytest.raises(EspReplayed):
        ends.arrive(packet)


def test_another_ik_and_a_changed_packet() -> None:
    ends = Ends()
    forged = agreement(ik=CK).request.sa.seal(1, 17, datagram((ALICE, 5062), (PCSCF, 6104), b"x"), bytes(16))
    changed = ends.up()[:-1] + b"\0"
    for packet in (forged, changed):
        with pytest.raises(EspAuthenticationFailed):
            ends.arrive(packet)
    assert not ends.first[1].proven and ends.pcscf.active(UE_SERVER) is None


def test_an_expired_set() -> None:
    ends = Ends(until=10.0)
    packet = ends.up()
    with pytest.raises(EspError, match="has expired"):
        ends.arrive(packet, now=10.0)
    assert ends.arrive(packet, now=9.9)
    assert (ends.pcscf.next_end(), ends.pcscf.now) == (10.0, 9.9)
    assert ends.pcscf.expire(9.9) == [] and ends.pcscf.expire(10.0) == [ends.first[1]]
    assert len(ends.pcscf) == 0 and ends.pcscf.next_end() is None and ends.pcscf.sets(UE_SERVER) == []
    with pytest.raises(EspError, match="no association"):
        ends.down()
    with pytest.raises(EspError, match="no association has SPI"):
        ends.arrive(ends.up())


def test_from_another_address() -> None:
    ends = Ends()
    with pytest.raises(EspError, match=r"is for 127\.0\.0\.11, not for 127\.0\.0\.66"):
        ends.pcscf.open(ends.up(), ("127.0.0.66", 0), 1.0)


@pytest.mark.parametrize(
    ("ports", "next_header", "match"),
    [
        ((5062, 5060), 17, "not for ports 5062 to 5060"),
        ((5064, 6104), 17, "not for ports 5064 to 6104"),
        ((5062, 6104), 6, "protocol 6 inside ESP"),
    ],
)
def test_what_an_association_is_not_for(ports: tuple[int, int], next_header: int, match: str) -> None:
    ends = Ends()
    inner = datagram((ALICE, ports[0]), (PCSCF, ports[1]), b"x")
    packet = agreement().request.sa.seal(1, next_header, inner, bytes(16))
    with pytest.raises(EspError, match=match):
        ends.arrive(packet)
    assert not ends.first[1].proven


def test_the_pcscf_goes_over_to_a_new_set_when_it_is_used() -> None:
    """TS 33.203, 7.4: the challenge of a re-registration still comes under the old one."""
    ends = Ends()
    ends.arrive(ends.up())
    late = ends.up()
    new = ends.agree(1)
    assert ends.pcscf.sets(UE_SERVER) == [ends.first[1], new[1]]
    assert ends.come_back(ends.down(b"401"))[0] is ends.first[0]
    one, _ = ends.arrive(ends.up())
    assert one is new[1] and ends.pcscf.active(UE_SERVER) is new[1]
    assert ends.come_back(ends.down())[0] is new[0]
    assert ends.arrive(late)[0] is ends.first[1], "what was on its way still comes in"
    assert ends.pcscf.active(UE_SERVER) is new[1]
    assert ends.ue.active(PCSCF_SERVER) is new[0], "what comes in does not change what the terminal uses"


def test_an_old_set_goes_and_the_new_one_stays() -> None:
    ends = Ends()
    ends.arrive(ends.up())
    new = ends.agree(1)
    ends.arrive(ends.up())
    ends.pcscf.end(ends.first[1], 33.0)
    ends.pcscf.end(new[1], 1000.0)
    assert new[1].until == 100.0, "nothing lives longer because it ends"
    assert ends.pcscf.next_end() == 33.0 and ends.pcscf.expire(50.0) == [ends.first[1]]
    assert ends.pcscf.active(UE_SERVER) is new[1]
    ends.pcscf.limit(new[1], 500.0)
    assert ends.pcscf.expire(499.0) == [] and ends.pcscf.expire(500.0) == [new[1]]


def test_a_new_set_that_fails_gives_way_to_the_old_one() -> None:
    ends = Ends()
    ends.arrive(ends.up())
    new = ends.agree(1)
    ends.arrive(ends.up())
    ends.pcscf.end(new[1], 33.0)
    ends.ue.remove(new[0])
    assert ends.ue.active(PCSCF_SERVER) is ends.first[0]
    ends.arrive(ends.up())
    assert ends.pcscf.active(UE_SERVER) is ends.first[1]
    assert ends.come_back(ends.down())[0] is ends.first[0]


def test_an_unproven_set_is_not_taken_in_place_of_one_that_ends() -> None:
    ends = Ends()
    ends.arrive(ends.up())
    ends.pcscf.add(agreement(1), ALICE, 100.0)
    ends.pcscf.remove(ends.first[1])
    assert ends.pcscf.active(UE_SERVER) is None


def test_where_udp_carries_it() -> None:
    """RFC 3948, 4: to the port from which the last good packet came."""
    ends = Ends()
    ends.pcscf.open(ends.up(), (ALICE, 4500), 1.0)
    assert ends.pcscf.seal(UE_SERVER, b"")[1] == (ALICE, 4500)
    ends.pcscf.open(ends.up(), (ALICE, 61_000), 1.0)
    with pytest.raises(EspError):
        ends.pcscf.open(b"\1" * 60, (ALICE, 666), 1.0)
    assert ends.pcscf.seal(UE_SERVER, b"")[1] == (ALICE, 61_000)
    assert ends.ue.seal(PCSCF_SERVER, b"")[1] == (PCSCF, 0)


def test_spis_are_free_and_not_reserved() -> None:
    numbers = iter([0, 255, 1001, 256, 256, 257])
    ue = Database(ALICE, is_ue=True, random=lambda octets: next(numbers).to_bytes(octets))
    ue.add(agreement(), PCSCF, 1.0)
    assert ue.spis() == (256, 257)
    with pytest.raises(EspError, match="in use here"):
        ue.add(agreement(), PCSCF, 1.0)


def test_memory_is_bounded() -> None:
    pcscf = Database(PCSCF, is_ue=False, random=counter(1), most=3)
    sets = [pcscf.add(agreement(number), ALICE, 100.0) for number in range(3)]
    pcscf.open(Ends().up(), (ALICE, 0), 1.0)  # the first is in use now
    pcscf.add(agreement(3), ALICE, 100.0)
    assert len(pcscf) == 3 and sets[0] in pcscf.sets(UE_SERVER) and sets[1] not in pcscf.sets(UE_SERVER)
    full = Database(PCSCF, is_ue=False, random=counter(1), most=1)
    full.add(agreement(), ALICE, 100.0)
    full.open(Ends().up(), (ALICE, 0), 1.0)
    with pytest.raises(EspError, match="1 sets of associations are in use"):
        full.add(agreement(1), ALICE, 100.0)


def test_nobody_fills_the_memory_by_asking() -> None:
    gone: list[SaSet] = []
    pcscf = Database(PCSCF, is_ue=False, random=counter(1), most_unproven=2, on_gone=gone.append)
    sets = [pcscf.add(agreement(number), ALICE, 100.0) for number in range(2)]
    pcscf.open(Ends().up(), (ALICE, 0), 1.0)  # the first is in use, and stays
    sets += [pcscf.add(agreement(number), ALICE, 100.0) for number in (2, 3)]
    assert gone == [sets[1]] and len(pcscf) == 3
    assert pcscf.receiving(2012) is None and pcscf.receiving(2002) is not None


@given(st.binary(max_size=80), st.booleans())
def test_what_is_no_packet_of_ours_is_refused(octets: bytes, spi_fits: bool) -> None:
    pcscf = Database(PCSCF, is_ue=False, random=counter(1))
    pcscf.add(agreement(), ALICE, 100.0)
    packet = (2002).to_bytes(4) + octets if spi_fits else octets
    with pytest.raises(EspError):
        pcscf.open(packet, (ALICE, 0), 1.0)
    assert pcscf.active(UE_SERVER) is None


def test_keys_are_not_shown() -> None:
    shown = repr(Ends().first[0])
    assert CK.hex() not in shown and IK.hex() not in shown and repr(CK)[2:-1] not in shown
