"""A whole stream at once: the published packets, and a session's answers packet by packet."""

import mmap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import AuthenticationFailed, ImslabError, Malformed, Replayed, SrtpError
from imslab.srtp import PROFILES, Candidate, Session, bulk
from imslab.srtp.bulk import order
from imslab.srtp.bulk.order import Reason
from imslab.srtp.index import RtpIndex

VECTORS = vectors("srtp")["vectors"]
NAMES = [profile.name for profile in PROFILES]
ALL = pytest.mark.parametrize("name", NAMES)
FAMILIES = pytest.mark.parametrize(
    "name", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "NULL_HMAC_SHA1_32"]
)


def by_kind(kind):
    found = [v for v in VECTORS if v["kind"] == kind]
    return pytest.mark.parametrize("v", found, ids=[v["id"] for v in found])


def octets(v, *names):
    return [bytes.fromhex(v[name]) for name in names]


def lay(packets):
    length = np.array([len(packet) for packet in packets], np.int64)
    return b"".join(packets), np.cumsum(length) - length, length


def opened(v, unprotect, packets, **options):
    return unprotect(v["profile"], *octets(v, "master_key", "master_salt"), packets, **options)


@by_kind("srtp_packet")
def test_published_srtp_packets(v, unprotect):
    plain, sealed, mki = octets(v, "plain_packet", "protected_packet", "mki")
    found = opened(v, unprotect, [sealed], mki=mki, roc=v["roc"])
    assert list(found) == [plain]
    assert found.index.tolist() == [v["roc"] * 65536 + int.from_bytes(plain[2:4])]


@by_kind("srtcp_packet")
def test_published_srtcp_packets(v, unprotect):
    plain, sealed, mki = octets(v, "plain_packet", "protected_packet", "mki")
    found = opened(v, unprotect, [sealed], mki=mki, rtcp=True)
    assert list(found) == [plain]
    assert found.index.tolist() == [v["srtcp_index"]]


@by_kind("srtp_roc_rollover_stream")
def test_published_streams_over_the_wrap(v, unprotect):
    packets = [v["packets"][position] for position in v["receive_order"]]
    found = opened(v, unprotect, [bytes.fromhex(packet["protected_packet"]) for packet in packets])
    assert [one.hex() for one in found] == [packet["plain_packet"] for packet in packets]
    assert found.index.tolist() == [packet["roc"] * 65536 + packet["seq"] for packet in packets]


@by_kind("srtcp_stream")
def test_published_srtcp_streams(v, unprotect):
    found = opened(v, unprotect, [bytes.fromhex(p["protected_packet"]) for p in v["packets"]], rtcp=True)
    assert [one.hex() for one in found] == [packet["plain_packet"] for packet in v["packets"]]


@by_kind("srtp_negative")
def test_published_packets_that_are_no_good(v, unprotect):
    found = opened(v, unprotect, [bytes.fromhex(v["protected_packet"])], roc=v["receiver_roc"])
    assert found.reason.tolist() == [Reason.AUTHENTICATION_FAILED]
    assert (list(found), found[0], found.ok.tolist()) == ([], b"", [False])


# --- a session's answers ------------------------------------------------------------------------------------

STEPS = [1, 1, 1, 1, 2, -1, 60, -60, 63, -63, 64, -64, 127, -128, 20000, -20000, 32767, 32768, 40000]
FIRST = [0, 1, 100, 32767, 32768, 65530, 65535]


@st.composite
def traffic(draw):
    """Draw what a network may do to two streams: lose, reorder, repeat, cut, change and forge packets."""
    profile = draw(st.sampled_from(PROFILES))
    options = {
        "roc": draw(st.sampled_from([0, 0, 1, 5, (1 << 32) - 1])),
        "kdr": draw(st.sampled_from([0, 0, 0, 1, 16, 65536])),
        "mki": draw(st.sampled_from([b"", b"ab"])),
    }
    sender = Session(
        profile, bytes(range(profile.key_length)), bytes(profile.salt_length), window=32768, **options
    )
    at = dict.fromkeys((7, 9), draw(st.sampled_from(FIRST)))
    sent = []
    for ssrc in draw(st.lists(st.sampled_from([7, 7, 7, 9]), min_size=1, max_size=40)):
        at[ssrc] += draw(st.sampled_from(STEPS))
        size = draw(st.sampled_from([0, 20, 20, 20, 160]))
        header = bytes([0x80, 0]) + (at[ssrc] % 65536).to_bytes(2) + bytes(4) + ssrc.to_bytes(4)
        try:
            sent.append(sender.protect(header + bytes(size)))
        except SrtpError:
            continue  # an index that was used, or the last there is
    arrived = []
    for packet in sent:
        match draw(st.sampled_from(["as sent"] * 6 + ["twice", "changed", "lost", "cut", "early", "forged"])):
            case "twice":
                arrived += [packet, packet]
            case "changed":
                bit = draw(st.integers(0, 8 * len(packet) - 1))
                flipped = bytearray(packet)
                flipped[bit // 8] ^= 1 << bit % 8
                arrived += [bytes(flipped), packet][: draw(st.integers(1, 2))]
            case "cut":
                arrived.append(packet[: draw(st.integers(0, len(packet)))])
            case "early":
                arrived.insert(max(len(arrived) - draw(st.integers(1, 3)), 0), packet)
            case "forged":
                arrived += [packet[:2] + draw(st.binary(min_size=2, max_size=2)) + packet[4:], packet]
            case "as sent":
                arrived.append(packet)
    return profile, options, arrived


def reason_of(error):
    kinds = {
        AuthenticationFailed: Reason.AUTHENTICATION_FAILED,
        Replayed: Reason.REPLAYED,
        Malformed: Reason.MALFORMED,
        SrtpError: Reason.REFUSED,
    }
    return kinds[type(error)]


def one_by_one(receive, packets):
    """Return what a session says to each packet, and gives for it."""
    found = []
    for packet in packets:
        try:
            found.append((Reason.OPENED, receive(packet)))
        except ImslabError as error:
            found.append((reason_of(error), b""))
    return found


def check_traffic(unprotect, drawn, window):
    profile, options, arrived = drawn
    key, salt = bytes(range(profile.key_length)), bytes(profile.salt_length)
    expected = one_by_one(Session(profile, key, salt, window=window, **options).unprotect, arrived)
    found = unprotect(profile, key, salt, arrived, window=window, **options)
    assert [(reason, found[i]) for i, reason in enumerate(found.reason)] == expected
    checked = unprotect(profile, key, salt, arrived, window=window, decrypt=False, **options)
    assert checked.reason.tolist() == found.reason.tolist()
    assert (checked.octets.size, checked.length.sum()) == (0, 0)


FIXTURE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(FIXTURE, max_examples=100)
@given(traffic(), st.sampled_from([64, 128]))
def test_the_answers_are_those_of_a_session(unprotect, drawn, window):
    check_traffic(unprotect, drawn, window)


@settings(FIXTURE, max_examples=60)
@given(traffic(), st.integers(1, 12))
def test_pieces_give_what_the_whole_gives(unprotect, drawn, size):
    profile, options, arrived = drawn
    key, salt = bytes(range(profile.key_length)), bytes(profile.salt_length)
    whole = unprotect(profile, key, salt, arrived, **options)
    receiver, found = bulk.Receiver(profile, key, salt, **options), []
    for first in range(0, len(arrived), size):
        opened = receiver.unprotect(*lay(arrived[first : first + size]))
        found += [(reason, opened[i]) for i, reason in enumerate(opened.reason)]
    assert found == [(reason, whole[i]) for i, reason in enumerate(whole.reason)]


@pytest.mark.parametrize("behind", [0, 1, 127])
def test_a_replay_in_a_later_piece(behind, session, rtp):
    sealed = [session().protect(rtp(n)) for n in range(200)]
    receiver = bulk.Receiver("AES_CM_128_HMAC_SHA1_80", bytes(range(16)), bytes(range(0xA0, 0xAE)))
    assert receiver.unprotect(*lay(sealed)).ok.all()
    assert receiver.unprotect(*lay([sealed[199 - behind]])).reason.tolist() == [Reason.REPLAYED]


@pytest.mark.parametrize("highest", [-1, 0, 10, 32767, 32768, 65535, 65536, 70000, (1 << 48) - 1])
def test_the_guess_for_all_is_that_for_one(highest):
    state = RtpIndex(3)
    if highest >= 0:
        state.accept(highest)
    seq = np.arange(65536)
    made = order.guess(np.full(65536, highest), seq, 3)
    assert made.tolist() == [state.guess(one) for one in range(65536)]


@pytest.mark.parametrize("rounds", [0, 1])
@settings(FIXTURE, max_examples=25)
@given(traffic())
def test_they_are_too_when_packets_are_decided_one_by_one(unprotect, rounds, drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "_ROUNDS", rounds)
        check_traffic(unprotect, drawn, 64)


@st.composite
def reports(draw):
    profile = draw(st.sampled_from(PROFILES))
    options = {"kdr": draw(st.sampled_from([0, 2])), "mki": draw(st.sampled_from([b"", b"ab"]))}
    key, salt = bytes(range(profile.key_length)), bytes(profile.salt_length)
    senders = [Session(profile, key, salt, unencrypted_srtcp=clear, **options) for clear in (False, True)]
    arrived = []
    for _ in range(draw(st.integers(1, 20))):
        sender = draw(st.sampled_from(senders))
        sender._next_srtcp_index += draw(
            st.sampled_from([0, 0, 1, 70, -3 if sender._next_srtcp_index > 3 else 0])
        )
        ssrc, size = draw(st.sampled_from([7, 9])), draw(st.sampled_from([0, 20, 44]))
        packet = sender.protect_rtcp(bytes([0x80, 200, 0, 1]) + ssrc.to_bytes(4) + bytes(size))
        at = draw(st.integers(0, len(packet) - 1))
        changed = packet[:at] + bytes([packet[at] ^ 1 << draw(st.integers(0, 7))]) + packet[at + 1 :]
        arrived += draw(
            st.sampled_from([[packet], [packet], [packet, packet], [changed, packet], [packet[:at]]])
        )
    return profile, options, arrived


@settings(FIXTURE, max_examples=50)
@given(reports(), st.booleans())
def test_srtcp_too(unprotect, drawn, negotiated):
    profile, options, arrived = drawn
    options["negotiated_e_bit"] = negotiated
    key, salt = bytes(range(profile.key_length)), bytes(profile.salt_length)
    expected = one_by_one(Session(profile, key, salt, **options).unprotect_rtcp, arrived)
    found = unprotect(profile, key, salt, arrived, rtcp=True, **options)
    assert [(reason, found[i]) for i, reason in enumerate(found.reason)] == expected


# --- what a capture has -------------------------------------------------------------------------------------


@ALL
def test_many_packets_of_few_shapes(name, master, session, rtp, unprotect):
    """Matrices of more than a cache's worth of packets, rare shapes between them, a forgery in each."""
    sizes = [160 if n % 100 else n % 77 for n in range(1600)]
    sender, plain = (
        session(name),
        [rtp(65000 + n, payload=bytes([n % 251]) * size) for n, size in enumerate(sizes)],
    )
    sealed = [sender.protect(packet) for packet in plain]
    for position in (3, 800, 1599):
        sealed[position] = sealed[position][:-1] + bytes([sealed[position][-1] ^ 1])
    found = unprotect(*master(name), sealed)
    failed = np.flatnonzero(found.reason == Reason.AUTHENTICATION_FAILED).tolist()
    assert failed == [3, 800, 1599]
    assert [found[i] for i in range(1600)] == [b"" if i in failed else p for i, p in enumerate(plain)]


@FAMILIES
def test_unencrypted_and_unauthenticated_streams(name, master, session, rtp, unprotect):
    for options in ({"unencrypted_srtp": True}, {"unauthenticated_srtp": True}):
        if "unauthenticated_srtp" in options and name.startswith("AEAD"):
            continue
        sender, plain = session(name, **options), [rtp(n) for n in range(20)]
        assert list(unprotect(*master(name), [sender.protect(p) for p in plain], **options)) == plain


def test_a_wrong_key_opens_nothing_and_leaves_nothing(session, rtp, unprotect):
    sealed = [session().protect(rtp(n)) for n in range(50)]
    found = unprotect("AES_CM_128_HMAC_SHA1_80", bytes(16), bytes(14), sealed)
    assert set(found.reason.tolist()) == {Reason.AUTHENTICATION_FAILED}
    assert not found.octets.any()


@pytest.mark.parametrize("rounds", [0, 4])
def test_what_opens_nothing_leaves_no_state(rounds, session, rtp, monkeypatch):
    monkeypatch.setattr(order, "_ROUNDS", rounds)
    receiver = bulk.Receiver("AES_CM_128_HMAC_SHA1_80", bytes(16), bytes(14))
    receiver.unprotect(*lay([session().protect(rtp(n)) for n in range(5)]))
    assert receiver.states == {}


def test_a_roc_for_each_ssrc(master, session, rtp, unprotect):
    plain = [rtp(n, ssrc=ssrc) for n in range(10) for ssrc in (7, 9)]
    seven, nine = session(roc=3), session()
    sealed = [(seven if packet[11] == 7 else nine).protect(packet) for packet in plain]
    assert list(unprotect(*master("AES_CM_128_HMAC_SHA1_80"), sealed, roc={7: 3})) == plain
    assert not unprotect(*master("AES_CM_128_HMAC_SHA1_80"), sealed, roc={7: 4, 9: 1}).ok.any()


@FAMILIES
def test_the_rocs_of_a_capture_that_begins_in_mid_stream(name, master, session, rtp, unprotect):
    plain, rocs = [], {7: 12, 8: 0, 9: 700}
    for ssrc, first in ((7, 100), (8, 5), (9, 65535)):
        plain += [rtp(n, ssrc=ssrc) for n in range(first, first + 4)]
    senders = {ssrc: session(name, roc=roc) for ssrc, roc in rocs.items()}
    sealed = [senders[packet[11]].protect(packet) for packet in plain]
    sealed[8] = sealed[8][:-1] + bytes([sealed[8][-1] ^ 1])  # the first of SSRC 9: the next tells
    candidate, found_rocs = Candidate(*master(name)), rocs | {9: 701}
    assert bulk.find_rocs(candidate, *lay(sealed)) == found_rocs
    assert bulk.find_rocs(candidate, *lay(sealed), rocs=range(100)) == {7: 12, 8: 0}
    assert bulk.find_rocs(candidate, *lay(sealed), tries=1) == {7: 12, 8: 0}
    found = unprotect(*master(name), sealed, roc=found_rocs)
    assert np.flatnonzero(~found.ok).tolist() == [8]


def test_any_buffer_will_do(tmp_path, master, session, rtp):
    sealed = [session().protect(rtp(n)) for n in range(3)]
    data, start, length = lay(sealed)
    path = tmp_path / "octets"
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for buffer in (data, bytearray(data), memoryview(data), mapped, np.memmap(path, np.uint8, "r")):
            args = *master("AES_CM_128_HMAC_SHA1_80"), buffer, start.tolist(), length.tolist()
            assert list(bulk.unprotect(*args)) == [rtp(n) for n in range(3)]
            del buffer


@pytest.mark.parametrize("over", [0, 1])
def test_there_is_key_stream_for_a_mebibyte(over, master, session, rtp, unprotect):
    packets = [session().protect(rtp(n)) for n in range(9)] + [
        rtp(9, payload=bytes((1 << 20) + over)) + bytes(10)
    ]
    receiver = session()
    expected = [reason for reason, _ in one_by_one(receiver.unprotect, packets)]
    assert unprotect(*master("AES_CM_128_HMAC_SHA1_80"), packets).reason.tolist() == expected
    assert expected[-1] == (Reason.REFUSED if over else Reason.AUTHENTICATION_FAILED)


def test_no_packets_give_nothing(master):
    found = bulk.unprotect(*master("AEAD_AES_128_GCM"), b"", [], [])
    assert (len(found), list(found), found.octets.size) == (0, [], 0)


@pytest.mark.parametrize(
    ("start", "length"), [([0], [5]), ([-1], [2]), ([3], [2]), ([0], [-1]), ([0, 1], [1]), ([[0]], [[1]])]
)
def test_places_outside_the_octets_are_refused(start, length, master):
    with pytest.raises(Malformed, match="start and length"):
        bulk.unprotect(*master("AES_CM_128_HMAC_SHA1_80"), b"abcd", start, length)


def test_octets_of_another_kind_are_refused(master):
    with pytest.raises(Malformed, match="uint8"):
        bulk.unprotect(*master("AES_CM_128_HMAC_SHA1_80"), np.zeros(4, np.int64), [0], [4])
