"""Media: the two ends of a call, WebRTC or plain RTP, with test sound, test picture, recorder (floor 3).

Importing this loads neither aiortc nor PyAV; making an endpoint does.
"""

from imslab.media.endpoint import Endpoint, Moments
from imslab.media.rtp import RtpEndpoint
from imslab.media.sound import Sound, pitch
from imslab.media.statistics import StreamStatistics
from imslab.media.webrtc import WebRtcEndpoint

__all__ = ["Endpoint", "Moments", "RtpEndpoint", "Sound", "StreamStatistics", "WebRtcEndpoint", "pitch"]
