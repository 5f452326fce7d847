"""Offer and answer: RFC 3264, and RFC 4317's examples of it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.errors import CallFailed, Malformed
from imslab.sip.offer import (
    ANSWERS,
    DIRECTIONS,
    Capabilities,
    Negotiation,
    Stream,
    answer,
    check_answer,
    check_offer,
    codecs,
    direction,
    held,
    is_held,
    mirrored,
    narrowed,
    only_redirects,
    resumed,
)
from imslab.sip.sdp import Connection, Origin, RtpMap, SessionDescription

HEAD = "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO, VIDEO = "m=audio 4000 RTP/AVP 0 8 97", "m=video 4002 RTP/AVP 31 32"
ILBC = "a=rtpmap:97 iLBC/8000"


def sdp(*lines, head=HEAD):
    return SessionDescription.parse(head + "".join(f"{line}\r\n" for line in lines))


def octets(*lines):
    return bytes(sdp(*lines))


# -- which answers fit ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "reply"),
    [
        ([AUDIO, ILBC], ["m=audio 9 RTP/AVP 0"]),
        ([AUDIO, ILBC], ["m=audio 9 RTP/AVP 99", "a=rtpmap:99 ilbc/8000"]),  # another number, the same codec
        ([AUDIO, VIDEO], ["m=audio 9 RTP/AVP 8", "m=video 0 RTP/AVP 31"]),
        ([AUDIO, VIDEO], ["m=audio 0 RTP/AVP 99", "m=video 9 RTP/AVP 31"]),
        (["m=audio 0 RTP/AVP 0"], ["m=audio 0 RTP/AVP 0"]),
        (["m=video 0 RTP/AVP 31", "a=bundle-only"], ["m=video 9 RTP/AVP 31"]),
        (
            ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"],
            ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"],
        ),
        ([AUDIO, "a=sendonly"], ["m=audio 9 RTP/AVP 0", "a=recvonly"]),
        ([], []),
    ],
)
def test_what_answers(offer, reply):
    check_answer(sdp(*offer), sdp(*reply))


@pytest.mark.parametrize(
    ("offer", "reply", "why"),
    [
        ([AUDIO, VIDEO], ["m=audio 9 RTP/AVP 0"], "1 m= lines to an offer with 2"),
        ([AUDIO], ["m=audio 9 RTP/AVP 0", VIDEO], "2 m= lines to an offer with 1"),
        ([AUDIO, VIDEO], ["m=video 9 RTP/AVP 31", "m=audio 9 RTP/AVP 0"], "m= line 1 answers video"),
        ([AUDIO], ["m=audio 9 RTP/SAVP 0"], "answers audio RTP/SAVP"),
        (["m=audio 0 RTP/AVP 0"], ["m=audio 9 RTP/AVP 0"], "was not offered"),
        ([AUDIO, ILBC], ["m=audio 9 RTP/AVP 3"], "no codec of the offer"),
        ([AUDIO, ILBC], ["m=audio 9 RTP/AVP 97", "a=rtpmap:97 opus/48000/2"], "no codec of the offer"),
        ([AUDIO, "a=sendonly"], ["m=audio 9 RTP/AVP 0"], "answers sendrecv to sendonly"),
        ([AUDIO, "a=inactive"], ["m=audio 9 RTP/AVP 0", "a=sendonly"], "answers sendonly to inactive"),
    ],
)
def test_what_does_not(offer, reply, why):
    with pytest.raises(Malformed, match=why):
        check_answer(sdp(*offer), sdp(*reply))


@pytest.mark.parametrize("asked", DIRECTIONS)
@pytest.mark.parametrize("given_", DIRECTIONS)
def test_every_pair_of_directions(asked, given_):
    """RFC 3264, 6.1: who is sent to may not send alone."""
    fits = given_ in ANSWERS[asked]
    offer, reply = sdp(AUDIO, f"a={asked}"), sdp("m=audio 9 RTP/AVP 0", f"a={given_}")
    if fits:
        check_answer(offer, reply)
    else:
        with pytest.raises(Malformed, match="answers"):
            check_answer(offer, reply)
    sends, receives = given_ in ("sendrecv", "sendonly"), given_ in ("sendrecv", "recvonly")
    possible = asked in ("sendrecv", "recvonly"), asked in ("sendrecv", "sendonly")
    assert fits is (sends <= possible[0] and receives <= possible[1])


@pytest.mark.parametrize("ours", DIRECTIONS)
@pytest.mark.parametrize("asked", DIRECTIONS)
def test_what_we_want_is_narrowed_to_what_may_be_answered(ours, asked):
    way = narrowed(ours, asked)
    assert way in ANSWERS[asked]
    assert narrowed(way, asked) == way
    assert narrowed("sendrecv", asked) == ANSWERS[asked][0]


def test_the_direction_of_a_session_counts_for_its_media():
    description = sdp("a=sendonly", AUDIO, VIDEO, "a=inactive", head=HEAD)
    assert [direction(description, media) for media in description.media] == ["sendonly", "inactive"]
    assert direction(sdp(AUDIO), sdp(AUDIO).media[0]) == "sendrecv"


def test_sections_are_added_and_never_taken_away():
    check_offer(sdp(AUDIO, VIDEO), sdp(AUDIO))
    with pytest.raises(Malformed, match="1 m= lines after one with 2"):
        check_offer(sdp(AUDIO), sdp(AUDIO, VIDEO))
    with pytest.raises(Malformed):
        check_offer(sdp(AUDIO, "a=rtpmap:97"))


def test_codecs():
    found = codecs(sdp("m=audio 9 RTP/AVP 0 97 98 99", ILBC, "a=rtpmap:98 OPUS/48000/2").media[0])
    assert found == {
        ("pcmu", 8000, 1): "0",
        ("ilbc", 8000, 1): "97",
        ("opus", 48000, 2): "98",
        ("99", 0, 1): "99",
    }


@pytest.mark.parametrize(
    ("payload_type", "encoding", "rate"),
    [
        ("0", "pcmu", 8000), ("3", "gsm", 8000), ("8", "pcma", 8000), ("9", "g722", 8000),
        ("18", "g729", 8000), ("26", "jpeg", 90000), ("31", "h261", 90000), ("34", "h263", 90000),
    ],
)  # fmt: skip
def test_payload_types_that_need_no_rtpmap(payload_type, encoding, rate):
    """RFC 3551, tables 4 and 5; G722 says 8000 there, for a reason."""
    description = sdp(f"m=audio 9 RTP/AVP {payload_type}")
    assert codecs(description.media[0]) == {(encoding, rate, 1): payload_type}


# -- what an endpoint answers ---------------------------------------------------------------------


PCMU, PCMA, OPUS = RtpMap("PCMU", 8000), RtpMap("PCMA", 8000), RtpMap("opus", 48000, 2)
PHONE = Capabilities(
    Origin("bob", "2", "1", "IN", "IP4", "192.0.2.2"),
    Connection("IN", "IP4", "192.0.2.2"),
    {"audio": Stream(5000, (PCMA, PCMU, OPUS))},
)


def test_an_answer():
    reply = answer(sdp(AUDIO, ILBC, VIDEO), PHONE)
    check_answer(sdp(AUDIO, ILBC, VIDEO), reply)
    sound, picture = reply.media
    assert (sound.port, sound.formats, sound.direction) == (5000, ("8", "0"), "sendrecv")
    assert sound.rtpmap == {"8": PCMA, "0": PCMU}
    assert (picture.port, picture.formats) == (0, ("31", "32"))
    assert SessionDescription.parse(bytes(reply)) == reply


def test_the_offers_numbers_are_used():
    reply = answer(sdp("m=audio 9 RTP/AVP 111", "a=rtpmap:111 opus/48000/2"), PHONE)
    assert reply.media[0].formats == ("111",) and reply.media[0].get("rtpmap") == "111 opus/48000/2"


@pytest.mark.parametrize(("offered", "given_"), [(way, ANSWERS[way][0]) for way in DIRECTIONS])
def test_the_answer_has_a_direction_that_fits(offered, given_):
    assert answer(sdp(AUDIO, f"a={offered}"), PHONE).media[0].direction == given_


def test_one_stream_of_a_kind():
    reply = answer(sdp(AUDIO, AUDIO), PHONE)
    assert [media.port for media in reply.media] == [5000, 0]


@pytest.mark.parametrize(
    "lines",
    [
        ["m=audio 9 RTP/AVP 3"], ["m=audio 9 RTP/SAVP 0"], ["m=audio 0 RTP/AVP 0"], [VIDEO], [],
    ],
)  # fmt: skip
def test_nothing_in_common(lines):
    with pytest.raises(CallFailed, match="no media in common") as caught:
        answer(sdp(*lines), PHONE)
    assert caught.value.status == 488


# -- hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [("sendrecv", "sendonly"), ("recvonly", "inactive"), ("sendonly", "sendonly"), ("inactive", "inactive")],
)
def test_hold(before, after):
    """RFC 3264, 8.4."""
    old = sdp(AUDIO, f"a={before}", VIDEO, f"a={before}")
    new = held(old)
    assert [media.direction for media in new.media] == [after, after]
    assert int(new.origin.session_version) == int(old.origin.session_version) + 1
    assert only_redirects(new, old) and is_held(new)
    assert [media.direction for media in resumed(new).media] == ["sendrecv", "sendrecv"]
    assert not is_held(resumed(new))


def test_a_hold_that_stood_in_the_session():
    new = resumed(sdp("a=sendonly", AUDIO))
    assert new.direction is None and new.media[0].direction == "sendrecv"


def test_nothing_to_hold():
    assert not is_held(sdp()) and not is_held(sdp("m=audio 0 RTP/AVP 0", "a=sendonly"))


def test_what_changes_more_than_directions():
    old = sdp(AUDIO, ILBC)
    assert not only_redirects(sdp("m=audio 4004 RTP/AVP 0 8 97", ILBC), old)
    assert not only_redirects(sdp(AUDIO), old)
    assert only_redirects(sdp(AUDIO, ILBC, "a=inactive"), old)


def test_the_answer_to_a_hold_is_what_we_said_turned_around():
    mine = sdp("m=audio 9 RTP/AVP 0", "a=sendrecv")
    reply = mirrored(mine, held(sdp(AUDIO)))
    assert reply.media[0].direction == "recvonly" and reply.origin.session_version == "2"
    check_answer(held(sdp(AUDIO)), reply)
    with pytest.raises(Malformed, match="other m= lines"):
        mirrored(mine, sdp(AUDIO, VIDEO))


def test_a_version_that_is_no_number():
    with pytest.raises(Malformed, match="version of o="):
        held(SessionDescription.parse(HEAD.replace("alice 1 1", "alice 1 x") + f"{AUDIO}\r\n"))


# -- whose turn it is -----------------------------------------------------------------------------


def test_an_offer_and_its_answer():
    mine, theirs = Negotiation(offered=octets(AUDIO)), Negotiation(asked=octets(AUDIO))
    assert mine.is_pending and theirs.is_pending
    reply = octets("m=audio 9 RTP/AVP 0")
    theirs.answer(reply)
    mine.take_answer(reply)
    assert (mine.local, mine.remote) == (theirs.remote, theirs.local) == (octets(AUDIO), reply)
    assert not mine.is_pending and not theirs.is_pending


def test_no_second_offer_before_the_answer():
    """RFC 3264, 4."""
    for one in (Negotiation(offered=octets(AUDIO)), Negotiation(asked=octets(AUDIO))):
        for act in (one.offer, one.take_offer):
            with pytest.raises(CallFailed, match="pending") as caught:
                act(octets(AUDIO))
            assert caught.value.status == 491


def test_no_answer_without_an_offer():
    one = Negotiation()
    for act in (one.answer, one.take_answer):
        with pytest.raises(Malformed, match="to no offer"):
            act(octets(AUDIO))


def test_what_does_not_answer_leaves_all_as_it_was():
    one = Negotiation(offered=octets(AUDIO))
    with pytest.raises(Malformed):
        one.take_answer(octets())
    assert one.offered == octets(AUDIO) and one.remote == b""


def test_a_refused_change_leaves_the_session():
    one = Negotiation(offered=octets(AUDIO))
    one.take_answer(octets("m=audio 9 RTP/AVP 0"))
    for change in (one.offer, one.take_offer):
        change(octets(AUDIO, VIDEO))
        one.withdraw()
    assert (one.local, one.remote) == (octets(AUDIO), octets("m=audio 9 RTP/AVP 0"))
    with pytest.raises(Malformed, match="0 m= lines"):
        one.offer(octets())
    assert not one.is_pending


@pytest.mark.parametrize("broken", [b"v=1\r\n", b"\xff\xfe", b"v=0\r\n"])
def test_what_is_no_description(broken):
    for make in (lambda: Negotiation(offered=broken), lambda: Negotiation(asked=broken)):
        with pytest.raises(Malformed):
            make()


LINES = st.sampled_from(
    [
        AUDIO, VIDEO, ILBC, "a=sendonly", "a=recvonly", "a=inactive", "m=audio 0 RTP/AVP 0", "m=x 1 y z",
        "a=rtpmap:0 x/1/2", "a=rtpmap", "a=fmtp:97 x", "c=IN IP4 1.2.3.4", "a=bundle-only",
        "m=audio 9 RTP/AVP \xff",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=6), st.binary(max_size=40))
def test_only_malformed_comes_out(offer, reply, noise):
    head = HEAD.encode()
    first, second = (head + "\r\n".join([*one, ""]).encode("latin-1") for one in (offer, reply))
    for a, b in ((first, second), (first, noise), (noise, second), (first + noise, second)):
        with suppress(Malformed):
            one = Negotiation(offered=a)
            one.take_answer(b)
        with suppress(Malformed, CallFailed):
            bytes(answer(SessionDescription.parse(a), PHONE))
        with suppress(Malformed):
            bytes(mirrored(SessionDescription.parse(a), held(SessionDescription.parse(b))))
