"""A call through UE, P-CSCF, S-CSCF and back, with everything recorded, beside a bare aiortc-to-aiortc call.

    python -m benchmarks.call [ROUNDS]

Both are counted from where the caller begins to make its offer to the first packet at the later end; they
take turns in one process. The bare call hands offer and answer over in memory; ours sends INVITE, 180, PRACK,
200 and ACK over UDP through the embedded core. Printed: medians, their ratio (limit 1.3), and the time to the
answer.
"""

import asyncio
import statistics
import sys
from typing import Any

from benchmarks.media import LIMIT, bare_call
from imslab import Lab


async def lab_call(lab: Lab) -> tuple[float, float]:
    """Return the seconds from the offer to the first packet at both ends, and to the answer at the caller."""
    call: Any = await lab.alice.call(lab.bob)
    began = call.ends["alice"].moments.described
    packets = [end.moments.first_packet for end in call.ends.values()]
    answered = call.signalling.moments["answered"] - began
    await call.hang_up()
    return max(packets) - began, answered


async def measure(rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"bare aiortc": [], "through the core": [], "to the answer": []}
    async with Lab(seed="benchmark") as lab:
        for turn in range(rounds + 2):  # two to warm up
            bare = await bare_call(("127.0.10.11", "127.0.10.12"))
            whole, answered = await lab_call(lab)
            if turn >= 2:
                for times, value in zip(found.values(), (bare.first_packet, whole, answered), strict=True):
                    times.append(value)
    return found


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    found = asyncio.run(measure(rounds))
    print(f"offer to first packet, both ends, {rounds} calls each, in turns")
    for name, times in found.items():
        low, middle, high = statistics.quantiles(times, n=4)
        print(f"{name:18} median {middle * 1e3:7.1f} ms   quartiles {low * 1e3:.1f} .. {high * 1e3:.1f}")
    ratio = statistics.median(found["through the core"]) / statistics.median(found["bare aiortc"])
    print(f"ratio {ratio:.2f}  (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
