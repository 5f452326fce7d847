"""SRTP opened: the tag chooses the key, whatever the sockets say."""

import base64
from typing import Any

import pytest

from imslab.capture import Capture, decryption, open_capture
from imslab.srtp import PROFILES, Session
from tests.capture.media_trace import ALICE, BOB, Datagram, call, packet, sdp, trace
from tests.capture.test_rtcp import receiver_report

CM = "AES_CM_128_HMAC_SHA1_80"
ONE, OTHER = bytes(range(30)), bytes(range(100, 130))


def text(master: bytes, profile: str = CM) -> str:
    return f"{profile}:{base64.b64encode(master).decode()}"


def session(master: bytes = ONE, profile: str = CM, **options: Any) -> Session:
    length = next(one.key_length for one in PROFILES if one.name == profile)
    return Session(profile, master[:length], master[length:], **options)


def protected(
    count: int = 12,
    *,
    using: Session | None = None,
    start: int = 0,
    ssrc: int = 1,
    at: float = 0.0,
    **ends: Any,
) -> list[Datagram]:
    """Return packets whose media say their number."""
    using = session() if using is None else using
    source, target = ends.get("source", ALICE), ends.get("target", BOB)
    return [
        (
            at + i * 0.02,
            source,
            target,
            using.protect(
                packet(start + i, (start + i) * 160, ssrc=ssrc, payload=b"media %06d" % (start + i))
            ),
        )
        for i in range(count)
    ]


def media(capture: Capture, which: int = 0) -> list[bytes]:
    """Return the media of the packets that were opened."""
    packets = capture.stream(which).packets
    places = zip(packets.start.tolist(), packets.size.tolist(), packets.opened.tolist(), strict=True)
    return [capture.index.data[start : start + size] for start, size, opened in places if opened]


@pytest.mark.parametrize("profile", [profile.name for profile in PROFILES])
def test_every_profile(profile: str) -> None:
    master = bytes(range(next(one.master_length for one in PROFILES if one.name == profile)))
    octets = trace(protected(using=session(master, profile)))
    capture = open_capture(octets, srtp=text(master, profile))
    assert (capture.rtp[0].encrypted, capture.rtp[0].decrypted) == ("srtp", 12)
    assert media(capture) == [b"media %06d" % i for i in range(12)]


def test_the_tag_chooses_among_keys() -> None:
    octets = trace([*protected(ssrc=1), *protected(ssrc=2, using=session(OTHER))])
    assert [s.decrypted for s in open_capture(octets, srtp=[text(OTHER), text(ONE)]).rtp] == [12, 12]
    assert sorted(s.decrypted for s in open_capture(octets, srtp=text(OTHER)).rtp) == [0, 12]


def test_a_wrong_key_opens_nothing_and_says_nothing() -> None:
    (found,) = open_capture(trace(protected()), srtp=text(OTHER)).rtp
    assert (found.decrypted, found.encrypted) == (0, None)


def test_a_call_moves_to_another_socket() -> None:
    using = session()
    moved = protected(6, using=using, start=6, at=1.0, source=("192.0.2.7", 9))
    capture = open_capture(trace([*protected(6, using=using), *moved]), srtp=text(ONE))
    assert [found.decrypted for found in capture.rtp] == [6, 6]


def test_a_new_key_in_mid_stream() -> None:
    later = protected(12, using=session(OTHER), start=12, at=1.0)
    capture = open_capture(trace([*protected(), *later]), srtp=[text(ONE), text(OTHER)])
    assert capture.rtp[0].decrypted == 24
    assert media(capture) == [b"media %06d" % i for i in range(24)]


def test_the_sequence_number_wraps() -> None:
    capture = open_capture(trace(protected(20, start=65_530)), srtp=text(ONE))
    assert capture.rtp[0].decrypted == 20


@pytest.mark.parametrize("roc", [1, 15])
def test_a_capture_that_began_after_a_wrap(roc: int) -> None:
    capture = open_capture(trace(protected(using=session(roc=roc), start=100)), srtp=text(ONE))
    assert capture.rtp[0].decrypted == 12


def test_forged_packets_stay_closed() -> None:
    datagrams = protected()
    forged = [
        (at, s, t, octets[:-1] + bytes([octets[-1] ^ 1])) if i in (0, 1, 5) else (at, s, t, octets)
        for i, (at, s, t, octets) in enumerate(datagrams)
    ]
    capture = open_capture(trace(forged), srtp=text(ONE))
    assert capture.rtp[0].decrypted == 9
    assert b"media %06d" % 5 not in media(capture)


def test_a_packet_that_was_captured_twice_is_opened_twice() -> None:
    datagrams = protected()
    capture = open_capture(trace([one for one in datagrams for _ in range(2)]), srtp=text(ONE))
    assert (capture.rtp[0].decrypted, capture.rtp[0].duplicates) == (24, 12)
    assert media(capture)[:4] == [b"media 000000", b"media 000000", b"media 000001", b"media 000001"]


def test_a_replayed_packet_that_was_changed_stays_closed() -> None:
    datagrams = protected()
    at, source, target, octets = datagrams[3]
    changed = octets[:20] + b"x" + octets[21:]
    capture = open_capture(trace([*datagrams, (1.0, source, target, changed)]), srtp=text(ONE))
    assert (capture.rtp[0].decrypted, len(capture.rtp[0])) == (12, 13)


def test_padding_is_inside_what_is_encrypted() -> None:
    using = session()
    octets = [using.protect(packet(i, i * 160, first=0xA0, payload=b"media\0\0\3")) for i in range(5)]
    capture = open_capture(
        trace([(i * 0.02, ALICE, BOB, one) for i, one in enumerate(octets)]), srtp=text(ONE)
    )
    assert media(capture) == [b"media"] * 5


def test_header_extensions_stay_where_they_are() -> None:
    using = session()
    rest = b"\xbe\xde\0\1" + b"\x10\xff\0\0"
    octets = [using.protect(packet(i, i * 160, first=0x90, rest=rest, payload=b"media")) for i in range(5)]
    capture = open_capture(
        trace([(i * 0.02, ALICE, BOB, one) for i, one in enumerate(octets)]), srtp=text(ONE)
    )
    assert media(capture) == [b"media"] * 5


def test_keys_of_the_signalling() -> None:
    """Each end sends with the key in its own description."""
    lines = {
        end: f"crypto:1 {CM} inline:{base64.b64encode(master).decode()}"
        for end, master in ((ALICE, ONE), (BOB, OTHER))
    }
    offer, answered = (sdp(end, "0", lines[end], protocol="RTP/SAVP") for end in (ALICE, BOB))
    back = protected(using=session(OTHER), at=2.0, source=BOB, target=ALICE, ssrc=2)
    capture = open_capture(trace([*call(offer, answered), *protected(at=2.0), *back]))
    assert [found.decrypted for found in capture.rtp] == [12, 12]
    origins = {key.origin for key in capture.whole.srtp_keys}
    assert origins == {"SDES, frame 1", "SDES, frame 3"}


def test_a_crypto_line_that_breaks_a_rule_is_a_warning_without_the_key() -> None:
    secret = base64.b64encode(b"\xfa" * 29).decode()
    offer = sdp(ALICE, "0", f"crypto:1 {CM} inline:{secret}", protocol="RTP/SAVP")
    capture = open_capture(trace([*call(offer), *protected(at=2.0)]))
    assert capture.rtp == [] or capture.rtp[0].decrypted == 0
    (warning,) = [one for one in capture.warnings if "a=crypto" in one]
    assert secret[:8] not in warning


def test_mki_and_session_parameters_of_the_signalling() -> None:
    line = f"crypto:1 {CM} inline:{base64.b64encode(ONE).decode()}|2^20|1:4 UNENCRYPTED_SRTCP"
    offer = sdp(ALICE, "0", line, protocol="RTP/SAVP")
    using = session(mki=b"\0\0\0\1")
    capture = open_capture(trace([*call(offer), *protected(using=using, at=2.0)]))
    assert capture.rtp[0].decrypted == 12


def test_a_suite_that_nobody_knows_is_passed_over() -> None:
    line = "crypto:1 F8_128_HMAC_SHA1_80 inline:" + base64.b64encode(ONE).decode()
    capture = open_capture(trace([*call(sdp(ALICE, "0", line, protocol="RTP/SAVP")), *protected(at=2.0)]))
    assert capture.whole.srtp_keys == []


def test_srtcp() -> None:
    using = session()
    reports = [(0.5 + i, ALICE, BOB, using.protect_rtcp(receiver_report(i))) for i in range(3)]
    forged = (4.0, ALICE, BOB, using.protect_rtcp(receiver_report(1))[:-1] + b"\0")
    octets = trace([*protected(using=using), *reports, forged])
    assert [one.is_srtcp for one in open_capture(octets).rtcp] == [True] * 4
    assert [one.is_srtcp for one in open_capture(octets, srtp=text(ONE)).rtcp] == [False] * 3 + [True]


def test_the_number_of_trials_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decryption, "_MOST_TRIALS", 3)
    octets = trace([one for ssrc in range(1, 6) for one in protected(4, ssrc=ssrc)])
    capture = open_capture(octets, srtp=text(OTHER))
    assert [found.decrypted for found in capture.rtp] == [0] * 5
    assert sum("trials of keys" in warning for warning in capture.warnings) == 1


def test_a_part_shows_what_the_whole_opened() -> None:
    capture = open_capture(trace(protected()), srtp=text(ONE)).between(0.09, 0.15)
    assert (len(capture.rtp[0]), capture.rtp[0].decrypted) == (3, 3)
