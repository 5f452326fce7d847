"""Captures: open a file, look at its SIP, APDUs, Cx messages and registrations.

capture = open_capture("login.pcapng", k="465b...", opc="cd63...")
capture.messages; capture.registration().ladder()
"""

from imslab.capture.call import Call
from imslab.capture.capture import Capture, open_capture
from imslab.capture.registration import Registration
from imslab.capture.views import Arrow

__all__ = ["Arrow", "Call", "Capture", "Registration", "open_capture"]
