"""Pictures for notebooks and reports: the ladder, the timing, and octets coloured by meaning.

    from imslab.charts import Arrow, ladder
    ladder([Arrow(0.0, "ue", "pcscf", "REGISTER", "SIP")], {"ue": "UE", "pcscf": "P-CSCF"})

Every chart returns a ``Picture``. Matplotlib is loaded when the first one is drawn.
"""

from imslab.capture import views
from imslab.capture.views import Arrow
from imslab.charts.ladder import ladder
from imslab.charts.octets import octets
from imslab.charts.picture import Picture
from imslab.charts.timing import timing

__all__ = ["Arrow", "Picture", "ladder", "octets", "timing"]

views.register("ladder", ladder)
views.register("timing", timing)
