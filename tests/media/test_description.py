"""Session descriptions that a WebRTC end must not choke on: answered, or refused with Malformed."""

import asyncio
import gc
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imslab.errors import ImslabError, Malformed
from imslab.media import WebRtcEndpoint

ALICE, BOB = "127.0.9.31", "127.0.9.32"


async def an_offer() -> str:
    alice = WebRtcEndpoint("alice", ALICE)
    try:
        return (await alice.offer()).decode()
    finally:
        await alice.close()


@pytest.fixture(scope="module")
def offer() -> Iterator[str]:
    text = asyncio.run(an_offer())
    gc.freeze()  # what is there now need not be looked at in each test
    yield text
    gc.unfreeze()


async def answered(octets: bytes) -> tuple[bytes | None, list[dict[str, Any]]]:
    """Return bob's answer, or None when he refused; and what the event loop had to complain of."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    bob, answer = WebRtcEndpoint("bob", BOB), None
    try:
        answer = await bob.answer(octets)
    except Malformed:
        pass
    finally:
        await bob.close()
    del bob
    gc.collect()  # a task whose exception nobody took complains when it is freed
    return answer, complaints


def changed(pattern: str, replacement: str) -> Any:
    return lambda text: re.sub(pattern, replacement, text)


BAD = {
    "nothing": lambda text: "",
    "no media": lambda text: text[: text.index("m=")],
    "no fingerprint": changed(r"a=fingerprint.*\r\n", ""),
    "an empty fingerprint": changed(r"a=fingerprint.*\r\n", "a=fingerprint:\r\n"),
    "only MD5": changed(r"a=fingerprint:\S+ .*\r\n", "a=fingerprint:md5 00:11\r\n"),
    "no setup": changed(r"a=setup.*\r\n", ""),
    "an unknown setup": changed(r"a=setup.*\r\n", "a=setup:maybe\r\n"),
    "no bundle": changed(r"a=group.*\r\n", ""),
    "a bundle of others": changed(r"a=group:BUNDLE 0 1", "a=group:BUNDLE 0 2"),
    "a bundle that names one twice": changed(r"a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 1"),
    "a bundle of nothing": changed(r"a=group:BUNDLE 0 1", "a=group:BUNDLE"),
    "two names for one": changed(r"a=mid:1", "a=mid:1\r\na=mid:2"),
    "one name for two": changed(r"a=mid:1", "a=mid:0"),
    "no ufrag": changed(r"a=ice-ufrag.*\r\n", ""),
    "no password": changed(r"a=ice-pwd.*\r\n", ""),
    "no rtcp-mux": changed(r"a=rtcp-mux\r\n", ""),
    "no codec": changed(r"a=rtpmap:\d+ \S+", "a=rtpmap:96 unknown/1"),
    "a payload type that is RTCP's": changed(r"SAVPF [0-9 ]+", "SAVPF 72"),
    "a payload type that is none": changed(r"SAVPF [0-9 ]+", "SAVPF x"),
    "a codec without a rate": changed(r"opus/48000/2", "opus"),
    "a candidate without fields": changed(r"a=candidate.*\r\n", "a=candidate:1\r\n"),
    "a group without members": changed(r"a=ssrc-group.*\r\n", "a=ssrc-group:FID x\r\n"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_offer_is_refused(offer: str, what: str) -> None:
    text = BAD[what](offer)
    assert text != offer
    answer, complaints = asyncio.run(answered(text.encode()))
    assert (answer, complaints) == (None, [])


def test_the_offer_itself_is_answered(offer: str) -> None:
    answer, complaints = asyncio.run(answered(offer.encode()))
    assert answer is not None and complaints == []


TRANSPORT = r"a=(candidate|end-of-candidates|ice-ufrag|ice-pwd|fingerprint|setup).*\r\n"


@pytest.mark.parametrize(
    "bundled", ["", "a=ice-ufrag:other\r\na=candidate:1 1 udp 1 127.0.9.99 9 typ host\r\na=setup:passive\r\n"]
)
def test_the_transport_is_that_of_the_first_of_a_bundle(bundled: str) -> None:
    # Browsers tell the candidates of an answer once; and an offer may have others for who knows no BUNDLE.
    def rest_changed(octets: bytes) -> bytes:
        first, video, rest = octets.decode().partition("m=video")
        return (first + video + re.sub(TRANSPORT, "", rest) + bundled).encode()

    async def call() -> None:
        alice, bob = WebRtcEndpoint("alice", ALICE), WebRtcEndpoint("bob", BOB)
        try:
            await alice.accept(rest_changed(await bob.answer(rest_changed(await alice.offer()))))
            await asyncio.gather(alice.connected(), bob.connected())
        finally:
            await asyncio.gather(alice.close(), bob.close())

    asyncio.run(call())


def test_an_offer_of_one_medium_needs_no_bundle(offer: str) -> None:
    text = re.sub(r"a=group.*\r\n", "", offer[: offer.index("m=video")])
    answer, complaints = asyncio.run(answered(text.encode()))
    assert answer is not None and answer.count(b"m=") == 1 and complaints == []


def test_hashes_that_nobody_knows_may_stand_beside_those_that_count(offer: str) -> None:
    more = offer.replace("a=setup", "a=fingerprint:sha3-256 00:11\r\na=setup")
    answer, _ = asyncio.run(answered(more.encode()))
    assert answer is not None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_line_may_be_missing_double_cut_or_changed(offer: str, data: st.DataObject) -> None:
    lines = offer.split("\r\n")
    where = data.draw(st.integers(0, len(lines) - 2))
    what = data.draw(st.sampled_from(["missing", "double", "cut", "changed", "swapped"]))
    line = lines[where]
    if what == "missing":
        lines[where : where + 1] = []
    elif what == "double":
        lines[where:where] = [line]
    elif what == "swapped":
        lines[where], lines[where - 1] = lines[where - 1], line
    else:
        cut = data.draw(st.integers(0, len(line)))
        lines[where] = line[:cut] + (
            data.draw(st.text(max_size=6)) + line[cut + 1 :] if what == "changed" else ""
        )
    _, complaints = asyncio.run(answered("\r\n".join(lines).encode()))
    assert complaints == []


@pytest.mark.parametrize("what", ["another offer", "fewer media", "actpass"])
def test_an_answer_that_does_not_fit_is_refused(offer: str, what: str) -> None:
    async def accepted() -> None:
        alice, bob = WebRtcEndpoint("alice", ALICE), WebRtcEndpoint("bob", BOB)
        try:
            answer = (await bob.answer(await alice.offer())).decode()
            bad = {
                "another offer": offer,
                "fewer media": answer[: answer.index("m=video")],
                "actpass": answer.replace("a=setup:active", "a=setup:actpass"),
            }[what]
            with pytest.raises(Malformed, match=r"the answer cannot be taken|BUNDLE does not name"):
                await alice.accept(bad.encode())
        finally:
            await asyncio.gather(alice.close(), bob.close())

    asyncio.run(accepted())


def test_an_end_that_is_closed_takes_nothing(offer: str) -> None:
    async def too_late() -> None:
        bob = WebRtcEndpoint("bob", BOB)
        await bob.close()
        with pytest.raises(ImslabError, match="closed: make another"):
            await bob.answer(offer.encode())

    asyncio.run(too_late())
