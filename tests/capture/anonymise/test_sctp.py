"""SCTP: Diameter is rewritten, other payloads are blanked and called nothing, the checksum fits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise import sctp
from imslab.capture.anonymise.checksums import crc32c


def packet(*chunks: tuple[int, int, bytes], right: bool = True) -> bytes:
    body = b"".join(
        bytes((kind, flags)) + (4 + len(value)).to_bytes(2) + value + bytes(-len(value) % 4)
        for kind, flags, value in chunks
    )
    head = b"\x0f\x1c\x0f\x1d" + b"tagg"
    check = crc32c(head + bytes(4) + body) + (not right)
    return head + check.to_bytes(4, "little") + body


def data(protocol: int, payload: bytes) -> bytes:
    return b"\0\0\0\1\0\2\0\3" + protocol.to_bytes(4) + payload


def rewritten(octets: bytes) -> bytes:
    return sctp.rewrite(octets, lambda address: bytes(len(address) - 1) + b"\7", bytes.upper)


def is_right(octets: bytes) -> bool:
    return crc32c(octets[:8] + bytes(4) + octets[12:]).to_bytes(4, "little") == octets[8:12]


def test_diameter_is_rewritten() -> None:
    new = rewritten(packet((0, 3, data(46, b"diameter"))))
    assert new.endswith(data(46, b"DIAMETER"))
    assert is_right(new)


def test_what_is_not_diameter_or_not_whole_is_blanked() -> None:
    for protocol, flags in ((18, 3), (46, 2)):
        new = rewritten(packet((0, flags, data(protocol, b"alice!!!"))))
        assert new.endswith(data(0, bytes(8)))
        assert is_right(new)


def test_addresses_and_cookies_in_an_opening() -> None:
    parameters = b"\0\5\0\x08\xc0\0\2\7" + b"\0\7\0\x0ccookie!!" + b"\x80\0\0\4"
    new = rewritten(packet((1, 0, bytes(range(16)) + parameters), (10, 0, b"cookie!!")))
    assert b"\0\5\0\x08\0\0\0\7" + b"\0\7\0\x0c" + bytes(8) + b"\x80\0\0\4" in new
    assert bytes(range(16)) in new
    assert b"cookie" not in new


def test_a_wrong_checksum_is_left() -> None:
    old = packet((0, 3, data(46, b"diameter")), right=False)
    assert rewritten(old)[8:12] == old[8:12]


@settings(deadline=None)
@given(st.binary(min_size=12, max_size=90))
def test_any_packet_keeps_its_length(octets: bytes) -> None:
    assert len(rewritten(octets)) == len(octets)
