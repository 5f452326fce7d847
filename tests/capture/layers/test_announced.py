"""Which sockets were announced for SRTP."""

from imslab.capture.layers import announced as singleton
from imslab.capture.layers.announced import _MOST_SOCKETS, Announced
from imslab.sip.sdp import SessionDescription

HERE, THERE = ("127.0.0.2", 4000), ("127.0.0.3", 5000)


def described(announced: Announced, *lines: str) -> None:
    body = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n" + "".join(
        f"{line}\r\n" for line in lines
    )
    announced.described(SessionDescription.parse(body))


def crypto(*suites: str) -> list[str]:
    return [f"a=crypto:{n} {suite} inline:x" for n, suite in enumerate(suites, 1)]


def test_a_suite() -> None:
    announced = Announced()
    described(announced, "m=audio 4000 RTP/SAVP 0", *crypto("AES_CM_128_HMAC_SHA1_32"))
    assert announced.tag(HERE) == announced.tag(THERE, HERE) == 4
    assert announced.tag(THERE) is announced.tag() is None


def test_the_answer_is_believed_more_than_the_offer() -> None:
    announced = Announced()
    described(announced, "m=audio 4000 RTP/SAVP 0", *crypto("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"))
    assert announced.tag(HERE) == 10
    described(announced, "m=audio 5000 RTP/SAVP 0", "c=IN IP4 127.0.0.3", *crypto("AEAD_AES_128_GCM"))
    assert announced.tag(HERE, THERE) == announced.tag(THERE, HERE) == 16


def test_the_handshake_says_it() -> None:
    announced = Announced()
    described(announced, "m=audio 4000 UDP/TLS/RTP/SAVPF 0")
    assert announced.tag(HERE) == 10
    announced.chosen(THERE, 7)
    assert announced.tag(HERE, THERE) == 16
    announced.chosen(THERE, 0x7777)
    assert announced.tag(THERE) is None


def test_unknown_suites_are_passed_over() -> None:
    announced = Announced()
    lines = ["a=crypto:1", "a=crypto:2 F8_128 inline:x", *crypto("AES_CM_128_HMAC_SHA1_32")]
    described(announced, "m=audio 4000 RTP/SAVP 0", *lines)
    assert announced.tag(HERE) == 4


def test_rtp_in_clear_takes_it_back_and_no_port_says_nothing() -> None:
    announced = Announced()
    described(announced, "m=audio 4000 RTP/SAVP 0", "m=video 0 RTP/SAVP 96")
    described(announced, "m=audio 4000 TCP/MSRP *")
    assert announced.tag(HERE) == 10 and announced.tag(("127.0.0.2", 0)) is None
    described(announced, "m=audio 4000 RTP/AVP 0")
    assert announced.tag(HERE) is None


def test_the_oldest_are_forgotten() -> None:
    announced = Announced()
    for number in range(_MOST_SOCKETS + 1):
        announced.chosen(("127.0.0.2", number), 1)
    assert announced.tag(("127.0.0.2", 0)) is None
    assert announced.tag(("127.0.0.2", 1)) == announced.tag(("127.0.0.2", _MOST_SOCKETS)) == 10
    announced.forget()
    assert announced.tag(("127.0.0.2", 1)) is None


def test_one_for_all() -> None:
    assert isinstance(singleton, Announced)
