"""Many logins for a measurement, live and out of a recording."""

import asyncio

from imslab.data import path
from imslab.lab import Lab


def test_repeats_live():
    async def run():
        lab = Lab(seed="repeat")
        try:
            await lab.alice.register("AKAv1-MD5")
            return await lab.alice.repeat(2, "AKAv1-MD5", "AKAv2-MD5", transport="TCP")
        finally:
            lab.close()

    found = asyncio.run(run())
    assert [one.algorithm for one in found] == ["AKAv1-MD5", "AKAv2-MD5"] * 2
    assert {one.messages[0].transport for one in found} == {"tcp"}
    assert all(one.result == "registered" and one.seconds > 0 for one in found)


def test_repeats_what_a_recording_holds():
    lab = Lab(trace=path("traces", "register-akav2.pcapng"))
    found = asyncio.run(lab.alice.repeat(20, "AKAv2-SHA-256", transport="WS"))
    assert [one.messages[0].transport for one in found] == ["ws"]
    assert asyncio.run(lab.alice.repeat(20, "AKAv1-MD5")) == []
