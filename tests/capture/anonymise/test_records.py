"""TLS and DTLS: a handshake between OpenSSL's ends is another's, and parses as before."""

import contextlib
import datetime
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.capture.anonymise.handshake import CERTIFICATE, CLIENT_HELLO
from imslab.capture.anonymise.records import Records
from tests.capture.anonymise.parts import Parts, parts

ENDS = "one to the other"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice.home.example")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x1234567890ABCDEF)
        .not_valid_before(NOW)
        .not_valid_after(NOW.replace(year=2036))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("alice.home.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built, key


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Return what two ends of TLS 1.2 say to each other: the client's octets and the server's."""
    built, key = certificate()
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(file)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    pipes = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(pipes[0], pipes[1], server_hostname="alice.home.example"),
        server.wrap_bio(pipes[1], pipes[0], server_side=True),
    )
    said = [b"", b""]
    for _ in range(4):
        for number, (end, out) in enumerate(((ends[0], pipes[1]), (ends[1], pipes[0]))):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            octets = out.read()
            said[number] += octets
            out.write(octets)
    ends[0].write(b"GET /alice")
    return said[0] + pipes[1].read(), said[1]


def handshakes(octets: bytes) -> list[tuple[int, bytes]]:
    """Return (type, body) of the messages in the records before the change of ciphers."""
    found, clear, at = [], b"", 0
    while at + 5 <= len(octets) and octets[at] == 22:
        end = at + 5 + int.from_bytes(octets[at + 3 : at + 5])
        clear, at = clear + octets[at + 5 : end], end
    at = 0
    while at + 4 <= len(clear):
        end = at + 4 + int.from_bytes(clear[at + 1 : at + 4])
        found.append((clear[at], clear[at + 4 : end]))
        at = end
    return found


def test_both_directions_of_tls(made: Parts, tls: tuple[bytes, bytes]) -> None:
    for octets in tls:
        new = Records(made.texts).stream(octets)
        assert len(new) == len(octets)
        assert [kind for kind, _ in handshakes(new)] == [kind for kind, _ in handshakes(octets)]
        for word in (b"alice", b"home.example", b"GET /"):
            assert word not in new
    hello, new_hello = (
        dict(handshakes(octets))[CLIENT_HELLO] for octets in (tls[0], Records(made.texts).stream(tls[0]))
    )
    assert new_hello[2:34] == made.pseudonyms.octets(hello[2:34])  # the random: a key log goes with it
    assert made.texts.host("alice.home.example").encode() in new_hello


def test_a_certificate_parses_and_names_somebody_else(made: Parts, tls: tuple[bytes, bytes]) -> None:
    new = dict(handshakes(Records(made.texts).stream(tls[1])))[CERTIFICATE]
    found = x509.load_der_x509_certificate(new[6:])
    assert found.subject.rfc4514_string() == f"CN={made.texts.name('alice.home.example')}"
    alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == [made.texts.host("alice.home.example")]
    assert found.not_valid_before_utc == NOW
    assert found.serial_number != certificate()[0].serial_number


def dtls(
    kind: int, body: bytes, *, offset: int = 0, length: int | None = None, epoch: int = 0, content: int = 22
) -> bytes:
    whole = len(body) if length is None else length
    head = bytes((kind,)) + whole.to_bytes(3) + b"\0\1" + offset.to_bytes(3) + len(body).to_bytes(3)
    fragment = (head if content == 22 else b"") + body
    return (
        bytes((content,))
        + b"\xfe\xfd"
        + epoch.to_bytes(2)
        + bytes(5)
        + b"\7"
        + len(fragment).to_bytes(2)
        + fragment
    )


def test_a_certificate_in_fragments_and_its_digest_in_sdp(made: Parts) -> None:
    encoded = certificate()[0].public_bytes(serialization.Encoding.DER)
    body = (len(encoded) + 3).to_bytes(3) + len(encoded).to_bytes(3) + encoded
    datagrams = [
        dtls(CERTIFICATE, body[:100], length=len(body)),
        dtls(CERTIFICATE, body[100:], offset=100, length=len(body)),
    ]
    records = Records(made.texts)
    for datagram in reversed(datagrams):
        records.survey(datagram, ENDS)
    new = b"".join(records.datagram(datagram, ENDS)[25:] for datagram in datagrams)
    x509.load_der_x509_certificate(new[6:])
    assert b"alice" not in new
    for name in ("sha256", "sha1"):
        digest = hashlib.new(name, encoded).digest()
        assert made.pseudonyms.octets(digest) == hashlib.new(name, new[6:]).digest()


def test_what_is_encrypted_becomes_noise_and_an_alert_in_clear_stays(made: Parts) -> None:
    records = Records(made.texts)
    secret, alert = dtls(0, b"secret of alice", epoch=1, content=23), dtls(0, b"\x02\x28", content=21)
    new = records.datagram(secret + alert, ENDS)
    assert new[:13] == secret[:13]
    assert b"alice" not in new
    assert new[len(secret) :] == alert


def test_a_fragment_whose_rest_never_came_becomes_zeros(made: Parts) -> None:
    records = Records(made.texts)
    half = dtls(CERTIFICATE, b"alice's certificate", length=400)
    records.survey(half, ENDS)
    assert records.datagram(half, ENDS) == half[:25] + bytes(19)


@settings(deadline=None)
@given(st.binary(max_size=120), st.integers(0, 30))
def test_any_octets_keep_their_number(tail: bytes, kind: int) -> None:
    records = Records(parts().texts)
    whole = dtls(kind, tail)
    for octets in (whole, whole + tail, dtls(kind, tail, length=len(tail) + 9)):
        records.survey(octets, ENDS)
        assert len(records.datagram(octets, ENDS)) == len(octets)
    stream = b"\x16\x03\x03" + (len(tail) + 4).to_bytes(2) + bytes((kind,)) + len(tail).to_bytes(3) + tail
    for octets in (stream, stream[: len(tail)], stream + tail, b"\x16\x03\x01\x00\x04" + tail):
        assert len(records.stream(octets)) == len(octets)
