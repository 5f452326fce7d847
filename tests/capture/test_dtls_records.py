"""DTLS records, found and counted on columns."""

import pytest

from imslab.capture import dtls_records
from tests.capture.media_trace import ALICE, BOB, indexed


def record(kind: int, body: bytes = b"body", version: int = 0xFEFD) -> bytes:
    return bytes([kind]) + version.to_bytes(2) + bytes(8) + len(body).to_bytes(2) + body


def found(*datagrams: bytes) -> dtls_records.DtlsRows:
    return dtls_records.rows(
        indexed([(float(place), ALICE, BOB, one) for place, one in enumerate(datagrams)])
    )


def test_rows_and_their_types() -> None:
    rows = found(record(22), b"text that is no record", record(23), record(20, version=0xFEFF))
    assert rows.row.tolist() == [0, 2, 3]
    assert rows.type.tolist() == [22, 23, 20]
    assert rows.has_handshake
    assert not found(record(23)).has_handshake


@pytest.mark.parametrize(
    "octets",
    [record(19), record(25), record(22, version=0x0303), record(22)[:13], record(22)[:-1], bytes(20)],
    ids=["type 19", "type 25", "TLS", "a header alone", "cut", "zeros"],
)
def test_what_is_no_record(octets: bytes) -> None:
    assert found(octets).row.tolist() == []


def test_all_records_of_a_datagram_are_counted() -> None:
    index = indexed(
        [(0.0, ALICE, BOB, record(22) + record(20, b"\1") + record(22)), (1.0, BOB, ALICE, record(23))]
    )
    rows = dtls_records.rows(index)
    assert dtls_records.counts(index, rows.row) == {20: 1, 22: 2, 23: 1}


def test_counting_ends_where_records_end() -> None:
    index = indexed([(0.0, ALICE, BOB, record(22) + b"\x2f" + bytes(40))])
    assert dtls_records.counts(index, dtls_records.rows(index).row) == {22: 1}


def test_counting_is_bounded() -> None:
    index = indexed([(0.0, ALICE, BOB, record(23, b"x") * 200)])
    assert dtls_records.counts(index, dtls_records.rows(index).row) == {23: 32}
