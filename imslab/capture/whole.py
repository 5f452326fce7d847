"""Everything read from a file, once, for a capture and its parts: each kind when it is first asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from imslab.capture import index, sip
from imslab.capture.file import CaptureFile
from imslab.capture.sip import SipEvent

if TYPE_CHECKING:
    from imslab.capture.apdu import ApduEvent
    from imslab.capture.cx import CxEvent
    from imslab.capture.http import HttpEvent


class Whole:
    """What one file holds; ``warnings`` grows with what is read."""

    def __init__(self, file: CaptureFile) -> None:
        self.file, self.warnings = file, list[str]()

    @cached_property
    def index(self) -> index.Index:
        """All packets with UDP or TCP, as columns."""
        return index.build(self.file)

    @cached_property
    def sip(self) -> list[SipEvent]:
        """The SIP messages."""
        return sip.read(self.file, self.index, self.warnings)

    # What follows brings more of the house with it (the card, the core): only for captures that need it.

    @cached_property
    def apdus(self) -> "list[ApduEvent]":
        """The APDUs."""
        from imslab.capture import apdu

        return apdu.read(self.file, self.index, self.warnings)

    @cached_property
    def cx(self) -> "list[CxEvent]":
        """The Diameter Cx messages."""
        from imslab.capture import cx

        return cx.read(self.file, self.index, self.warnings)

    @cached_property
    def http(self) -> "list[HttpEvent]":
        """The HTTP messages."""
        from imslab.capture import http

        return http.read(self.file, self.index, self.warnings)


@dataclass(frozen=True, slots=True)
class Part:
    """Some frames of a whole."""

    whole: Whole
    frames: frozenset[int]
