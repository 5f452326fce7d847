"""One wrong fingerprint among several: aiortc refuses the peer, and the error says why."""

import re

import pytest

from imslab.errors import FingerprintMismatch


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
async def test_a_single_wrong_fingerprint_is_named(webrtc, algorithm):
    async with webrtc() as (alice, bob):
        answer = (await bob.answer(await alice.offer())).decode()
        wrong = re.sub(
            rf"(a=fingerprint:{algorithm} )(..)", lambda m: m[1] + ("00" if m[2] != "00" else "01"), answer
        )
        await alice.accept(wrong.encode())
        with pytest.raises(FingerprintMismatch, match=algorithm):
            await alice.connected()
