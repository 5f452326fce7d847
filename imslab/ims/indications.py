"""What a UE tells its owner about calls and messages: values, read with ``Ue.indications()``.

Spec: RFC 3261, 17 (the transaction user is told), 3GPP TS 24.229, 5.1.3 and 5.1.4 (calls), RFC 3428
(MESSAGE).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imslab.ims.call import Call


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a call is over.

    ``status``  the final SIP status; None when the call had been answered, or nobody answered anything
    ``reason``  in words
    ``by``      "us", "peer" or "network"
    """

    status: int | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """Somebody calls: ``ring``, ``answer`` or ``refuse``. ``offer`` is b"" when the offer is to be ours."""

    call: "Call"
    offer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """The callee rings (180), or says something else before the answer (181 to 199).

    ``sdp``          an early answer; b"" without one
    ``early_media``  what the network allows before the answer (P-Early-Media); "" when it says nothing
    """

    call: "Call"
    status: int
    sdp: bytes = field(repr=False)
    early_media: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The callee has answered; ``sdp`` is its answer to our offer."""

    call: "Call"
    sdp: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Our answer has arrived: the caller's ACK is here. ``sdp`` is its answer when the offer was ours."""

    call: "Call"
    sdp: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """The peer offers a change: ``answer`` or ``refuse``. ``offer`` is b"" when the offer is to be ours."""

    call: "Call"
    offer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that we have offered is in force; ``sdp`` is the peer's answer."""

    call: "Call"
    sdp: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that we have offered was refused; the call goes on as it was."""

    call: "Call"
    status: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over."""

    call: "Call"
    ending: Ending


@dataclass(frozen=True, slots=True)
class Text:
    """A pager message came: ``sender`` is who the network says it is (RFC 3428)."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of our message ``id``: 200 to 299 is success."""

    id: str
    status: int
    reason: str


Indication = (
    Incoming | Progress | Answered | Confirmed | Offered | Changed | Refused | Ended | Text | Delivered
)
