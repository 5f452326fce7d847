"""The ledger: four keys out of one exporter, from a live connection, and from secrets."""

import pytest

from imslab.data import vectors
from imslab.errors import Malformed, SrtpError
from imslab.srtp import PROFILES, Profile
from imslab.srtp.dtls import EXPORTER_LABEL, Ledger, exported_length

EXPORTED = [v for v in vectors("srtp")["vectors"] if v["kind"] == "dtls_srtp_exporter"]
KEYS = [f"{role}_write_SRTP_master_{what}" for what in ("key", "salt") for role in ("client", "server")]


def octets(v, *names):
    return [bytes.fromhex(v[name]) for name in names]


def by_id(test):
    return pytest.mark.parametrize("v", EXPORTED, ids=[v["id"] for v in EXPORTED])(test)


@by_id
def test_a_ledger_from_secrets_is_what_openssl_exported(v):
    ledger = Ledger.from_master_secret(
        v["profile"],
        *octets(v, "master_secret", "client_random", "server_random"),
        cipher_suite=int(v["cipher_suite"], 16),
    )
    assert ledger.exported.hex() == v["keying_material"]
    assert [entry.name for entry in ledger.entries] == KEYS
    assert [entry.value.hex() for entry in ledger.entries] == [v[name] for name in KEYS]
    assert ledger.profile.code == int(v["profile_code"], 16)
    assert EXPORTER_LABEL.decode() == v["label"]
    keys = [ledger.client_key, ledger.server_key, ledger.client_salt, ledger.server_salt]
    assert keys == octets(v, *KEYS)


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_the_order_is_keys_before_salts_and_client_before_server(profile):
    key, salt = profile.key_length, profile.salt_length
    exported = b"C" * key + b"S" * key + b"c" * salt + b"s" * salt
    ledger = Ledger.from_exported(profile, exported)
    assert ledger.keys_of("client") == (b"C" * key, b"c" * salt)
    assert ledger.keys_of("server") == (b"S" * key, b"s" * salt)
    assert [entry.offset for entry in ledger.entries] == [0, key, 2 * key, 2 * key + salt]
    assert sum(entry.length for entry in ledger.entries) == exported_length(profile) == len(exported)


@pytest.mark.parametrize(
    ("name", "length"),
    [("SRTP_AES128_CM_SHA1_80", 60), ("SRTP_AEAD_AES_128_GCM", 56), ("SRTP_AEAD_AES_256_GCM", 88)],
)
def test_how_much_is_exported(name, length):
    assert exported_length(name) == length
    for wrong in (length - 1, length + 1):
        with pytest.raises(Malformed, match=f"must be {length} octets"):
            Ledger.from_exported(name, bytes(wrong))


def test_each_end_opens_what_the_other_sends(rtp):
    ledger = Ledger.from_exported("AEAD_AES_128_GCM", bytes(range(56)))
    client, server = ledger.session("client"), ledger.session("server")
    sealed = client.protect(rtp(1))
    assert ledger.session("client").unprotect(sealed) == rtp(1)
    with pytest.raises(SrtpError):
        server.unprotect(sealed)
    assert ledger.session("client", roc=1).protect(rtp(1)) != sealed


def test_a_role_is_client_or_server():
    ledger = Ledger.from_exported("AEAD_AES_128_GCM", bytes(56))
    with pytest.raises(Malformed, match="DTLS role"):
        ledger.keys_of("active")


class Connection:
    """A DTLS connection as pyOpenSSL shows it."""

    def __init__(self, profile):
        self.profile, self.asked = profile, None

    def get_selected_srtp_profile(self):
        return self.profile

    def export_keying_material(self, label, olen):
        self.asked = label, olen
        return bytes(range(olen))


def test_a_live_connection_is_asked_for_what_its_profile_needs():
    connection = Connection(b"SRTP_AES128_CM_SHA1_32")
    ledger = Ledger.from_connection(connection)
    assert connection.asked == (b"EXTRACTOR-dtls_srtp", 60)
    assert ledger.profile is Profile.named("AES_CM_128_HMAC_SHA1_32")
    assert ledger.client_key == bytes(range(16))


@pytest.mark.parametrize(
    ("profile", "error"), [(b"", SrtpError), (b"SRTP_NEW", Malformed), (b"\xff", Malformed)]
)
def test_a_connection_without_a_profile_that_is_known(profile, error):
    with pytest.raises(error):
        Ledger.from_connection(Connection(profile))


def test_the_table_shows_keys_and_the_repr_does_not():
    ledger = Ledger.from_exported("AES_CM_128_HMAC_SHA1_80", b"K" * 60)
    rows = ledger.rows()
    assert rows[1] == {
        "key": "server_write_SRTP_master_key",
        "offset": 16,
        "octets": 16,
        "protects": "server",
        "opens": "client",
        "value": "4b" * 16,
    }
    assert [row["protects"] for row in rows] == ["client", "server", "client", "server"]
    assert "KKKK" not in repr(ledger) + repr(ledger.entries) and "4b4b" not in repr(ledger)


def test_dtls_1_3_exports_from_its_exporter_secret():
    ledger = Ledger.from_exporter_secret("AEAD_AES_256_GCM", bytes(48), cipher_suite=0x1302)
    assert len(ledger.exported) == 88
    assert ledger != Ledger.from_exporter_secret("AEAD_AES_256_GCM", bytes([1] * 48), cipher_suite=0x1302)
