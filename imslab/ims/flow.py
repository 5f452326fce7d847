"""Flow tokens: the connection or address of a UE, signed, so that no table of flows has to be kept.

Spec: RFC 5626, 5.2. The token is the user part of the URI that a P-CSCF puts into Path and Record-Route;
whoever has it can send down the flow, and nobody can make one up.
"""

import base64
import binascii
import functools
import hmac

from imslab.ims.node import Address

_TAG = 10  # octets of HMAC-SHA1 (RFC 5626, 5.2)


class FlowTokens:
    """Makes and opens the flow tokens of one proxy.

    ``secret``  20 octets that nobody else knows
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.make = functools.lru_cache(maxsize=4096)(self._make)

    def open(self, token: str) -> Address | None:
        """Return the flow that a token names, or None when it is not one of ours."""
        try:
            octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            tag, flow = octets[:_TAG], octets[_TAG:]
            transport, host, port = flow.decode("ascii").split("/")
            address = Address(host, int(port), transport)
        except (ValueError, binascii.Error):
            return None
        return address if hmac.compare_digest(tag, self._sign(flow)) else None

    def _make(self, flow: Address) -> str:
        octets = f"{flow.transport}/{flow.host}/{flow.port}".encode()
        return base64.urlsafe_b64encode(self._sign(octets) + octets).decode().rstrip("=")

    def _sign(self, flow: bytes) -> bytes:
        return hmac.digest(self._secret, flow, "sha1")[:_TAG]
