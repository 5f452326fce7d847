"""The card alone, in process: SELECTs and AUTHENTICATEs a second, beside the machine's own AES.

Run: ``python -m benchmarks.card [SECONDS for each]``. SELECT takes turns among the ISIM by its name and two
of its files, with the FCP; AUTHENTICATE answers a fresh vector each time: MAC, SQN, RES, CK, IK, the store
are all in it. The last line is AES alone: as many blocks as one AUTHENTICATE costs, through one encryptor.
"""

import sys
import time
from itertools import count, cycle

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.vector import per_second
from imslab.aka import generate_vector
from imslab.data import profile_path
from imslab.uicc import Card, Profile, apdu

SELECTS_AIM, AUTHENTICATES_AIM = 20_000, 5_000
_ISIM = bytes.fromhex("a0000000871004")
_BLOCKS = 5  # TEMP, and OUT1 to OUT4 (TS 35.206)


def selects(card: Card, seconds: float) -> float:
    """Return how many SELECTs the card answers in a second."""
    commands = cycle((apdu.select_aid(_ISIM), apdu.select_file(0x6F02), apdu.select_file(0x6F07)))
    (rate,) = per_second([lambda: card.transmit(next(commands))], seconds)
    return rate


def authenticates(card: Card, profile: Profile, seconds: float) -> float:
    """Return how many AUTHENTICATEs the card answers in a second; the vectors are made before."""
    card.transmit(apdu.select_aid(_ISIM))
    sequence, answered, spent = count(1), 0, 0.0
    while spent < seconds:
        challenges = []
        for _ in range(500):
            sqn = (next(sequence) << profile.ind_length).to_bytes(6)
            vector = generate_vector(profile.functions, sqn.rjust(16, b"\x5a"), sqn)
            challenges.append(apdu.authenticate(vector.rand, vector.autn))
        start = time.perf_counter()
        answers = [card.transmit(challenge) for challenge in challenges]
        spent += time.perf_counter() - start
        answered += len(answers)
        if any(answer[:1] != b"\xdb" for answer in answers):
            raise SystemExit("the card refused a fresh vector")
    return answered / spent


def main(seconds: float = 1.0) -> None:
    profile = Profile.load(profile_path("alice"))
    card = Card(profile)
    update, block, blocks = (
        Cipher(algorithms.AES(profile.k), modes.ECB()).encryptor().update,
        bytes(16),
        bytes(64),
    )
    (raw,) = per_second([lambda: (update(block), update(blocks))], seconds)
    selected, authenticated = selects(card, seconds), authenticates(card, profile, seconds)
    print(f"SELECT, per second                        {selected:12,.0f}   (aim {SELECTS_AIM:,})")
    print(f"AUTHENTICATE, per second                  {authenticated:12,.0f}   (aim {AUTHENTICATES_AIM:,})")
    print(
        f"AES-ECB alone, {_BLOCKS} blocks, per second       {raw:12,.0f}   ({authenticated / raw:.1%} of it)"
    )
    if selected < SELECTS_AIM or authenticated < AUTHENTICATES_AIM:
        raise SystemExit("an aim was missed")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
