"""Random octets that are none: they follow from a text, so that a run can be made again."""

import hashlib


class Seeded:
    """Octets that follow from a text: the same in each run, and therefore no secret at all."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, octets: int) -> bytes:
        """Return the next ``octets``."""
        self._count += 1
        return hashlib.shake_256(f"imslab {self._seed} {self._count}".encode()).digest(octets)
