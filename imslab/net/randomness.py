"""Random octets from the operating system, a page at a time.

A login takes a dozen small draws, for branches, tags and RAND; one system call for each of them
would cost more than the AES of the whole vector.
"""

import os

_PAGE = 4096  # octets


class Randomness:
    """A ``RandomSource``: no octet is given out twice. Not to be carried over a fork."""

    def __init__(self) -> None:
        self._page, self._at = b"", 0

    def __call__(self, octets: int) -> bytes:
        """Return the next ``octets`` random octets."""
        end = self._at + octets
        if end > len(self._page):
            self._page, self._at, end = os.urandom(max(_PAGE, octets)), 0, octets
        start, self._at = self._at, end
        return self._page[start:end]
