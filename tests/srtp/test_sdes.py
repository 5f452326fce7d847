"""SDES: crypto lines of RFC 4568, what breaks its rules, offers and answers."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imslab.data import vectors
from imslab.errors import Malformed, SrtpError
from imslab.srtp import PROFILES, Profile
from imslab.srtp.sdes import Crypto, InlineKey, SessionParameters, answer, check_answer, choose

VECTORS = vectors("srtp")["vectors"]
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
OTHER = "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"
SUITE = "AES_CM_128_HMAC_SHA1_80"
LINE = f"1 {SUITE} inline:{KEY}"


def by_kind(kind):
    found = [v for v in VECTORS if v["kind"] == kind]
    return pytest.mark.parametrize("v", found, ids=[v["id"] for v in found])


@by_kind("sdes_inline")
def test_inline_keys_of_rfc_4568(v):
    crypto = Crypto.parse(f"1 {SUITE} {v['inline']}")
    (key,) = crypto.keys
    assert key.key.hex() == v["master_key"] + v["master_salt"]
    assert (key.lifetime, key.mki.hex()) == (v["lifetime"], v["mki_bytes"] or "")
    assert str(crypto) == f"1 {SUITE} {v['inline']}"
    assert crypto.profile is Profile.named(SUITE)


@by_kind("sdes_inline_negative")
def test_inline_keys_that_break_a_rule(v):
    with pytest.raises(Malformed) as caught:
        Crypto.parse(f"1 {SUITE} {v['inline']}")
    assert KEY[:20] not in str(caught.value)


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_each_suite_has_its_length(profile):
    right = base64.b64encode(bytes(profile.master_length)).decode()
    assert Crypto.parse(f"1 {profile.name} inline:{right}").keys[0].key == bytes(profile.master_length)
    assert Crypto.parse(f"1 {profile.name} inline:{right.rstrip('=')}").profile is profile
    for wrong in (profile.master_length - 1, profile.master_length + 1, 0):
        text = base64.b64encode(bytes(wrong)).decode()
        with pytest.raises(
            Malformed, match=f"{wrong} octets for {profile}; expected {profile.master_length}"
        ):
            Crypto.parse(f"1 {profile.name} inline:{text}")


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("KDR=1", SessionParameters(kdr=2)),
        ("KDR=24", SessionParameters(kdr=1 << 24)),
        ("UNENCRYPTED_SRTP", SessionParameters(unencrypted_srtp=True)),
        ("UNENCRYPTED_SRTCP", SessionParameters(unencrypted_srtcp=True)),
        ("UNAUTHENTICATED_SRTP", SessionParameters(unauthenticated_srtp=True)),
        ("FEC_ORDER=FEC_SRTP", SessionParameters(fec_order="FEC_SRTP")),
        ("FEC_ORDER=SRTP_FEC", SessionParameters(fec_order="SRTP_FEC")),
        (
            f"FEC_KEY=inline:{OTHER}|2^20",
            SessionParameters(fec_keys=(InlineKey.parse(f"inline:{OTHER}|2^20"),)),
        ),
        ("WSH=64", SessionParameters(window=64)),
        ("-NEW=1", SessionParameters(others=("-NEW=1",))),
        ("NEW", SessionParameters(others=("NEW",))),
        ("KDR=2 UNENCRYPTED_SRTCP WSH=128 -x", SessionParameters(4, False, True, False, 128, others=("-x",))),
    ],
)
def test_session_parameters(text, parameters):
    crypto = Crypto.parse(f"{LINE} {text}")
    assert crypto.parameters == parameters
    assert str(crypto) == f"{LINE} {text}"


@pytest.mark.parametrize(
    "text",
    [
        "KDR=0", "KDR=25", "KDR=01", "KDR", "KDR=x", "KDR=1 KDR=1", "UNENCRYPTED_SRTP=1", "FEC_ORDER=x",
        "FEC_ORDER", "FEC_KEY=inline:AAAA", "WSH=63", "WSH=064", "WSH=", "UNENCRYPTED_SRTP UNENCRYPTED_SRTP",
        "a*b", "=1", "-=",
    ],
)  # fmt: skip
def test_session_parameters_that_break_a_rule(text):
    with pytest.raises(Malformed):
        Crypto.parse(f"{LINE} {text}")


@pytest.mark.parametrize(
    "text",
    [
        "", "1", f"1 {SUITE}", f"x {SUITE} inline:{KEY}", f"-1 {SUITE} inline:{KEY}",
        f"{10**9} {SUITE} inline:{KEY}",
        f"1 AES-CM inline:{KEY}", f"1 {SUITE} outline:{KEY}", f"1 {SUITE} {KEY}", f"1 {SUITE} inline:",
        f"1 {SUITE} inline:!{KEY[1:]}", f"1 {SUITE} inline:{KEY}|0", f"1 {SUITE} inline:{KEY}|2^0",
        f"1 {SUITE} inline:{KEY}|-1", f"1 {SUITE} inline:{KEY}|2^20|1:4|5", f"1 {SUITE} inline:{KEY}|1:0",
        f"1 {SUITE} inline:{KEY}|256:1", f"1 {SUITE} inline:{KEY}|1:4|2^20", f"1 {SUITE} inline:{KEY}|",
        f"1 {SUITE} inline:{KEY};inline:{OTHER}", f"1 {SUITE} inline:{KEY}|1:4;inline:{OTHER}|1:4",
        f"1 {SUITE} inline:{KEY}|1:4;inline:{OTHER}|2:2", f"1 {SUITE} inline:{KEY}|1:4;", "1 " + "A" * 20_000,
        f"1 {SUITE} " + ";".join(f"inline:{KEY}|{n}:4" for n in range(65)),
        f"1 {SUITE} inline:{KEY}|{'9' * 4000}",
    ],
    ids=lambda text: text[:60] or "empty",
)  # fmt: skip
def test_lines_that_break_a_rule(text):
    with pytest.raises(Malformed) as caught:
        Crypto.parse(text)
    assert len(str(caught.value)) < 200
    assert KEY not in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=200) | st.text("0123456789 |:;=inleKDRWSH^/+A", max_size=120).map(LINE.__add__))
def test_any_text_is_read_or_malformed(text):
    try:
        crypto = Crypto.parse(text)
    except Malformed:
        return
    assert Crypto.parse(str(crypto)) == crypto


def test_several_keys_are_told_apart_by_mki(rtp):
    crypto = Crypto.parse(f"1 {SUITE} inline:{KEY}|2^20|1:4;inline:{OTHER}|2^20|2:4")
    first, second = crypto.session(), crypto.session(mki=b"\0\0\0\2")
    assert first.protect(rtp(1))[-14:-10] == b"\0\0\0\1"
    assert second.protect(rtp(1))[-14:-10] == b"\0\0\0\2"
    with pytest.raises(SrtpError, match="MKI"):
        crypto.session(mki=b"\0\0\0\3")
    with pytest.raises(SrtpError, match="MKI 00000002"):
        first.unprotect(second.protect(rtp(2)))


def test_a_line_becomes_a_session_with_its_parameters(rtp, rtcp):
    crypto = Crypto.parse(f"{LINE} KDR=2 UNENCRYPTED_SRTCP WSH=256")
    session = crypto.session()
    context = session.context
    assert (context.kdr, context.window, context.encrypts_rtcp) == (4, 256, False)
    assert context.master_key + context.master_salt == base64.b64decode(KEY)
    assert session.unprotect(session.protect(rtp(5))) == rtp(5)
    with pytest.raises(SrtpError, match="E bit"):
        session.unprotect_rtcp(Crypto.parse(f"{LINE} KDR=2").session().protect_rtcp(rtcp()))
    assert crypto.session(window=64, roc=3).context.window == 64


@pytest.mark.parametrize("text", ["2^48", str(1 << 48), "1"])
def test_a_lifetime_goes_to_2_to_the_48(text):
    (key,) = Crypto.parse(f"1 {SUITE} inline:{KEY}|{text}").keys
    assert key.lifetime in (1 << 48, 1)
    with pytest.raises(Malformed):
        Crypto.parse(f"1 {SUITE} inline:{KEY}|{(1 << 48) + 1}")


def test_a_line_has_an_end():
    filler = " ".join(f"-x{n}" for n in range(4000))
    assert Crypto.parse(f"{LINE} {filler}"[:16_384])
    with pytest.raises(Malformed, match="16385 characters"):
        Crypto.parse(f"{LINE} {filler}"[:16_385])


def test_a_window_that_is_too_large_is_a_hint():
    assert Crypto.parse(f"{LINE} WSH=100000").session().context.window == 32768


def test_a_lifetime_ends_a_session(rtp):
    sender = Crypto.parse(f"1 {SUITE} inline:{KEY}|2").session()
    sender.protect(rtp(1))
    sender.protect(rtp(2))
    with pytest.raises(SrtpError, match="lifetime"):
        sender.protect(rtp(3))


@pytest.mark.parametrize("text", [f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", f"{LINE} NEW=1"])
def test_what_is_not_known_here_makes_no_session(text):
    with pytest.raises(SrtpError, match="take another line"):
        Crypto.parse(text).session()


def test_an_extension_with_a_minus_may_be_ignored():
    assert Crypto.parse(f"{LINE} -NEW=1").session().profile is Profile.named(SUITE)


OFFER = [
    Crypto.parse(f"1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
    Crypto.parse(f"2 {SUITE} inline:{KEY} MUST_KNOW"),
    Crypto.parse(f"3 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
    Crypto.parse(f"4 {SUITE} inline:{KEY} UNENCRYPTED_SRTCP"),
]


def test_an_answer_takes_the_first_line_that_it_knows_whole():
    assert choose(OFFER) is OFFER[2]
    assert choose(OFFER, [SUITE]) is OFFER[3]
    with pytest.raises(SrtpError, match="no crypto suite in common: this end knows AEAD_AES_256_GCM"):
        choose(OFFER, ["AEAD_AES_256_GCM"])


def test_an_answer_repeats_tag_suite_and_session_parameters(rtp):
    ours = InlineKey(base64.b64decode(OTHER))
    made = answer(OFFER[3], ours)
    assert str(made) == f"4 {SUITE} inline:{OTHER} UNENCRYPTED_SRTCP"
    assert check_answer(OFFER, made) is OFFER[3]
    # Each end protects with the key that it wrote: offerer to answerer, and back.
    for writer in (OFFER[3], made):
        assert Crypto.parse(str(writer)).session().unprotect(writer.session().protect(rtp(1))) == rtp(1)


def test_an_answer_has_a_key_of_its_own():
    with pytest.raises(SrtpError, match="key of its own"):
        answer(OFFER[3], OFFER[3].keys[0])
    with pytest.raises(Malformed, match="29 octets"):
        answer(OFFER[3], InlineKey(bytes(29)))


@pytest.mark.parametrize("text", [f"3 {SUITE} inline:{OTHER}", f"5 {SUITE} inline:{OTHER}"])
def test_an_answer_to_no_offer_is_refused(text):
    with pytest.raises(SrtpError, match="no crypto line of the offer"):
        check_answer(OFFER, Crypto.parse(text))


def test_no_key_is_in_a_repr():
    shown = repr(Crypto.parse(f"{LINE} FEC_KEY=inline:{OTHER}"))
    octets = base64.b64decode(KEY), base64.b64decode(OTHER)
    assert KEY not in shown and OTHER not in shown
    assert all(repr(one)[2:20] not in shown for one in octets)
