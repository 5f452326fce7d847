"""Pictures for notebooks and reports: ladder, timing, octets coloured by meaning, timers, measurements.

    from imslab.charts import Arrow, ladder
    ladder([Arrow(0.0, "ue", "pcscf", "REGISTER", "SIP")], {"ue": "UE", "pcscf": "P-CSCF"})

Every chart returns a ``Picture``. Matplotlib is loaded when the first one is drawn.
"""

from imslab.capture import views
from imslab.capture.views import Arrow
from imslab.charts.bits import bits, flipped
from imslab.charts.chain import chain
from imslab.charts.intervals import intervals
from imslab.charts.ladder import ladder
from imslab.charts.milestones import milestones
from imslab.charts.octets import octets
from imslab.charts.picture import Picture
from imslab.charts.rtp import player, rtp
from imslab.charts.sequence import sqn_array
from imslab.charts.spread import spread
from imslab.charts.timeline import timeline
from imslab.charts.timing import timing

__all__ = [
    "Arrow",
    "Picture",
    "bits",
    "chain",
    "flipped",
    "intervals",
    "ladder",
    "milestones",
    "octets",
    "rtp",
    "spread",
    "sqn_array",
    "timeline",
    "timing",
]

views.register("ladder", ladder)
views.register("timeline", timeline)
views.register("timing", timing)
views.register("rtp", rtp)
views.register("player", player)
