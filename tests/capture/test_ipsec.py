"""ESP of a capture opened: with K, with what the capture tells, with a table; and what stays closed."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imslab.capture import esp_sa, ipsec, open_capture, sip
from imslab.capture.file import CaptureFile, read_file
from imslab.capture.index import Index, Via, build
from imslab.capture.ipsec import Opening
from imslab.capture.report import report
from imslab.capture.unlock import Keyring, keyring
from imslab.capture.vectors import read
from imslab.errors import Malformed
from imslab.ipsec import TCP, UDP, Associations, SecurityAssociation
from imslab.net.packet import udp_packet
from imslab.net.trace import TraceWriter
from imslab.sip import SecurityMechanism
from tests.capture.gm import KEYS, PAIRS, PCSCF, UE, Gm

K = keyring(**KEYS)
NOTHING = Keyring()


def told_by(file: CaptureFile, keys: Keyring = NOTHING) -> Callable[[Index], Keyring]:
    return lambda index: keys.knowing(read(file, index))


def opened(
    octets: bytes, keys: Keyring = NOTHING, table: str = "", told: bool = False
) -> tuple[Opening, list[Any]]:
    """Open what a test wrote; return it with the SIP messages."""
    file = read_file(octets)
    ring = told_by(file, keys) if told else lambda index: keys
    opening = Opening(file, build(file), ring, esp_sa.parse(table))
    return opening, sip.read(file, opening.index, [])


@pytest.mark.parametrize("transport", [UDP, TCP], ids=["UDP", "TCP"])
@pytest.mark.parametrize("over", ["esp", "udp", "gtp"])
@pytest.mark.parametrize(("alg", "ealg"), PAIRS, ids=map("/".join, PAIRS))
def test_k_opens_everything(alg: str, ealg: str, over: str, transport: int) -> None:
    gm = Gm(alg, ealg, over=over, transport=transport).whole()
    opening, events = opened(gm.octets, K)
    assert [event.message.start_line[:8] for event in events] == [
        "REGISTER",
        "SIP/2.0 ",
        "REGISTER",
        "SIP/2.0 ",
    ]
    assert [event.frame for event in events] == [1, 2, 3, 4]
    assert events[2].source == (UE, 5062) and events[2].destination == (PCSCF, 6104)
    first, second = opening.flows()
    assert (first.source, first.destination, first.spi, first.frames) == (UE, PCSCF, 2002, (3,))
    assert (second.source, second.destination, second.frames) == (PCSCF, UE, (4,))
    assert second.spi == (1002 if transport == UDP else 1001)
    for flow in (first, second):
        assert (flow.packets, flow.decrypted, flow.authenticated) == (1, 1, 1)
        assert (flow.encryption, flow.integrity, flow.keys_from) == (ealg, alg, "sec-agree (key)")
    via = Via(int(opening.index.via[-1]))
    assert Via.ESP in via and (Via.GTP_U in via) is (over == "gtp")


def test_spis_of_32_bits() -> None:
    """Half of all SPIs have the highest bit set."""
    gm = Gm()
    ports: dict[str, Any] = {"port_c": 5062, "port_s": 6104, "alg": "hmac-sha-1-96", "ealg": "aes-cbc"}
    gm.client = SecurityMechanism.ipsec_3gpp(spi_c=2**32 - 1, spi_s=2**31, **ports)
    gm.server = SecurityMechanism.ipsec_3gpp(spi_c=2**31 + 1, spi_s=2**32 - 2, **ports)
    gm.associations = Associations.agree(gm.client, gm.server, gm.vector.ck, gm.vector.ik)
    opening, events = opened(gm.whole().octets, K)
    assert [(flow.spi, flow.decrypted) for flow in opening.flows()] == [(2**32 - 2, 1), (2**31, 1)]
    assert len(events) == 4


@pytest.mark.parametrize("algorithm", ["AKAv2-MD5", "AKAv2-SHA-256"])
def test_akav2(algorithm: str) -> None:
    _, events = opened(Gm(algorithm=algorithm).whole().octets, K)
    assert len(events) == 4


def test_what_is_encrypted_stays_closed_without_keys() -> None:
    for keys in (NOTHING, keyring(k=KEYS["opc"], opc=KEYS["k"])):
        opening, events = opened(Gm().whole().octets, keys)
        assert len(events) == 2
        flow = opening.flows()[0]
        assert (flow.packets, flow.decrypted, flow.authenticated) == (1, 0, 0)
        assert (flow.encryption, flow.integrity, flow.keys_from) == ("", "", "")


def test_null_encryption_is_read_by_anybody() -> None:
    opening, events = opened(Gm(ealg="null").whole().octets)
    assert len(events) == 4
    flow = opening.flows()[0]
    assert (flow.decrypted, flow.authenticated, flow.encryption, flow.integrity) == (1, 0, "null", "")


@pytest.mark.parametrize("source", ["Cx", "card", "401"])
def test_the_capture_itself_tells(source: str) -> None:
    gm = Gm().register()
    gm = gm.cx() if source == "Cx" else gm
    gm = gm.challenge(keys=source == "401")
    gm = gm.card() if source == "card" else gm
    opening, events = opened(gm.second().final().octets, told=True)
    assert len(events) == 4
    assert {flow.keys_from for flow in opening.flows()} == {f"sec-agree ({source})"}


def test_an_agreement_that_was_not_seen() -> None:
    """The 401 without Security-Server, as on another hop: every CK and IK is tried with every algorithm."""
    for alg, ealg in PAIRS:
        gm = Gm(alg, ealg).register().challenge("Server: x").second().final()
        opening, events = opened(gm.octets, K)
        assert len(events) == 4
        for flow in opening.flows():
            assert (flow.encryption, flow.integrity, flow.keys_from) == (ealg, alg, "CK, IK (key)")


def test_addresses_that_a_nat_changed() -> None:
    gm = Gm().register().challenge().second()
    sealed = gm.associations.network_answer.sa.seal(
        1, UDP, udp_packet((UE, 1), (PCSCF, 2), b"x")[20:], bytes(16)
    )
    gm.trace.esp(gm.tick(), "192.0.2.1", PCSCF, sealed)
    opening, _ = opened(gm.octets, K)
    assert [(flow.source, flow.decrypted) for flow in opening.flows()] == [(UE, 1), ("192.0.2.1", 1)]


def test_another_agreement_inside_the_first() -> None:
    """A re-registration: its 401 comes under the first associations, what follows under the second."""
    first = Gm().whole()
    second = Gm(ealg="aes-gcm", alg="null")
    second.server = type(second.server).parse(
        str(second.server).replace("2001", "3001").replace("2002", "3002")
    )
    again = first.message("REGISTER sip:x SIP/2.0", 3, first.answer(), f"Security-Client: {second.client}")
    first.protected(first.associations.request, again)
    offer = f'WWW-Authenticate: Digest realm="r", nonce="{first.nonce}", algorithm=AKAv1-MD5'
    challenge = first.message("SIP/2.0 401 Unauthorized", 3, offer, f"Security-Server: {second.server}")
    first.protected(first.associations.network_request, challenge)
    from imslab.ipsec import Associations

    later = Associations.agree(second.client, second.server, first.vector.ck, first.vector.ik)
    first.protected(later.request, first.message("REGISTER sip:x SIP/2.0", 4, first.answer()))
    opening, events = opened(first.octets, K)
    assert [event.frame for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert [flow.spi for flow in opening.flows()] == [2002, 1002, 3002]


def test_the_same_spi_with_new_keys() -> None:
    gm = Gm().whole()
    other = SecurityAssociation(2002, "aes-cbc", b"k" * 16, "hmac-md5-96", b"i" * 16)
    datagram = udp_packet((UE, 5062), (PCSCF, 6104), gm.message("REGISTER sip:x SIP/2.0", 9))[20:]
    for number in range(1, 8):
        gm.trace.esp(gm.tick(), UE, PCSCF, other.seal(number, UDP, datagram, bytes(16)))
    table = f'"IPv4","*","*","0x7d2","AES-CBC [RFC3602]","{"k" * 16}","HMAC-MD5-96 [RFC2403]","{"i" * 16}"'
    opening, events = opened(gm.octets, K, table)
    (flow, _) = opening.flows()
    assert (flow.packets, flow.decrypted, flow.authenticated) == (8, 8, 8)
    assert len(events) == 4 + 7


def test_a_forged_packet_stays_closed() -> None:
    gm = Gm().whole()
    gm.trace.esp(gm.tick(), UE, PCSCF, (2002).to_bytes(4) + (9).to_bytes(4) + bytes(60))
    opening, events = opened(gm.octets, K)
    assert len(events) == 4
    assert [(flow.packets, flow.decrypted, flow.authenticated) for flow in opening.flows()] == [
        (2, 1, 1),
        (1, 1, 1),
    ]


def test_a_table_without_authentication() -> None:
    sa = SecurityAssociation(7, "aes-ctr", b"k" * 20, "null", b"")
    trace = TraceWriter(file := io.BytesIO())
    datagram = udp_packet((UE, 1), (PCSCF, 2), b"\r\nREGISTER sip:x SIP/2.0\r\n\r\n")[20:]
    trace.esp(1.0, UE, PCSCF, sa.seal(1, UDP, datagram, bytes(8)) + bytes(12))
    unchecked = "ANY 96 bit authentication [no checking]"
    row = f'"IPv4","{UE}","{PCSCF}","7","AES-CTR [RFC3686]","{"k" * 20}","{unchecked}",""'
    opening, events = opened(file.getvalue(), table=row)
    (flow,) = opening.flows()
    assert (flow.decrypted, flow.authenticated, flow.keys_from) == (1, 0, "esp_sa")
    assert (flow.encryption, len(events)) == ("aes-ctr", 1)


def test_a_tunnel_inside() -> None:
    sa = SecurityAssociation(7, "aes-cbc", b"k" * 16, "hmac-sha-1-96", b"i" * 20)
    trace = TraceWriter(file := io.BytesIO())
    inner = udp_packet(
        ("192.168.1.1", 5060), ("192.168.1.2", 5060), Gm().message("REGISTER sip:x SIP/2.0", 1)
    )
    trace.esp(1.0, UE, PCSCF, sa.seal(1, 4, inner, bytes(16)))
    row = f'"IPv4","*","*","*","AES-CBC [RFC3602]","{"k" * 16}","HMAC-SHA-1-96 [RFC2404]","{"i" * 20}"'
    _, (event,) = opened(file.getvalue(), table=row)
    assert event.source == ("192.168.1.1", 5060)


def test_only_the_frames_that_are_asked_for() -> None:
    gm = Gm().whole()
    for cseq in (3, 4):
        gm.protected(gm.associations.request, gm.message("REGISTER sip:x SIP/2.0", cseq))
    opening, _ = opened(gm.octets, K)
    assert [flow.frames for flow in opening.flows()] == [(3, 5, 6), (4,)]
    assert [(flow.frames, flow.decrypted) for flow in opening.flows(frozenset((5, 6)))] == [((5, 6), 2)]
    assert opening.flows(frozenset((1,))) == []


def test_a_cut_packet_is_counted_and_not_opened() -> None:
    octets = bytearray(Gm(ealg="null").whole().octets)
    opening, _ = opened(bytes(octets[:-40]), K)  # the last packet is gone
    assert [flow.frames for flow in opening.flows()] == [(3,)]


def test_a_capture_that_is_open_shows_it_all(tmp_path: Path) -> None:
    gm = Gm().whole()
    capture = open_capture(gm.octets, **KEYS)
    assert len(capture.sip) == 4 and len(capture.esp) == 2
    (login,) = capture.logins
    assert (login.result, login.frames) == ("registered", (1, 2, 3, 4))
    assert login.challenge is not None and login.challenge.verified is True
    part = capture.where([1, 4])
    assert [flow.frames for flow in part.esp] == [(4,)]
    rows = report(capture)["esp"]
    assert rows[0] == {
        "src": UE, "dst": PCSCF, "spi": "0x000007d2", "packets": 1, "decrypted": 1, "authenticated": 1,
        "encryption": "aes-cbc", "integrity": "hmac-sha-1-96",
    }  # fmt: skip
    sa = gm.associations.request.sa
    table = tmp_path / "esp_sa"
    table.write_text(
        f'"IPv4","{UE}","*","*","AES-CBC [RFC3602]","0x{sa.encryption_key.hex()}",'
        f'"HMAC-SHA-1-96 [RFC2404]","0x{sa.integrity_key.hex()}"\n'
    )
    capture = open_capture(gm.octets, esp_sa=table)
    assert [flow.decrypted for flow in capture.esp] == [1, 0]
    closed = report(open_capture(gm.octets))["esp"][0]
    assert (closed["decrypted"], closed["encryption"], closed["integrity"]) == (0, None, None)


@pytest.mark.parametrize("transport", [UDP, TCP], ids=["UDP", "TCP"])
def test_a_ladder_tells_what_is_protected(transport: int) -> None:
    capture = open_capture(Gm(transport=transport).whole().octets, **KEYS)
    labels = ["REGISTER", "401 Unauthorized · AKAv1-MD5", "REGISTER · ESP", "200 OK · ESP"]
    assert [arrow.label for arrow in capture.arrows()] == labels
    assert [arrow.label for arrow in capture.registration().arrows()] == labels
    assert capture.protected == {3, 4} and open_capture(Gm().register().octets).protected == set()


def test_a_table_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(Malformed, match="cannot be read as a table of associations"):
            open_capture(Gm().octets, esp_sa=path)
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed, match="it is no text"):
        open_capture(Gm().octets, esp_sa=str(tmp_path / "octets"))


def test_a_flood_of_associations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    gm = Gm().whole()
    for spi in range(10, 30):
        gm.trace.esp(gm.tick(), UE, PCSCF, spi.to_bytes(4) + bytes(80))
    opening, events = opened(gm.octets, K)
    assert len(events) == 4 and len(opening.flows()) == 22
    monkeypatch.setattr(ipsec, "_MOST_FLOWS", 5)
    opening, events = opened(gm.octets, K)
    assert len(opening.flows()) == 22 and sum(flow.decrypted for flow in opening.flows()) < 2
    monkeypatch.setattr(ipsec, "_MOST_FLOWS", 100)
    monkeypatch.setattr(ipsec, "_MOST_TRIALS", 3)
    opening, _ = opened(gm.octets, K)
    assert sum(flow.decrypted for flow in opening.flows()) < 2


def test_spi_0_is_of_no_association() -> None:
    gm = Gm().whole()
    gm.trace.esp(gm.tick(), UE, PCSCF, bytes(80))
    table = f'"IPv4","*","*","*","AES-CBC [RFC3602]","{"k" * 16}","HMAC-SHA-1-96 [RFC2404]","{"i" * 20}"'
    opening, _ = opened(gm.octets, K, table)
    assert [(flow.spi, flow.decrypted) for flow in opening.flows()][-1] == (0, 0)


def test_a_capture_without_esp() -> None:
    opening, events = opened(Gm().register().octets, K)
    assert opening.flows() == [] and len(events) == 1
