"""Pairing: a person lets a web page use the card, once, and the page keeps a token for it.

The bridge shows a code where only the person sees it (in a terminal). The page that brings the code back
gets a bearer token (RFC 6750, section 1.2) for its own origin. A code is good once; wrong ones are counted.
Tokens are not stored: each carries a MAC (RFC 2104) of its origin and its time, so that a bridge which is
started again with the same secret still knows them.
"""

import base64
import binascii
import hmac

from imslab.errors import BridgeRefused
from imslab.ims.node import RandomSource
from imslab.octets import exactly

LIFETIME = 12 * 3600.0  # seconds that a token is good
DIGITS = 6  # of a code
MOST_WRONG, PAUSE = 3, 60.0  # wrong codes in a row, then so many seconds in which none is taken
_SALT, _TIME, _TAG = 16, 8, 32  # octets of a token's parts


class Pairing:
    """The codes and tokens of one bridge.

    ``random``  gives code and token; ``secret``: 32 octets that tokens are made with, new ones by default
    """

    def __init__(
        self, *, random: RandomSource, secret: bytes | None = None, lifetime: float = LIFETIME
    ) -> None:
        self._random, self._lifetime = random, lifetime
        self._secret = exactly("the secret of a bridge", random(32) if secret is None else secret, 32)
        self._wrong, self._closed_until = 0, 0.0
        self.code = self._new_code()

    def redeem(self, code: str, origin: str, now: float) -> str:
        """Return a token for ``origin`` in exchange for the code, which is then used up.

        Raises BridgeRefused for a wrong code; after three of them there is another code, and a pause.
        """
        if now < self._closed_until:
            seconds = round(self._closed_until - now)
            raise BridgeRefused("TooMany", f"too many wrong codes: wait {seconds} s, then take the new code")
        if not hmac.compare_digest(code.encode("utf-8", "replace"), self.code.encode()):
            self._count(now)
            raise BridgeRefused("WrongCode", "this is not the code that the bridge shows")
        self._wrong, self.code = 0, self._new_code()
        salt, issued = self._random(_SALT), int(now).to_bytes(_TIME)
        return _text(salt + issued + self._tag(salt + issued, origin))

    def check(self, token: str, origin: str, now: float) -> None:
        """Raise BridgeRefused unless ``token`` was given to ``origin`` by this bridge, and is not too old."""
        octets = _octets(token)
        body, tag = octets[: _SALT + _TIME], octets[_SALT + _TIME :]
        if not hmac.compare_digest(self._tag(body, origin), tag):
            raise BridgeRefused("NotPaired", "this page is not paired with this bridge")
        if not 0 <= now - int.from_bytes(body[_SALT:]) + 1 <= self._lifetime:
            raise BridgeRefused("NotPaired", "the pairing is too old: pair again")

    def _count(self, now: float) -> None:
        self._wrong += 1
        if self._wrong >= MOST_WRONG:
            self._wrong, self._closed_until, self.code = 0, now + PAUSE, self._new_code()

    def _new_code(self) -> str:
        # 64 bits onto 6 digits: no digit is more likely than another by more than 1 in 10 to the 13.
        return f"{int.from_bytes(self._random(8)) % 10**DIGITS:0{DIGITS}}"

    def _tag(self, body: bytes, origin: str) -> bytes:
        return hmac.digest(self._secret, b"imslab bridge\0" + origin.encode() + b"\0" + body, "sha256")


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _octets(token: str) -> bytes:
    try:
        octets = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != _SALT + _TIME + _TAG:
        raise BridgeRefused("NotPaired", "this is no token of a bridge")
    return octets
