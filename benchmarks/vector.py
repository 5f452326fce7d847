"""Authentication vectors for one subscriber: ours, and the same with a new cipher object for each AES call.

Run: ``python -m benchmarks.vector [SECONDS for each]``. Both ways use the same formulas, the same xor and the
same checks; the second builds ``Cipher(AES(k), ECB())`` for each of five blocks. The last line is AES alone:
as many blocks (TEMP, OUT1 to OUT4) through one encryptor, and nothing else.
"""

import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from imslab.aka import AuthenticationVector, Milenage, generate_vector
from imslab.data import vectors
from imslab.octets import exactly, xor

_SET = vectors("milenage")["sets"][0]
K, OPC, RAND, SQN, AMF = (bytes.fromhex(_SET[name]) for name in ("K", "OPc", "RAND", "SQN", "AMF"))
_ROTATION_AND_CONSTANT = {2: (0, 1), 3: (4, 2), 4: (8, 4)}


def encrypt(block: bytes) -> bytes:
    """Return E[block] from a cipher object of its own."""
    return Cipher(algorithms.AES(K), modes.ECB()).encryptor().update(block)


def vector_with_new_ciphers(rand: bytes, sqn: bytes, amf: bytes) -> AuthenticationVector:
    """Return the vector by the formulas of TS 35.206, section 4.1: TEMP once, then OUT1 to OUT4."""
    temp = encrypt(xor(exactly("rand", rand, 16), OPC))
    in1 = xor((exactly("sqn", sqn, 6) + exactly("amf", amf, 2)) * 2, OPC)
    mac = xor(encrypt(xor(temp, in1[8:] + in1[:8])), OPC)[:8]
    mixed, out = xor(temp, OPC), {}
    for i, (rotation, constant) in _ROTATION_AND_CONSTANT.items():
        rotated = mixed[rotation:] + mixed[:rotation]
        out[i] = xor(encrypt(xor(rotated, constant.to_bytes(16))), OPC)
    return AuthenticationVector(rand, xor(sqn, out[2][:6]) + amf + mac, out[2][8:], out[3], out[4])


def per_second(works: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return how often each of ``works`` runs in a second: its best round of ten, taken in turns."""
    best = [0.0] * len(works)
    for _ in range(10):
        for i, work in enumerate(works):
            count, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds / 10:
                for _ in range(200):
                    work()
                count += 200
            best[i] = max(best[i], count / elapsed)
    return best


def main(seconds: float = 1.0) -> None:
    m = Milenage(K, OPC)
    if generate_vector(m, RAND, SQN, AMF) != vector_with_new_ciphers(RAND, SQN, AMF):
        raise SystemExit("the two ways do not give the same vector")
    update, blocks = Cipher(algorithms.AES(K), modes.ECB()).encryptor().update, bytes(64)
    ours, theirs, raw = per_second(
        [
            lambda: generate_vector(m, RAND, SQN, AMF),
            lambda: vector_with_new_ciphers(RAND, SQN, AMF),
            lambda: (update(RAND), update(blocks)),  # TEMP, then OUT1 to OUT4, as we call it
        ],
        seconds,
    )
    print(f"vectors/s, one encryptor per subscriber   {ours:12,.0f}")
    print(f"vectors/s, a new cipher object per call   {theirs:12,.0f}")
    print(f"ratio                                     {ours / theirs:12.1f}")
    print(f"AES-ECB alone, 5 blocks, per second       {raw:12,.0f}   ({ours / raw:.0%} of it reached)")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
