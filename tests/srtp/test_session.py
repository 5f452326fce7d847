"""SRTP and SRTCP packet by packet: the published packets, and everything that must be refused."""

import pytest

from imslab.data import vectors
from imslab.errors import AuthenticationFailed, ImslabError, Malformed, Replayed, SrtpError
from imslab.srtp import PROFILES, Keys, Profile, Session
from imslab.srtp.cipher import Gcm

VECTORS = vectors("srtp")["vectors"]
ALL = pytest.mark.parametrize("name", [profile.name for profile in PROFILES])
SSRC, OTHER = 0x11223344, 0x55667788


def by_kind(kind):
    found = [v for v in VECTORS if v["kind"] == kind]
    return pytest.mark.parametrize("v", found, ids=[v["id"] for v in found])


def octets(v, *names):
    return [bytes.fromhex(v[name]) for name in names]


def of(v, **options):
    return Session(v["profile"], *octets(v, "master_key", "master_salt"), **options)


@by_kind("srtp_packet")
def test_published_srtp_packets(v):
    plain, sealed, mki = octets(v, "plain_packet", "protected_packet", "mki")
    session = of(v, roc=v["roc"], mki=mki)
    assert session.protect(plain) == sealed
    assert session.unprotect(sealed) == plain


@by_kind("srtcp_packet")
def test_published_srtcp_packets(v):
    plain, sealed, mki = octets(v, "plain_packet", "protected_packet", "mki")
    session = of(v, srtcp_index=v["srtcp_index"], mki=mki, unencrypted_srtcp=not v["e_flag"])
    assert session.protect_rtcp(plain) == sealed
    assert session.unprotect_rtcp(sealed) == plain
    assert of(v, mki=mki).unprotect_rtcp(sealed) == plain  # the E bit says how


@by_kind("srtp_roc_rollover_stream")
def test_published_streams_over_the_wrap(v):
    session = of(v)
    for packet in v["packets"]:
        assert session.protect(bytes.fromhex(packet["plain_packet"])).hex() == packet["protected_packet"]
    for position in v["receive_order"]:
        plain, sealed = octets(v["packets"][position], "plain_packet", "protected_packet")
        assert session.unprotect(sealed) == plain


@by_kind("srtcp_stream")
def test_published_srtcp_streams(v):
    session = of(v, srtcp_index=v["packets"][0]["srtcp_index"])
    for packet in v["packets"]:
        plain, sealed = octets(packet, "plain_packet", "protected_packet")
        assert session.protect_rtcp(plain) == sealed
        assert session.unprotect_rtcp(sealed) == plain


@by_kind("srtp_negative")
def test_published_packets_that_are_no_good(v):
    with pytest.raises(AuthenticationFailed):
        of(v, roc=v["receiver_roc"]).unprotect(bytes.fromhex(v["protected_packet"]))


@by_kind("aead_gcm_session_key_packet")
def test_gcm_with_the_session_keys_of_rfc_7714(v):
    key, salt, plain, sealed, iv = octets(
        v, "session_key", "session_salt", "plain_packet", "protected_packet", "iv"
    )
    cipher, (kind, how) = Gcm(Keys(key, b"", salt), 16), v["mode"].split("-")
    if kind == "rtp":
        cut, ssrc, index, word = 12, int.from_bytes(plain[8:12]), int.from_bytes(plain[2:4]), b""
    else:
        cut, ssrc, index = 8, int.from_bytes(plain[4:8]), v["srtcp_index"]
        word = (v["e_flag"] << 31 | index).to_bytes(4)
    cut = cut if how == "enc" else len(plain)
    payload, tag = cipher.seal(plain[:cut], plain[cut:], word, ssrc, index)
    assert cipher.iv(ssrc, index) == iv
    assert plain[:cut] + payload + tag + word == sealed
    assert cipher.open(plain[:cut], payload, word, tag, ssrc, index) == plain[cut:]


@ALL
def test_what_is_added_and_what_stays_clear(name, session, rtp, rtcp):
    made, profile = session(name, mki=b"\1\2\3"), Profile.named(name)
    sealed, sealed_rtcp = made.protect(rtp(1)), made.protect_rtcp(rtcp())
    assert len(sealed) == len(rtp(1)) + 3 + profile.tag_length
    assert len(sealed_rtcp) == len(rtcp()) + 4 + 3 + profile.rtcp_tag_length
    assert (sealed[:12], sealed_rtcp[:8]) == (rtp(1)[:12], rtcp()[:8])
    in_clear = name.startswith("NULL")
    assert (rtp(1)[12:] in sealed) is in_clear
    assert (rtcp()[8:] in sealed_rtcp) is in_clear
    assert (made.unprotect(sealed), made.unprotect_rtcp(sealed_rtcp)) == (rtp(1), rtcp())


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_octets_may_come_in_any_form(name, kind, session, rtp, rtcp):
    sender, receiver = session(name), session(name)
    sealed, sealed_rtcp = sender.protect(kind(rtp(1))), sender.protect_rtcp(kind(rtcp()))
    opened = receiver.unprotect(kind(sealed)), receiver.unprotect_rtcp(kind(sealed_rtcp))
    assert opened == (rtp(1), rtcp())
    assert {type(one) for one in (sealed, sealed_rtcp, *opened)} == {bytes}


@ALL
def test_each_bit_of_an_srtp_packet_counts(name, session, rtp):
    sealed, receiver = session(name, mki=b"ab").protect(rtp(7)), session(name, mki=b"ab")
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((AuthenticationFailed, Malformed, SrtpError)):
            receiver.unprotect(bytes(changed))
    assert receiver.unprotect(sealed) == rtp(7)  # nothing of it moved the state


@ALL
def test_each_bit_of_an_srtcp_packet_counts(name, session, rtcp):
    sealed, receiver = session(name, mki=b"ab").protect_rtcp(rtcp()), session(name, mki=b"ab")
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((AuthenticationFailed, Malformed, SrtpError)):
            receiver.unprotect_rtcp(bytes(changed))
    assert receiver.unprotect_rtcp(sealed) == rtcp()


@ALL
def test_a_cut_packet_is_refused_wherever_it_is_cut(name, session, rtp, rtcp):
    receiver = session(name)
    sealed, sealed_rtcp = session(name).protect(rtp(7)), session(name).protect_rtcp(rtcp())
    for size in range(len(sealed)):
        with pytest.raises((AuthenticationFailed, Malformed)):
            receiver.unprotect(sealed[:size])
    for size in range(len(sealed_rtcp)):
        with pytest.raises((AuthenticationFailed, Malformed)):
            receiver.unprotect_rtcp(sealed_rtcp[:size])
    assert receiver.unprotect(sealed) == rtp(7)


def test_nothing_longer_either(session, rtp):
    with pytest.raises(AuthenticationFailed):
        session().unprotect(session().protect(rtp(7)) + b"\0")


@ALL
def test_replayed_packets_are_refused(name, session, rtp, rtcp):
    sender, receiver = session(name), session(name)
    sealed, sealed_rtcp = sender.protect(rtp(7)), sender.protect_rtcp(rtcp())
    receiver.unprotect(sealed)
    receiver.unprotect_rtcp(sealed_rtcp)
    with pytest.raises(Replayed):
        receiver.unprotect(sealed)
    with pytest.raises(Replayed):
        receiver.unprotect_rtcp(sealed_rtcp)


@pytest.mark.parametrize("other", ["AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"])
def test_a_wrong_profile_is_refused(other, session, rtp, rtcp):
    sender, receiver = session(), session(other)
    with pytest.raises(AuthenticationFailed):
        receiver.unprotect(sender.protect(rtp(7)))
    with pytest.raises(AuthenticationFailed):
        session("AEAD_AES_256_GCM").unprotect_rtcp(sender.protect_rtcp(rtcp()))


@pytest.mark.parametrize("roc", [0, 2, 1 << 16])
def test_a_wrong_roc_is_refused(roc, session, rtp):
    with pytest.raises(AuthenticationFailed, match="ROC"):
        session(roc=roc).unprotect(session(roc=1).protect(rtp(7)))


def test_the_roc_follows_the_wrap_with_losses_and_reordering(session, rtp):
    sender, receiver = session(), session()
    sealed = {n: sender.protect(rtp(n)) for n in range(65000, 65536 + 400)}
    for n in (65000, 65535, 65538, 65534, 65536 + 120, 65536 + 399):
        assert receiver.unprotect(sealed[n]) == rtp(n)
    with pytest.raises(Replayed, match="window"):
        receiver.unprotect(sealed[65536 + 271])
    assert receiver.unprotect(sealed[65536 + 272]) == rtp(272)


@pytest.mark.parametrize("roc", [0, 3])
def test_a_packet_half_a_round_late_is_refused_and_changes_nothing(roc, session, rtp):
    sender, receiver = session(roc=roc), session(roc=roc)
    first, last = sender.protect(rtp(100)), b""
    for n in range(101, 101 + 32768 * 2, 16384):
        last = sender.protect(rtp(n))
        receiver.unprotect(last)
    with pytest.raises((Replayed, AuthenticationFailed)):
        receiver.unprotect(first)
    with pytest.raises(Replayed):
        receiver.unprotect(last)
    assert receiver.unprotect(sender.protect(rtp(101 + 65536))) == rtp(101 + 65536)


def test_exactly_2_to_the_15_late(session, rtp):
    receiver, late = session(), session().protect(rtp(5))
    receiver.unprotect(session().protect(rtp(5 + 32768)))
    with pytest.raises(Replayed, match="32768 behind"):
        receiver.unprotect(late)


def test_a_forged_packet_far_ahead_moves_nothing(session, rtp):
    sender, receiver = session(), session()
    receiver.unprotect(sender.protect(rtp(65000)))
    forged = sender.protect(rtp(65001))
    with pytest.raises(AuthenticationFailed):
        receiver.unprotect(forged[:2] + b"\x40\0" + forged[4:])  # SEQ 16384 of the next ROC
    assert receiver.unprotect(forged) == rtp(65001)


def test_a_forged_first_packet_leaves_no_state(session, rtp):
    sealed, receiver = session().protect(rtp(7)), session()
    with pytest.raises(AuthenticationFailed):
        receiver.unprotect(sealed[:2] + b"\xff\xff" + sealed[4:])
    assert "received: 0" in repr(receiver)
    assert receiver.unprotect(sealed) == rtp(7)


def test_ssrcs_are_apart(session, rtp, rtcp):
    sender, receiver = session(), session()
    for ssrc, seq in ((SSRC, 65535), (OTHER, 7), (SSRC, 65536), (OTHER, 8)):
        assert receiver.unprotect(sender.protect(rtp(seq, ssrc=ssrc))) == rtp(seq, ssrc=ssrc)
    assert sender.protect(rtp(9))[12:] != sender.protect(rtp(9, ssrc=OTHER))[12:]
    for ssrc in (SSRC, OTHER):
        assert receiver.unprotect_rtcp(sender.protect_rtcp(rtcp(ssrc))) == rtcp(ssrc)


def test_a_packet_moved_to_another_ssrc_is_refused(session, rtp):
    sealed = session().protect(rtp(7))
    with pytest.raises(AuthenticationFailed):
        session().unprotect(sealed[:8] + OTHER.to_bytes(4) + sealed[12:])


def test_a_session_may_keep_to_its_ssrcs(session, rtp, rtcp):
    sender, receiver = session(), session(ssrcs=[SSRC])
    assert receiver.unprotect(sender.protect(rtp(7))) == rtp(7)
    for refused, packet in (
        (receiver.unprotect, sender.protect(rtp(8, ssrc=OTHER))),
        (receiver.protect, rtp(8, ssrc=OTHER)),
        (receiver.unprotect_rtcp, sender.protect_rtcp(rtcp(OTHER))),
        (receiver.protect_rtcp, rtcp(OTHER)),
    ):
        with pytest.raises(SrtpError, match="no context for SSRC 55667788"):
            refused(packet)


def test_a_sender_never_uses_an_index_twice(session, rtp):
    sender = session()
    sender.protect(rtp(7))
    with pytest.raises(Replayed):
        sender.protect(rtp(7, payload=b"something else"))
    sender.protect(rtp(6))  # late, but not used before


def test_a_sender_stops_where_the_indices_end(session, rtp, rtcp):
    sender = session(roc=(1 << 32) - 1, srtcp_index=(1 << 31) - 1)
    sender.protect(rtp(65535))
    with pytest.raises(SrtpError, match="2\\^48"):
        sender.protect(rtp(0))
    sender.protect_rtcp(rtcp())
    with pytest.raises(SrtpError, match="2\\^31"):
        sender.protect_rtcp(rtcp())


def test_a_lifetime_counts_srtp_and_srtcp(session, rtp, rtcp):
    sender = session(lifetime=3)
    sealed = [sender.protect(rtp(1)), sender.protect_rtcp(rtcp()), sender.protect(rtp(2))]
    for refused in (lambda: sender.protect(rtp(3)), lambda: sender.protect_rtcp(rtcp())):
        with pytest.raises(SrtpError, match="lifetime"):
            refused()
    receiver = session(lifetime=0)
    assert receiver.unprotect(sealed[0]) == rtp(1)  # who receives does not count


def test_a_packet_that_was_refused_costs_no_lifetime(session, rtp):
    sender = session(lifetime=1)
    with pytest.raises(Malformed):
        sender.protect(b"")
    sender.protect(rtp(1))


def test_srtcp_indices_begin_at_0_and_count_on(session, rtcp):
    sender = session()
    words = [sender.protect_rtcp(rtcp(ssrc))[-14:-10].hex() for ssrc in (SSRC, SSRC, OTHER)]
    assert words == ["80000000", "80000001", "80000002"]


@pytest.mark.parametrize("name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_the_e_bit_where_it_was_negotiated(name, session, rtcp):
    clear = session(name, unencrypted_srtcp=True).protect_rtcp(rtcp())
    secret = session(name).protect_rtcp(rtcp())
    assert session(name).unprotect_rtcp(clear) == rtcp()
    for packet, receiver in (
        (clear, session(name, negotiated_e_bit=True)),
        (secret, session(name, unencrypted_srtcp=True, negotiated_e_bit=True)),
    ):
        with pytest.raises(SrtpError, match="E bit"):
            receiver.unprotect_rtcp(packet)
    assert session(name, unencrypted_srtcp=True, negotiated_e_bit=True).unprotect_rtcp(clear) == rtcp()


@pytest.mark.parametrize("name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_unencrypted_srtp_is_authenticated(name, session, rtp):
    sealed = session(name, unencrypted_srtp=True).protect(rtp(7))
    assert sealed.startswith(rtp(7))
    assert session(name, unencrypted_srtp=True).unprotect(sealed) == rtp(7)
    with pytest.raises(AuthenticationFailed):
        session(name, unencrypted_srtp=True).unprotect(sealed[:-20] + b"?" + sealed[-19:])


def test_unauthenticated_srtp_has_no_tag_but_srtcp_has(session, rtp, rtcp):
    sender, receiver = session(unauthenticated_srtp=True), session(unauthenticated_srtp=True)
    sealed = sender.protect(rtp(7))
    assert len(sealed) == len(rtp(7)) and sealed != rtp(7)
    assert receiver.unprotect(sealed) == rtp(7)
    assert len(sender.protect_rtcp(rtcp())) == len(rtcp()) + 14


def test_gcm_cannot_be_unauthenticated(session):
    with pytest.raises(Malformed, match="always authenticates"):
        session("AEAD_AES_128_GCM", unauthenticated_srtp=True)


@pytest.mark.parametrize("name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
@pytest.mark.parametrize("mki", [b"", b"\0", b"\0\0\0\2"])
def test_another_mki_is_another_key(name, mki, session, rtp, rtcp):
    sender, receiver = session(name, mki=b"\0\0\0\1"), session(name, mki=mki)
    with pytest.raises((SrtpError, AuthenticationFailed)):
        receiver.unprotect(sender.protect(rtp(7)))
    with pytest.raises((SrtpError, AuthenticationFailed)):
        receiver.unprotect_rtcp(sender.protect_rtcp(rtcp()))
    if len(mki) == 4:
        with pytest.raises(SrtpError, match="MKI 00000001"):
            receiver.unprotect(sender.protect(rtp(8)))


@pytest.mark.parametrize("name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "NULL_HMAC_SHA1_80"])
def test_keys_change_with_the_derivation_rate(name, session, rtp, rtcp):
    sender, receiver, once = session(name, kdr=4), session(name, kdr=4), session(name)
    for n in (3, 4, 9, 5):
        sealed, with_first_keys = sender.protect(rtp(n)), once.protect(rtp(n))
        assert (sealed == with_first_keys) is (n < 4)
        assert receiver.unprotect(sealed) == rtp(n)
    sealed_rtcp = [(sender.protect_rtcp(rtcp()), once.protect_rtcp(rtcp())) for _ in range(5)]
    assert [one == other for one, other in sealed_rtcp] == [True] * 4 + [False]
    assert receiver.unprotect_rtcp(sealed_rtcp[4][0]) == rtcp()


def test_a_thousand_derivations_keep_few_ciphers(session, rtp):
    sender, receiver = session(kdr=1), session(kdr=1)
    for n in range(300):
        assert receiver.unprotect(sender.protect(rtp(n))) == rtp(n)
    assert len(receiver.context._ciphers) <= 65


@pytest.mark.parametrize(
    "options",
    [
        {"roc": -1},
        {"roc": 1 << 32},
        {"kdr": 3},
        {"window": 63},
        {"mki": bytes(129)},
    ],
    ids=str,
)
def test_parameters_that_cannot_be(options, session):
    with pytest.raises(Malformed):
        session(**options)


def test_a_packet_with_more_than_a_mebibyte_has_no_key_stream(session, rtp):
    packet = rtp(7, payload=bytes((1 << 20) + 1))
    with pytest.raises(SrtpError, match="2\\^20"):
        session().protect(packet)
    whole = rtp(7, payload=bytes(1 << 20))
    assert session().unprotect(session().protect(whole)) == whole


@pytest.mark.parametrize("packet", [b"", b"\x80", bytes(12), b"\x80" * 11, b"\x9f" * 20])
def test_what_is_no_packet_is_malformed_both_ways(packet, session):
    made = session()
    for call in (made.protect, made.unprotect):
        with pytest.raises(Malformed):
            call(packet)
    if len(packet) < 8 or packet[0] >> 6 != 2:
        for call in (made.protect_rtcp, made.unprotect_rtcp):
            with pytest.raises(Malformed):
                call(packet)


def test_no_key_is_in_a_repr_or_an_error(session, rtp, master):
    _, key, salt = master("AES_CM_128_HMAC_SHA1_80")
    made = session()
    shown = repr(made) + repr(made.context)
    with pytest.raises(ImslabError) as caught:
        made.unprotect(rtp(7) + bytes(10))
    for secret in (key, salt):
        assert secret.hex() not in shown + str(caught.value)
        assert repr(secret)[2:-1] not in shown
