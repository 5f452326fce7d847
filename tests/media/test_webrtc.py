"""Two WebRTC endpoints call each other: sound and pictures, keys, the trace, what goes wrong, the end."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from imslab.media import pitch
from imslab.media.picture import CLOCK_BOX, NAME_BOX, TestPicture
from imslab.srtp import Profile

PROFILES = [
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
]


def likeness(seen, drawn, box):
    """Correlate one part of two pictures: 1 is the same, 0 nothing in common."""
    left, top, right, bottom = box
    one, other = (part[top:bottom, left:right].mean(axis=2).ravel() for part in (seen, drawn))
    return np.corrcoef(one, other)[0, 1]


def clock_of(seen, drawn):
    """Return the time that the clock of a picture shows, found by comparing it with all that it could be."""
    return max(drawn, key=lambda at: likeness(seen, drawn[at], CLOCK_BOX))


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_hears_and_sees_the_other(call, profile):
    async with call(profiles=[profile], bobs=PROFILES) as (alice, bob):
        await asyncio.gather(*(end.recorded(seconds=0.3, pictures=4) for end in (alice, bob)))
        for end, peer in ((alice, bob), (bob, alice)):
            assert end.keying.profile == Profile.named(profile)
            assert abs(end.sound.pitch - pitch(peer.name)) <= 1 / end.sound.seconds
            seen = [np.asarray(Image.open(io.BytesIO(png))) for png in end.pictures]
            picture = TestPicture(peer.name)
            assert likeness(seen[-1], picture.draw(0), NAME_BOX) > 0.9
            assert likeness(seen[-1], TestPicture(end.name).draw(0), NAME_BOX) < 0.6
            times = range(int(end.moments.described * 100), int(end.clock() * 100) + 1)
            drawn = {hundredth: picture.draw(hundredth / 100 + 0.001) for hundredth in times}
            first, last = (clock_of(one, drawn) for one in (seen[0], seen[-1]))
            assert first < last  # the clock runs, between the offer and now
