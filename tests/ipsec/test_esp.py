"""ESP packets, sender and receiver: RFC 4303, against data/vectors/sec_agree.json."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import EspAuthenticationFailed, EspError, EspReplayed, Malformed
from imslab.ipsec import UDP, Inbound, Outbound, SecurityAssociation
from imslab.ipsec.esp import WINDOW, header, with_trailer, without_trailer
from imslab.ipsec.keys import encryption_key, integrity_key

EXAMPLES = [entry for entry in vectors("sec_agree")["esp"] if entry["kind"] == "esp_transport_udp"]
WITH_TRAILER = [entry for entry in vectors("sec_agree")["esp"] if "payload_with_trailer" in entry]
LAST = 0xFFFFFFFF
SHA1 = SecurityAssociation(0x1000, "null", b"", "hmac-sha-1-96", bytes(20))
CBC = SecurityAssociation(0x1000, "aes-cbc", bytes(16), "hmac-sha-1-96", bytes(20))
GCM = SecurityAssociation(0x1000, "aes-gcm", bytes(20), "null", b"")
ALL = pytest.mark.parametrize("sa", [SHA1, CBC, GCM], ids=["sha1", "cbc", "gcm"])


def of(entry: dict[str, Any]) -> SecurityAssociation:
    ck, ik = bytes.fromhex(entry["ck"]), bytes.fromhex(entry["ik"])
    alg, ealg = entry["alg"], entry["ealg"]
    return SecurityAssociation(
        entry["spi"], ealg, encryption_key(ealg, ck, ik), alg, integrity_key(alg, ck, ik)
    )


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: str(entry["id"]))
def test_known_packets(entry: dict[str, Any]) -> None:
    sa, datagram = of(entry), bytes.fromhex(entry["udp_datagram"])
    packet = bytes.fromhex(entry["esp_packet"])
    assert sa.seal(entry["seq"], UDP, datagram, bytes.fromhex(entry["iv"])) == packet
    opened = sa.open(packet)
    assert (opened.spi, opened.sequence, opened.next_header) == (entry["spi"], entry["seq"], UDP)
    assert opened.payload == datagram
    key = entry["salt"]
    assert (sa.encryption_key + sa.integrity_key).hex().endswith(key)


@pytest.mark.parametrize("entry", WITH_TRAILER, ids=lambda entry: str(entry["id"]))
def test_trailers_of_rfc_3602(entry: dict[str, Any]) -> None:
    plain = bytes.fromhex(entry["payload_with_trailer"])
    next_header, payload = without_trailer(plain)
    assert next_header == (4 if entry["id"] == "rfc3602-case8" else 1)  # a tunnel; ICMP
    assert with_trailer(payload, next_header, 16) == plain


@given(st.binary(max_size=300), st.sampled_from([4, 8, 16]), st.integers(0, 255))
def test_trailer_round_trip(payload: bytes, block: int, next_header: int) -> None:
    plain = with_trailer(payload, next_header, block)
    assert len(plain) % block == 0 and 2 <= len(plain) - len(payload) < 2 + block
    assert without_trailer(plain) == (next_header, payload)


@pytest.mark.parametrize(
    "plain", ["", "11", "0111", "020211", "02020211", "0102030411", "ff11", "000211"], ids=str
)
def test_padding_that_is_not_1_2_3(plain: str) -> None:
    with pytest.raises(EspError):
        without_trailer(bytes.fromhex(plain))


def test_the_padding_of_a_packet_is_checked() -> None:
    clear = SecurityAssociation(1, "null", b"", "null", b"")
    with pytest.raises(EspError, match="the padding is not"):
        clear.open(clear.seal(1, UDP, b"abc\1\3\2\3\21"[:-2] + b"", b"")[:8] + b"abc\1\3\3\3\21")


@ALL
@given(data=st.data())
def test_round_trip(sa: SecurityAssociation, data: st.DataObject) -> None:
    payload = data.draw(st.binary(max_size=200))
    sequence = data.draw(st.integers(1, LAST))
    iv = data.draw(st.binary(min_size=sa.transform.iv_length, max_size=sa.transform.iv_length))
    packet = sa.seal(sequence, 6, payload, iv)
    assert header(packet) == (sa.spi, sequence)
    opened = sa.open(packet)
    assert (opened.sequence, opened.next_header, opened.payload) == (sequence, 6, payload)


@ALL
def test_every_octet_counts(sa: SecurityAssociation) -> None:
    packet = sa.seal(1, UDP, b"REGISTER", bytes(sa.transform.iv_length))
    for at in range(len(packet)):
        wrong = EspError if at < 4 else EspAuthenticationFailed  # another SPI is another association
        with pytest.raises(wrong):
            sa.open(packet[:at] + bytes([packet[at] ^ 0x80]) + packet[at + 1 :])


@ALL
def test_every_cut_is_refused(sa: SecurityAssociation) -> None:
    packet = sa.seal(1, UDP, b"REGISTER", bytes(sa.transform.iv_length))
    for end in range(len(packet)):
        with pytest.raises(EspError):
            sa.open(packet[:end])


def test_the_shortest_packet() -> None:
    packet = SHA1.seal(1, 59, b"", b"")
    assert len(packet) == 8 + 4 + 12
    assert SHA1.open(packet).payload == b""
    with pytest.raises(EspError, match="an ESP packet of 21 octets; with these algorithms it has 22"):
        SHA1.open(packet[:21])


@given(st.binary(max_size=120))
def test_garbage_is_refused(octets: bytes) -> None:
    for sa in (SHA1, CBC, GCM):
        with pytest.raises(EspError):
            sa.open(octets)
        with pytest.raises(EspError):
            sa.open(b"\0\0\x10\0" + octets)


@pytest.mark.parametrize("spi", [0, -1, LAST + 1])
def test_spi(spi: int) -> None:
    with pytest.raises(Malformed, match="is no SPI"):
        SecurityAssociation(spi, "null", b"", "null", b"")
    assert SecurityAssociation(LAST, "null", b"", "null", b"").spi == LAST


def test_what_cannot_be_sealed() -> None:
    for sequence in (0, -1, LAST + 1):
        with pytest.raises(Malformed, match="is no sequence number"):
            SHA1.seal(sequence, UDP, b"", b"")
    with pytest.raises(Malformed, match="iv must be 16 octets"):
        CBC.seal(1, UDP, b"", bytes(15))


def test_keys_and_contents_are_not_shown() -> None:
    sa = SecurityAssociation(5, "aes-cbc", b"k" * 16, "hmac-sha-1-96", b"i" * 20)
    shown = repr(sa) + repr(sa.open(sa.seal(1, UDP, b"PAYLOAD", bytes(16))))
    assert "kkk" not in shown and "iii" not in shown and "PAYLOAD" not in shown
    assert "hmac-sha-1-96" in shown


def test_the_sender_counts_from_one() -> None:
    sender = Outbound(SHA1, bytes)
    packets = [sender.seal(UDP, b"x") for _ in range(3)]
    assert [header(packet)[1] for packet in packets] == [1, 2, 3]


def test_the_iv_of_a_counter_is_the_number_and_that_of_cbc_is_drawn() -> None:
    def draw(octets: int) -> bytes:
        asked.append(octets)
        return b"r" * octets

    asked: list[int] = []
    counted = Outbound(GCM, draw)
    assert [counted.seal(UDP, b"x")[8:16] for _ in range(2)] == [bytes(7) + b"\1", bytes(7) + b"\2"]
    assert not asked
    assert Outbound(CBC, draw).seal(UDP, b"x")[8:24] == b"r" * 16
    assert asked == [16]


def test_a_used_up_association_sends_no_more() -> None:
    sender = Outbound(SHA1, bytes)
    sender.sequence = LAST - 1
    assert header(sender.seal(UDP, b"x"))[1] == LAST
    for _ in range(2):
        with pytest.raises(EspError, match="used up"):
            sender.seal(UDP, b"x")


def packets(*numbers: int) -> list[bytes]:
    return [SHA1.seal(number, UDP, b"x", b"") for number in numbers]


def test_each_packet_is_taken_once() -> None:
    receiver = Inbound(SHA1)
    for packet in packets(1, 3, 2, 5):
        receiver.open(packet)
    for packet in packets(1, 2, 3, 5):
        with pytest.raises(EspReplayed, match="has come before"):
            receiver.open(packet)
    assert receiver.open(packets(4)[0]).sequence == 4
    assert receiver.highest == 5


def test_the_window() -> None:
    receiver = Inbound(SHA1)
    receiver.open(packets(WINDOW + 1)[0])
    with pytest.raises(EspReplayed, match="lies before the window"):
        receiver.open(packets(1)[0])
    receiver.open(packets(2)[0])  # the last place in it
    receiver.open(packets(1000)[0])
    with pytest.raises(EspReplayed):
        receiver.open(packets(1000 - WINDOW)[0])
    receiver.open(packets(1000 - WINDOW + 1)[0])


def test_number_0_is_never_sent() -> None:
    zero = (0x1000).to_bytes(4) + bytes(4) + packets(1)[0][8:]
    with pytest.raises(EspReplayed):
        Inbound(SHA1).open(zero)


def test_a_forged_packet_moves_nothing() -> None:
    receiver = Inbound(SHA1)
    receiver.open(packets(1)[0])
    far = bytearray(packets(5000)[0])
    far[-1] ^= 1
    with pytest.raises(EspAuthenticationFailed):
        receiver.open(bytes(far))
    assert receiver.highest == 1
    receiver.open(packets(2)[0])
    bad = packets(3)[0][:-1] + b"\0"
    with pytest.raises(EspAuthenticationFailed):
        receiver.open(bad)
    receiver.open(packets(3)[0])  # the true one still counts


def test_a_receiver_needs_a_window() -> None:
    with pytest.raises(Malformed, match="a replay window of 0 packets"):
        Inbound(SHA1, 0)


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 80))
def test_the_receiver_is_what_a_set_says(numbers: list[int], window: int) -> None:
    receiver, seen, highest = Inbound(SHA1, window), set[int](), 0
    for number in numbers:
        fresh = number not in seen and number > highest - window
        if fresh:
            receiver.open(packets(number)[0])
        else:
            with pytest.raises(EspReplayed):
                receiver.open(packets(number)[0])
        seen |= {number} if fresh else set()
        highest = max(highest, number) if fresh else highest
        assert receiver.highest == highest
