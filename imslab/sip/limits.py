"""What a message may measure, and the error that carries the answer to give.

Spec: RFC 3261, sections 18.3 and 21.4.11, 21.5.7 (513); the bounds are ours.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imslab.errors import Malformed

if TYPE_CHECKING:
    from imslab.sip.message import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a message may have: octets of the head, lines of the head, octets of the body."""

    head: int = 65_536
    headers: int = 512
    body: int = 1_048_576


DEFAULT_LIMITS = Limits()


class BadMessage(Malformed):
    """A message that cannot be used.

    ``status``   what a server answers: 400, 505 (version), 513 (too large)
    ``message``  what could be read, so that ``Message.reply`` can answer; None when nothing could
    ``complete`` messages that a stream held before the fault (``StreamFramer``)
    """

    def __init__(
        self, text: str, *, status: int = 400, message: "Message | None" = None, offset: int | None = None
    ) -> None:
        self.status, self.message = status, message
        self.complete: list[Message] = []
        super().__init__(text, offset=offset)
