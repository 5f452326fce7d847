"""The errors that imslab raises: one tree, so that one ``except ImslabError`` catches all.

An error says whose fault it was, where, and what to do next. No secret (K, OP, OPc,
RES, CK, IK, a password) is ever part of a message.
"""


class ImslabError(Exception):
    """The root of every error that imslab raises on purpose."""


class Malformed(ImslabError, ValueError):
    """The peer, or a file, broke the grammar.

    ``offset``    where, in octets from the start of what was parsed; None when unknown
    ``expected``  what should have stood there; "" when the message says it all
    """

    def __init__(self, message: str, *, offset: int | None = None, expected: str = "") -> None:
        self.offset, self.expected = offset, expected
        where = "" if offset is None else f" at octet {offset}"
        wanted = f"; expected {expected}" if expected else ""
        super().__init__(f"{message}{where}{wanted}")


class AkaError(ImslabError):
    """Authentication and key agreement failed (3GPP TS 33.102, section 6.3)."""


class MacFailure(AkaError):
    """A MAC did not match: the other side has not proved that it knows K."""


class SyncFailure(AkaError):
    """The network proved itself, but its SQN is not fresh.

    ``auts``  14 octets to send back, so that the network can catch up (TS 33.102, 6.3.5)
    """

    def __init__(self, message: str, *, auts: bytes) -> None:
        self.auts = auts
        super().__init__(message)


class WrongResponse(AkaError):
    """A digest response (or RES) is not the one that was computed."""


class CardError(ImslabError):
    """A card refused a command, or could not be asked.

    ``sw1``, ``sw2``  the status word (ETSI TS 102 221, 10.2); None when no answer came
    ``meaning``       the status word in words
    """

    def __init__(self, message: str, *, sw1: int | None, sw2: int | None, meaning: str) -> None:
        self.sw1, self.sw2, self.meaning = sw1, sw2, meaning
        super().__init__(message)


class CardGone(CardError):
    """The card or its reader went away in mid use."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sw1=None, sw2=None, meaning="no answer")


class BridgeRefused(ImslabError):
    """The bridge between a web page and a card does not do what the page asked for.

    ``name``  one word for the page: NotPaired, WrongCode, AccessDenied, NoCard, Unknown, BadRequest, TooMany
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class OtaError(ImslabError):
    """A secured packet (ETSI TS 102 225) was refused: its protection does not hold.

    ``status``  the response status code that the receiver gives, 01 to 0C; None when it was a response
    """

    def __init__(self, message: str, *, status: int | None) -> None:
        self.status = status
        super().__init__(message)


class SrtpError(ImslabError):
    """An SRTP or SRTCP packet could not be protected or opened."""


class AuthenticationFailed(SrtpError):
    """The authentication tag of a packet is wrong."""


class Replayed(SrtpError):
    """The packet was seen before, or is too old to tell."""


class FingerprintMismatch(SrtpError):
    """The certificate of a DTLS peer is not the one that its SDP names: somebody may stand in the middle."""


class EspError(ImslabError):
    """An ESP packet could not be opened, or not be made."""


class EspAuthenticationFailed(EspError):
    """The integrity check value of an ESP packet is wrong."""


class EspReplayed(EspError):
    """The ESP packet was seen before, or is too old to tell."""


class NetworkError(ImslabError):
    """A socket could not be opened, or the peer went away: says which address and why."""


class RegistrationFailed(ImslabError):
    """A registration came to an end without success.

    ``status``  the final SIP status code; None when no final response came
    ``advice``  what to do next
    """

    def __init__(self, message: str, *, status: int | None, advice: str = "") -> None:
        self.status, self.advice = status, advice
        super().__init__(f"{message}. {advice}" if advice else message)


class CallFailed(ImslabError):
    """A call, or a message, came to an end without success.

    ``status``  the final SIP status code; None when no final response came
    ``advice``  what to do next
    """

    def __init__(self, message: str, *, status: int | None, advice: str = "") -> None:
        self.status, self.advice = status, advice
        super().__init__(f"{message}. {advice}" if advice else message)


class Departed(ImslabError):
    """A replayed exchange was asked something else than what was recorded.

    ``position``  index of the exchange where the run departs from the recording
    """

    def __init__(self, message: str, *, position: int) -> None:
        self.position = position
        super().__init__(message)


class CaptureError(ImslabError):
    """A file is no capture, or nothing in it could be read.

    ``offset``    octets from the start of the file where reading stopped
    ``readable``  how many packets could be read before that
    """

    def __init__(self, message: str, *, offset: int = 0, readable: int = 0) -> None:
        self.offset, self.readable = offset, readable
        super().__init__(message)
