"""DTLS handshakes as a capture shows them: OpenSSL's, over memory, and what is broken or cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.errors import Malformed, SrtpError
from imslab.media.dtls import End, shake_hands
from imslab.srtp import Profile
from imslab.srtp.handshake import ClientHello, Handshake, Hello, Reader, ServerHello, certificates
from imslab.srtp.keylog import KeyLog
from imslab.srtp.prf import DTLS_1_2, DTLS_1_3


@pytest.fixture(scope="module", name="seen")
def seen_fixture():
    """Two ends after a handshake, and the datagrams between them."""
    client, server = End("client", ["AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"]), End("server")
    return client, server, shake_hands(client, server)


def read(datagrams):
    reader = Reader()
    for datagram in datagrams:
        reader.receive(datagram.sender, datagram.octets)
    return reader.handshakes


def test_a_whole_handshake(seen):
    client, server, datagrams = seen
    (found,) = read(datagrams)
    assert found.client == "client"
    assert found.version == DTLS_1_2
    assert found.client_hello.srtp_profiles == (8, 1)
    assert found.server_hello.srtp_profiles == (1,)
    assert found.profile is Profile.named("AES_CM_128_HMAC_SHA1_80")
    assert found.cipher_suite in found.client_hello.cipher_suites
    assert found.server_hello.has_extended_master_secret
    assert found.chains == {"client": (client.certificate,), "server": (server.certificate,)}
    assert str(found).startswith("DTLS 1.2, cipher suite 0xc0")


def test_a_key_log_opens_what_the_handshake_left(seen):
    client, server, datagrams = seen
    (found,) = read(datagrams)
    assert found.ledger(client.key_log) == found.ledger(server.key_log) == client.ledger == server.ledger


def test_a_key_log_of_others_opens_nothing(seen):
    (found,) = read(seen[2])
    with pytest.raises(SrtpError, match=found.client_hello.random.hex()):
        found.ledger(KeyLog.parse(""))


def test_a_capture_that_began_too_late(seen):
    client, _, datagrams = seen
    found = read(datagrams[1:])
    assert found[0].client_hello is None
    with pytest.raises(SrtpError, match="no ClientHello was seen"):
        found[0].ledger(client.key_log)
    with pytest.raises(SrtpError, match="no ServerHello was seen"):
        read(datagrams[:1])[0].ledger(client.key_log)


def test_who_is_the_client_is_known_from_either_hello(seen):
    finished = seen[2][2]  # the client's certificate and so on
    answers = [datagram for datagram in seen[2] if datagram.sender == "server"]
    assert read(answers)[0].client is None  # nobody else was heard of
    (found,) = read([finished, *answers])
    assert (found.client, found.client_hello) == ("client", None)


def test_another_handshake_on_the_same_sockets(seen):
    again_client, again_server = End("client"), End("server")
    datagrams = seen[2] + shake_hands(again_client, again_server)
    first, second = read(datagrams)
    assert first.ledger(seen[0].key_log) == seen[0].ledger
    assert second.ledger(again_client.key_log) == again_client.ledger
    assert second.chains["server"] == (again_server.certificate,)


def test_retransmissions_change_nothing(seen):
    assert read([datagram for datagram in seen[2] for _ in range(2)]) == read(seen[2])


# --- the messages by themselves -----------------------------------------------------------------------------


def vector(size, octets):
    return len(octets).to_bytes(size) + octets


def extension(number, octets):
    return number.to_bytes(2) + vector(2, octets)


USE_SRTP = extension(14, vector(2, b"\0\1\0\7") + vector(1, b"mki"))
NAME = extension(0, vector(2, b"\0" + vector(2, b"ims.example")))
CLIENT = (
    b"\xfe\xfd" + bytes(32) + vector(1, b"") + vector(1, b"cookie") + vector(2, b"\xc0\x2b\xc0\x0a") + b"\1\0"
)
SERVER = b"\xfe\xfd" + bytes(32) + vector(1, b"id") + b"\xc0\x2b\0"


def test_a_client_hello():
    hello = ClientHello.parse(CLIENT + vector(2, USE_SRTP + NAME))
    assert (hello.legacy_version, hello.cookie, hello.cipher_suites) == (
        DTLS_1_2,
        b"cookie",
        (0xC02B, 0xC00A),
    )
    assert (hello.srtp_profiles, hello.srtp_mki, hello.server_name) == ((1, 7), b"mki", "ims.example")
    assert not hello.has_extended_master_secret


def test_hellos_without_extensions():
    hello = ClientHello.parse(CLIENT)
    assert (hello.extensions, hello.srtp_profiles, hello.srtp_mki, hello.server_name) == ({}, (), b"", None)
    assert ServerHello.parse(SERVER).extensions == {}


def test_a_server_hello_of_dtls_1_3_says_so_in_an_extension():
    hello = ServerHello.parse(SERVER + vector(2, extension(43, b"\xfe\xfc")))
    assert (hello.legacy_version, hello.version) == (DTLS_1_2, DTLS_1_3)
    assert ServerHello.parse(SERVER).version == DTLS_1_2


def test_dtls_1_3_needs_the_profile_and_the_exporter_secret():
    client = ClientHello.parse(CLIENT)
    server = ServerHello.parse(SERVER + vector(2, extension(43, b"\xfe\xfc")))
    found = Handshake("a", client, server)
    log = KeyLog.parse(f"EXPORTER_SECRET {bytes(32).hex()} {bytes(32).hex()}")
    with pytest.raises(SrtpError, match="no SRTP profile was seen"):
        found.ledger(log)
    assert len(found.ledger(log, "AEAD_AES_128_GCM").exported) == 56
    with pytest.raises(SrtpError, match="no secret for the client random"):
        found.ledger(KeyLog.parse(f"CLIENT_RANDOM {bytes(32).hex()} {bytes(48).hex()}"), "AEAD_AES_128_GCM")


def test_a_profile_that_nobody_knows():
    server = ServerHello.parse(SERVER + vector(2, extension(14, vector(2, b"\x12\x34") + b"\0")))
    with pytest.raises(Malformed, match="0x1234"):
        _ = Handshake("a", None, server).profile


def test_certificates():
    body = vector(3, vector(3, b"one") + vector(3, b"issuer"))
    assert certificates(body) == (b"one", b"issuer")
    assert certificates(vector(3, b"")) == ()


@pytest.mark.parametrize(
    ("parse", "bare", "rest"),
    [
        (ClientHello.parse, CLIENT, vector(2, USE_SRTP)),
        (ServerHello.parse, SERVER, vector(2, USE_SRTP)),
        (certificates, vector(3, vector(3, b"one")), b""),
    ],
    ids=["client hello", "server hello", "certificate"],
)
def test_a_message_is_malformed_wherever_it_is_cut(parse, bare, rest):
    whole = bare + rest
    for size in set(range(len(whole))) - {len(bare)}:  # extensions may be missing, but not cut
        with pytest.raises(Malformed, match="at octet"):
            parse(whole[:size])
    parse(bare)


def test_a_cut_extension_is_malformed_when_it_is_asked_for():
    hello = ClientHello.parse(CLIENT + vector(2, extension(14, b"\0\4\0\1")))
    with pytest.raises(Malformed):
        _ = hello.srtp_profiles


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.binary(max_size=80)), max_size=6),
    st.binary(max_size=90),
)
def test_any_octets_are_read_or_malformed(datagrams, body):
    reader = Reader()
    header = bytes([22]) + b"\xfe\xfd" + bytes(8)
    for kind in (1, 2, 3, 11):
        fragment = bytes([kind]) + len(body).to_bytes(3) + bytes(2) + bytes(3) + len(body).to_bytes(3) + body
        datagrams.append(("a", header + vector(2, fragment)))
    for sender, octets in datagrams:
        try:
            reader.receive(sender, octets)
        except Malformed:
            continue
    for found in reader.handshakes:
        for hello in (found.client_hello, found.server_hello):
            try:
                assert not isinstance(hello, Hello) or hello.srtp_profiles is not None
            except Malformed:
                continue
