"""Two ends of DTLS in memory: keys, certificates, key log, and somebody in between."""

import pytest

from imslab.errors import FingerprintMismatch, SrtpError
from imslab.media.dtls import LONGEST_DATAGRAM, End, shake_hands
from imslab.srtp.handshake import Reader

PROFILES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]


@pytest.mark.parametrize("profile", PROFILES)
def test_both_ends_have_the_same_ledger(profile):
    client, server = End("client", [profile]), End("server", PROFILES)
    shake_hands(client, server)
    assert client.ledger == server.ledger
    assert client.ledger.profile.name == profile
    assert (client.peer_certificate, server.peer_certificate) == (server.certificate, client.certificate)


def test_each_end_knows_the_other_by_its_fingerprint():
    client, server, other = End("client"), End("server"), End("server")
    shake_hands(client, server)
    client.check(server.fingerprint)
    server.check(client.fingerprint)
    with pytest.raises(FingerprintMismatch, match="stands in the middle"):
        client.check(other.fingerprint)


def test_a_man_in_the_middle_is_caught_by_both():
    alice, bob = End("client"), End("server")
    to_alice, to_bob = End("server"), End("client")
    shake_hands(alice, to_alice)
    shake_hands(to_bob, bob)
    assert to_alice.ledger == alice.ledger != bob.ledger  # he can read, and forge ...
    for end, announced in ((alice, bob), (bob, alice)):
        with pytest.raises(FingerprintMismatch):  # ... as long as nobody compares
            end.check(announced.fingerprint)


def test_nothing_in_common_is_no_ledger():
    client, server = End("client", ["AEAD_AES_128_GCM"]), End("server", ["AEAD_AES_256_GCM"])
    shake_hands(client, server)
    with pytest.raises(SrtpError, match="no SRTP profile"):
        _ = client.ledger


def test_an_end_may_offer_no_srtp():
    client, server = End("client", []), End("server")
    datagrams = shake_hands(client, server)
    reader = Reader()
    for datagram in datagrams:
        reader.receive(datagram.sender, datagram.octets)
    assert reader.handshakes[0].client_hello.srtp_profiles == ()
    with pytest.raises(SrtpError):
        _ = server.ledger


def test_a_profile_without_a_code_cannot_be_offered():
    with pytest.raises(SrtpError, match="no code in DTLS"):
        End("client", ["AES_256_CM_HMAC_SHA1_80"])


def test_before_the_handshake_there_is_no_certificate():
    with pytest.raises(SrtpError, match="no certificate yet"):
        _ = End("client").peer_certificate


def test_datagrams_are_short():
    datagrams = shake_hands(End("client"), End("server"))
    sizes = [len(datagram.octets) for datagram in datagrams]
    assert 400 < max(sizes) <= LONGEST_DATAGRAM == 1200
    assert [datagram.sender for datagram in datagrams[:2]] == ["client", "server"]


class Talker:
    """An end that always has something to say."""

    role = "client"

    def receive(self, *datagrams):
        return [b"again"]


def test_a_quarrel_comes_to_an_end():
    with pytest.raises(SrtpError, match="does not come to an end"):
        shake_hands(Talker(), Talker())


def test_a_changed_handshake_comes_to_no_end():
    client, server = End("client"), End("server")
    flight = server.receive(*client.receive())
    flight = client.receive(*flight)
    # The client's Finished is the last record, and encrypted: one bit of it, and the server goes on waiting.
    changed = flight[-1][:-1] + bytes([flight[-1][-1] ^ 1])
    assert server.receive(*flight[:-1], changed) == []
    assert (client.done, server.done) == (False, False)
    with pytest.raises(SrtpError, match="not done"):
        _ = server.ledger
    client.receive(*server.receive(flight[-1]))
    assert server.ledger == client.ledger
